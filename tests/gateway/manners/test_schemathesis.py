"""Whatever is sent to any address, well-formed or not, is answered as the document of the API says."""

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from services.gateway.routes.replies import Json
from tests.gateway.manners.lives import Life, lived
from tests.gateway.manners.trial import ENDLESS, Asked, Trial
from tests.living import House

CASES: Final = 2000
EXAMPLES: Final = 25
MOST: Final = 0.75
WORK: Final = "/work"


@pytest.fixture
async def life(house: House, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Life]:
    """A gateway at which much has happened, and nobody waits."""
    monkeypatch.setattr("services.gateway.routes.waiting.LONGEST_SECONDS", 0)
    async with lived(house) as life:
        yield life


async def _asked(life: Life, examples: int, only: list[str] | None = None) -> Asked:
    document = dict((await life.ann.send("GET", "/openapi.json")).body)
    token = life.gateway.token("oz", ("operator",))
    return Asked(life.gateway.url, token, document, life.values_of_oz, examples, only)


async def test_whatever_is_sent_is_answered_as_the_document_says(life: Life) -> None:
    trial = await Trial.of(await _asked(life, EXAMPLES))
    assert trial.failures == [], "\n".join(trial.failures)
    assert sum(trial.cases.values()) >= CASES, trial.cases
    assert trial.cases["stateful"] >= CASES // 20
    answered = {label for label, statuses in trial.answered.items() if min(statuses) < 400}
    described = {
        f"{method.upper()} {path}"
        for method, path, operation in life.gateway.judge.operations()
        if operation["operationId"] not in ENDLESS
    }
    assert len(described & answered) >= MOST * len(described), described - answered  # test_openapi succeeds with each


async def test_a_gateway_that_breaks_its_word_is_found_out(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> Any:
        raise RuntimeError("the inside")

    def garrulous(items: Any, next_cursor: str | None) -> Json:
        return Json({"items": items, "next_cursor": next_cursor, "more": True})

    monkeypatch.setattr("services.gateway.store.images.select_images", broken)
    monkeypatch.setattr("services.gateway.routes.pauses.page", garrulous)
    found = (await Trial.of(await _asked(life, 1, ["list_images", "list_pauses"]))).failures
    assert any("GET /api/v1/images not_a_server_error" in one for one in found)
    assert any(f"GET /api/v1{WORK}/pauses response_schema_conformance" in one for one in found)
