"""The command line does through the gateway what it says, and ends with a status that scripts can use."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.jobs import Child, JobChildrenNamed, JobCompleted, JobFailed, JobProgressed, JobStarted, WorkerReported
from contracts.media import FetchMedia
from services.gateway.cli.application import main
from services.gateway.cli.watching import share_of
from shared.identifiers import uuid7
from tests.deploy.commands import run
from tests.gateway.living import Client, Gateway, Voice, gateway_settings
from tests.gateway.review.mapped import decide, mapped
from tests.gateway.sayings import media_stored
from tests.living import House, until
from tests.media.samples import SMALL_FILES

PAGE = "https://example.org/gallery"


@dataclass
class Ended:
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str

    @property
    def told(self) -> Any:
        assert self.out, self.err
        return _json_in(self.out)


def _json_in(printed: str) -> Any:
    """Read what was told to programs; the gateway of the test writes its log to the same place, line by line."""
    lines = printed.splitlines()
    begins = next(number for number, line in enumerate(lines) if line in {"[", "{", "[]"})
    ends = next(number for number, line in enumerate(lines[begins:], begins) if line in {"]", "}", "[]"})
    return json.loads("\n".join(lines[begins : ends + 1]))


Typed = Callable[..., Awaitable[Ended]]


@pytest.fixture
def typed(gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Type a command line, as an operator where nobody else is named, without starting another process."""

    async def typing(*words: str, user: str = "oz", token: str | None = None) -> Ended:
        own = token or gateway.token(user, ("operator",) if user == "oz" else ())
        status = await asyncio.to_thread(_status_of, "--url", gateway.url, "--token", own, *words)
        return Ended(status, *capsys.readouterr())

    return typing


_MANNER = ("--step", "describe", "--rendered")


def _status_of(*words: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(arguments=words)
    return int(end.value.code or 0)


async def test_what_is_submitted_is_a_job_and_can_be_looked_at_and_cancelled(typed: Typed, gateway: Gateway) -> None:
    assert "have their maps" in (await typed("submit", "map", "--unmapped", "--watch", user="ann")).out
    [scrape] = (await typed("submit", "scrape", PAGE, f"{PAGE}/2", *_MANNER, "--json", user="ann")).told
    media = await typed("submit", "media", f"{PAGE}/a.jpg", "--title", "A [red]title", user="ann")
    assert (media.status, FetchMedia.wire_name in media.out) == (0, True)
    scene = (await typed("submit", "scene", "one", "3", "--description", "A fox", "--json", user="ann")).told
    assert scene["scene_number"] == 3
    shown = (await typed("jobs", "show", scrape["id"], "--json", user="ann")).told
    assert (shown["request"]["urls"], shown["pipeline"]) == ([PAGE, f"{PAGE}/2"], ["describe"])
    assert shown["request"]["rendered"] is True
    listed = (await typed("jobs", "list", "--json", user="ann")).told
    assert {scrape["id"], scene["task_id"]} < {job["id"] for job in listed}
    cancelled = (await typed("jobs", "cancel", scrape["id"], "--json", user="ann")).told
    assert cancelled[0]["outcome"] == "cancellation_requested"
    assert (await typed("jobs", "show", scrape["id"], user="bob")).status == 4
    voice = Voice(listed[0])
    stored = media_stored(voice)
    await gateway.hear(stored)
    [drawn] = (await typed("submit", "map", str(stored.asset_id), "--json", user="ann")).told
    assert drawn["image_id"] == str(stored.asset_id)
    assert (await typed("submit", "map", user="ann")).status == 2
    assert (await typed("submit", "map", str(stored.asset_id), "--rejected", user="ann")).status == 2
    anew = await typed("submit", "map", "--rejected", "--chapter", "one", "--redraw", "--json", user="ann")
    assert anew.told == []


async def test_what_was_rejected_is_drawn_anew_without_another_word(
    typed: Typed, gateway: Gateway, ann: Client
) -> None:
    fact = await mapped(ann, gateway)
    await decide(ann, fact, "reject", {"reasons": ["flat"]})
    [anew] = (await typed("submit", "map", "--rejected", "--json", user="ann")).told
    assert anew["image_id"] == str(fact.asset_id)
    assert (await ann.job(anew["id"]))["request"]["redraw"] is True


async def test_files_are_uploaded_and_what_is_no_image_is_refused(typed: Typed, ann: Client, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.jpg", tmp_path / "bad.jpg"
    good.write_bytes(SMALL_FILES["jpeg"]())
    bad.write_bytes(b"not an image")
    taken = await typed("submit", "upload", str(good), "--tag", "fox", "--tag", "red", "--json", user="ann")
    [item] = taken.told
    assert (taken.status, item["problem"]) == (0, None)
    assert (await ann.job(item["job"]["id"]))["state"] == "pending"
    assert (await typed("submit", "upload", str(bad), user="ann")).status == 4
    assert (await typed("submit", "upload", str(tmp_path / "missing.jpg"), user="ann")).status == 2


async def test_a_job_is_watched_until_all_that_follows_from_it_has_ended(
    typed: Typed, ann: Client, gateway: Gateway
) -> None:
    job = Voice((await ann.post("/scrapes", {"url": PAGE})).body)
    watching = asyncio.create_task(typed("watch", job.job["id"], "--json", user="ann"))
    child = Child(job_id=uuid7(), kind=FetchMedia.wire_name)
    begun = {"attempt": 1, "started_at": datetime.now(UTC)}
    await gateway.hear(job.says(JobStarted, worker="w", **begun), job.says(JobProgressed, progress=0.5, stage="s"))
    await gateway.hear(job.says(JobChildrenNamed, children=(child,)), job.says(JobCompleted, children_total=1, **begun))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(watching), 1)
    fetched = Voice({**job.job, "id": child.job_id, "parent_id": job.job["id"], "kind": child.kind, "service": "media"})
    await gateway.hear(fetched.says(JobFailed, code="http_404", sentence="It is not there.", **begun))
    ended = await asyncio.wait_for(watching, 10)
    assert (ended.status, ended.told[0]["state"], ended.told[0]["tree"]["failed"]) == (1, "completed", 1)
    again = await typed("watch", job.job["id"], user="ann")
    assert (again.status, job.job["id"] in again.out) == (1, True)


async def test_whoever_watches_comes_back_when_the_gateway_does(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = gateway_settings(house.servers)
    async with Gateway(settings) as gateway:
        await gateway.until_well()
        async with gateway.client("ann") as ann:
            job = Voice((await ann.post("/scrapes", {"url": PAGE})).body)
        words = ("--url", gateway.url, "--token", gateway.token("ann"), "watch", job.job["id"], "--json")
        watching = asyncio.create_task(asyncio.to_thread(_status_of, *words))
        await until(lambda: _is_followed(gateway))
    async with Gateway(settings) as gateway:
        await gateway.until_well()
        begun = {"attempt": 1, "started_at": datetime.now(UTC)}
        await gateway.hear(job.says(JobCompleted, **begun))
        assert await asyncio.wait_for(watching, 20) == 0
    assert _json_in(capsys.readouterr().out)[0]["state"] == "completed"


async def test_more_jobs_are_watched_than_there_are_connections(
    typed: Typed, ann: Client, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.cli.watching._PATIENCE_SECONDS", 3.0)
    monkeypatch.setattr("services.gateway.cli.client._ANSWER_SECONDS", 2.0)
    jobs = [Voice(reply.body) for reply in await asyncio.gather(*(_probe(ann) for _ in range(120)))]
    watching = asyncio.create_task(typed("watch", *(job.job["id"] for job in jobs), "--json", user="ann"))
    await until(lambda: _is_followed(gateway))
    begun = {"attempt": 1, "started_at": datetime.now(UTC)}
    for job in jobs:
        await gateway.hear(job.says(JobStarted, worker="w", **begun))
    await gateway.hear(*(job.says(JobCompleted, **begun) for job in jobs))
    ended = await watching
    assert (ended.status, ended.err) == (0, "")
    assert [job["id"] for job in ended.told] == [job.job["id"] for job in jobs]


async def _probe(client: Client) -> Any:
    return await client.post("/probes", {"service": "media"})


async def _is_followed(gateway: Gateway) -> bool:
    return bool(gateway.parts.stream.followers)


def test_a_length_that_is_not_known_is_not_shown_as_nothing_done() -> None:
    tree = {"total": 0, "completed": 0, "failed": 0, "cancelled": 0, "ended": False}
    assert share_of({"progress": None, "tree": tree}) == (0, None)
    assert share_of({"progress": 0.5, "tree": tree}) == (0.5, 1)
    assert share_of({"progress": 1, "tree": {**tree, "total": 3, "completed": 1, "failed": 1}}) == (3, 4)
    assert share_of({"progress": None, "tree": {**tree, "ended": True}}) == (1, 1)


async def test_operators_see_how_the_house_stands(typed: Typed, ann: Client, gateway: Gateway) -> None:
    jobs = [Voice((await ann.post("/media/store", {"url": f"{PAGE}/{number}.jpg"})).body) for number in range(2)]
    begun = {"attempt": 1, "started_at": datetime.now(UTC)}
    failed = [job.says(JobFailed, code="fetch_timeout", sentence="Too slow.", **begun) for job in jobs]
    now = datetime.now(UTC)
    report = WorkerReported(service="media", worker="host/1", version="9", started_at=now, at=now, state="working")
    await gateway.hear(*failed, report)
    queues = await typed("queues")
    assert (queues.status, "no_consumer" in queues.out) == (1, True)
    assert "media" in [one["service"] for one in (await typed("queues", "--json")).told if one["workers"]]
    assert "host/1" in (await typed("workers", "--service", "media")).out
    assert (await typed("workers", "--service", "scraper")).status == 1
    reasons = await typed("failures", "list")
    assert (reasons.status, "fetch_timeout" in reasons.out, "Too slow." in reasons.out) == (0, True, True)
    assert "2" in (await typed("usage", "--by", "day", "--by", "kind")).out
    assert (await typed("usage", "--json")).told["total"]["jobs_failed"] == 2
    assert (await typed("usage", "--by", "hour")).status == 4
    for words in (("--dry-run",), ()):
        [answer] = (await typed("failures", "retry", "fetch_timeout", *words, "--json")).told
        assert answer["total"] == 2
    assert (await typed("failures", "retry", "fetch_timeout")).status == 1
    assert (await typed("failures", "list")).status == 1
    refused = await typed("queues", user="ann")
    assert refused.status == 4
    assert "operator" in refused.err


async def test_an_api_key_is_made_shown_once_used_and_revoked(typed: Typed) -> None:
    scopes = ("--scope", "read", "--scope", "write")
    made = (await typed("tokens", "create", "nightly", *scopes, "--days", "3", "--json")).told
    assert (await typed("jobs", "list", "--json", token=made["key"])).status == 1
    listed = await typed("tokens", "list")
    assert (made["id"] in listed.out, made["key"] in listed.out) == (True, False)
    assert (await typed("queues", token=made["key"])).status == 4
    assert (await typed("tokens", "revoke", made["id"])).status == 0
    assert (await typed("jobs", "list", token=made["key"])).status == 4
    assert (await typed("tokens", "list")).status == 1


async def test_what_is_away_and_what_makes_no_sense_are_told_apart(typed: Typed, monkeypatch: Any) -> None:
    assert (await typed("nonsense")).status == 2
    assert (await typed("--url", "ftp://x", "queues")).status == 2
    monkeypatch.setattr("services.gateway.cli.asking.PATIENCE_SECONDS", 0.1)
    assert (await typed("--url", "http://127.0.0.1:1", "queues")).status == 3


def test_the_command_line_explains_itself_and_its_statuses() -> None:
    """The one start of a process of its own; tests/deploy/test_ctl.py has more."""
    told = run(sys.executable, "-m", "services.gateway.cli", "--help")
    assert told.returncode == 0
    for word in ("submit", "watch", "failures", "tokens", "3  no gateway could be reached", "4  the gateway refused"):
        assert word in told.stdout
