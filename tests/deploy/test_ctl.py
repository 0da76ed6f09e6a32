"""The operators' command line asks what was typed, shows what is answered, and ends with a status that tells."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web

from tests.deploy.answering import serving
from tests.deploy.commands import run

JOB, NEW, LETTER = (str(uuid4()) for _ in range(3))
KIND = "media.fetch_media.v1"
HOSTILE = "a\x1b[31m\x9b2Jb [red]c"
FAILED = {
    "id": JOB,
    "kind": KIND,
    "state": "failed",
    "attempt": 4,
    "created_at": "2026-01-01T00:00:00Z",
    "error": {"code": "http_404", "sentence": HOSTILE},
}
# Not one text: a path of the gateway that begins like a folder of some machines.
WORK = "/work"
DEAD = {"id": LETTER, "service": "media", "state": "dead", "code": "not_json", "received_at": "2026-01-01T00:00:00Z"}
PAUSE = {"kind": KIND, "owner": "oz", "paused_at": "2026-01-01T00:00:00Z", "expires_at": "2026-01-01T01:00:00Z"}
RETRIED = {"items": [{"id": JOB, "outcome": "retried", "job": {"id": NEW}}], "total": 1, "skipped": [], "more": False}
SETTLED = {"items": [DEAD], "total": 1, "services": {"media": 1}, "skipped": [], "more": False}


@dataclass
class Gate:
    """A gateway that answers as it is told and remembers what it was asked."""

    url: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    status: int = 200
    statuses: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)
    raw: bytes | None = None

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else dict(request.query)
        path = request.path.removeprefix("/api/v1")
        self.asked.append((request.method, path, body))
        self.tokens.add(request.headers.get("Authorization"))
        if self.raw is not None:
            return web.Response(body=self.raw)
        answer = self.answers[path](body) if callable(self.answers[path]) else self.answers[path]
        return web.json_response(answer, status=self.statuses.get(path, self.status))

    async def types(self, *words: str, **variables: str) -> "CompletedProcess[str]":
        """Type a command line, as somebody who has this gateway's address and a token."""
        environment = {**os.environ, "GATEWAY_URL": self.url, "GATEWAY_TOKEN": "a-token", **variables}
        command = (sys.executable, "-m", "deploy.ctl", *words)
        return await asyncio.to_thread(run, *command, environment=environment)


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    gate = Gate()
    async with serving(gate.answer) as gate.url:
        yield gate


def page(*items: Any) -> dict[str, Any]:
    return {"items": list(items), "next_cursor": None}


async def test_jobs_are_listed_as_a_table_for_people_and_as_json_for_programs(gate: Gate) -> None:
    gate.answers["/jobs"] = page(FAILED)
    table = await gate.types("jobs", "list", "--state", "failed", "--code", "http_404", "--everybody")
    assert table.returncode == 0, table.stderr
    heading, row = table.stdout.splitlines()
    assert heading.split()[:3] == ["id", "kind", "state"]
    assert row.split() == [JOB, KIND, "failed", "4", FAILED["created_at"], "http_404"]
    assert gate.asked == [
        ("GET", "/jobs", {"state": "failed", "limit": "50", "error_code": "http_404", "everybody": "True"})
    ]
    assert gate.tokens == {"Bearer a-token"}
    told = await gate.types("jobs", "list", "--json")
    assert json.loads(told.stdout) == [FAILED]


def pages_of(count: int) -> Callable[[dict[str, str]], Any]:
    """Answer with pages of so many jobs or letters, as the gateway does: at most 200 at once."""

    def answer(asked: dict[str, str]) -> Any:
        start, limit = int(asked.get("cursor", 0)), int(asked["limit"])
        assert 1 <= limit <= 200
        end = min(start + limit, count)
        items = [{"id": str(number), "state": "failed"} for number in range(start, end)]
        return {"items": items, "next_cursor": str(end) if end < count else None}

    return answer


@pytest.mark.parametrize("what", ["jobs", "dead-letters"])
@pytest.mark.parametrize(
    ("words", "shown", "more"),
    [
        ((), 50, True),
        (("--limit", "430"), 430, True),
        (("--limit", "450"), 450, False),
        (("--limit", "1000"), 450, False),
        (("--all",), 450, False),
    ],
)
async def test_a_list_is_shown_as_far_as_it_was_asked_for_and_says_that_there_is_more(
    gate: Gate, what: str, words: tuple[str, ...], shown: int, *, more: bool
) -> None:
    gate.answers[f"/{what}"] = pages_of(450)
    for form, count in (((), shown + 1), (("--json",), shown)):
        told = await gate.types(what, "list", *words, *form)
        assert told.returncode == 0, told.stderr
        items = json.loads(told.stdout) if form else told.stdout.splitlines()
        assert len(items) == count
        assert told.stderr.startswith("There are more") == more


async def test_what_strangers_wrote_does_nothing_to_a_terminal(gate: Gate) -> None:
    gate.answers[f"/jobs/{JOB}"] = FAILED
    gate.answers[f"/dead-letters/{LETTER}"] = {**DEAD, "excerpt": HOSTILE}
    for words in (("jobs", "show", JOB), ("dead-letters", "show", LETTER)):
        shown = await gate.types(*words)
        assert shown.returncode == 0, shown.stderr
        assert "a·[31m·2Jb [red]c" in shown.stdout
        raw = await gate.types(*words, "--json")
        assert not {"\x1b", "\x9b"} & set(shown.stdout + raw.stdout)
        assert json.loads(raw.stdout) in gate.answers.values(), "nothing of it is lost to programs"


async def test_failed_jobs_are_retried_by_id_or_by_filter(gate: Gate) -> None:
    gate.answers["/jobs/retry"] = {**RETRIED, "dry_run": False}
    done = await gate.types("jobs", "retry", JOB)
    assert done.returncode == 0, done.stderr
    assert JOB in done.stdout
    assert NEW in done.stdout
    await gate.types("jobs", "retry", "--code", "timeout", "--everybody", "--dry-run")
    await gate.types("jobs", "retry", "--all")
    assert [body for _, _, body in gate.asked] == [
        {"ids": [JOB], "dry_run": False},
        {"filter": {"error_code": "timeout", "everybody": True}, "dry_run": True},
        {"filter": {}, "dry_run": False},
    ]


@pytest.mark.parametrize("what", ["redrive", "discard"])
async def test_dead_letters_are_listed_redriven_and_discarded(gate: Gate, what: str) -> None:
    gate.answers |= {"/dead-letters": page(DEAD), f"/dead-letters/{what}": {**SETTLED, "dry_run": True}}
    listed = await gate.types("dead-letters", "list", "--service", "media")
    assert listed.stdout.splitlines()[1].split() == [LETTER, "media", "dead", "not_json", DEAD["received_at"]]
    done = await gate.types("dead-letters", what, "--service", "media", "--type", KIND, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "1 letters would be" in done.stdout
    assert [body for _, _, body in gate.asked] == [
        {"service": "media", "state": "dead", "limit": "50"},
        {"filter": {"service": "media", "message_type": KIND}, "dry_run": True},
    ]


async def test_a_kind_of_work_rests_and_goes_on(gate: Gate) -> None:
    paths = {name: f"{WORK}/{name}" for name in ("pause", "resume", "pauses")}
    gate.answers |= {paths["pause"]: PAUSE, paths["resume"]: PAUSE, paths["pauses"]: page(PAUSE)}
    assert (await gate.types("work", "pause", KIND, "--minutes", "30")).returncode == 0
    assert "oz" in (await gate.types("work", "pauses")).stdout
    assert (await gate.types("work", "resume", KIND, "--take-over")).stdout == f"{KIND} goes on.\n"
    assert gate.asked == [
        ("POST", paths["pause"], {"kind": KIND, "seconds": 1800.0, "take_over": False}),
        ("GET", paths["pauses"], {}),
        ("POST", paths["resume"], {"kind": KIND, "take_over": True}),
    ]


async def test_each_job_that_is_named_is_cancelled(gate: Gate) -> None:
    gate.answers = {f"/jobs/{one}/cancel": {"outcome": "x", "jobs_told": 1, "job": FAILED} for one in (JOB, NEW)}
    assert (await gate.types("jobs", "cancel", JOB, NEW, JOB)).returncode == 0
    assert [path for _, path, _ in gate.asked] == [f"/jobs/{JOB}/cancel", f"/jobs/{NEW}/cancel"]


async def test_of_a_job_that_cannot_be_cancelled_the_others_do_not_suffer(gate: Gate) -> None:
    good, unknown = f"/jobs/{JOB}/cancel", f"/jobs/{LETTER}/cancel"
    gate.answers = {
        good: {"outcome": "cancellation_requested", "jobs_told": 1, "job": FAILED},
        unknown: {"code": "job_not_found", "detail": f"There is no such job. {HOSTILE}"},
    }
    gate.statuses[unknown] = 404
    for order in ((JOB, LETTER), (LETTER, JOB)):
        told = await gate.types("jobs", "cancel", *order)
        assert (told.returncode, told.stderr) == (4, "")
        for expected in (JOB, "cancellation_requested", LETTER, "refused", "There is no such job."):
            assert expected in told.stdout
        assert "\x1b" not in told.stdout
    raw = json.loads((await gate.types("jobs", "cancel", JOB, LETTER, "--json")).stdout)
    assert [one["outcome"] for one in raw] == ["cancellation_requested", "refused"]
    assert raw[1]["error"]["code"] == "job_not_found"


async def test_what_was_cancelled_is_told_though_the_gateway_goes_away(gate: Gate) -> None:
    good, away = f"/jobs/{JOB}/cancel", f"/jobs/{NEW}/cancel"
    gate.answers = {good: {"outcome": "x", "jobs_told": 1, "job": FAILED}, away: {"code": "away", "detail": "Later."}}
    gate.statuses[away] = 503
    told = await gate.types("jobs", "cancel", JOB, NEW)
    assert told.returncode == 3
    assert JOB in told.stdout
    assert "Later." in told.stderr


async def test_what_is_of_a_time_is_found_by_it(gate: Gate) -> None:
    gate.answers = {
        "/jobs": page(FAILED),
        "/dead-letters": page(DEAD),
        "/jobs/retry": {**RETRIED, "dry_run": False},
        "/dead-letters/redrive": {**SETTLED, "dry_run": False},
    }
    words = ("--after", "2026-01-01T00:00:00+0000", "--before", "2026-01-02")
    for command in ("jobs list", "jobs retry", "dead-letters list", "dead-letters redrive"):
        done = await gate.types(*command.split(), *words, TZ="UTC")
        assert done.returncode == 0, done.stderr
    moments = ("2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00")
    created = dict(zip(("created_after", "created_before"), moments, strict=True))
    received = dict(zip(("received_after", "received_before"), moments, strict=True))
    assert [body for _, _, body in gate.asked] == [
        {"limit": "50", **created},
        {"filter": created, "dry_run": False},
        {"state": "dead", "limit": "50", **received},
        {"filter": received, "dry_run": False},
    ]


async def test_the_status_says_that_nothing_was_found(gate: Gate) -> None:
    gate.answers = {"/jobs": page(), "/jobs/retry": {**RETRIED, "items": [], "total": 0, "dry_run": False}}
    for words in (("jobs", "list"), ("jobs", "list", "--json"), ("jobs", "retry", "--all")):
        assert (await gate.types(*words)).returncode == 1, words


async def test_a_refusal_is_told_in_its_sentence(gate: Gate) -> None:
    gate.status = 403
    gate.answers[f"{WORK}/pauses"] = {"code": "operator_only", "detail": f"Only operators may. {HOSTILE}"}
    refused = await gate.types("work", "pauses")
    assert (refused.returncode, refused.stdout) == (4, "")
    assert refused.stderr.startswith("Only operators may.")
    assert "\x1b" not in refused.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("jobs", "retry"),
        ("jobs", "retry", JOB, "--code", "x"),
        ("jobs", "retry", JOB, "--all"),
        ("jobs", "retry", "--everybody"),
        ("jobs", "show", "not-an-id"),
        ("dead-letters", "discard"),
        ("dead-letters", "redrive", "--dry-run"),
        ("work", "pause"),
        ("nonsense",),
    ],
)
async def test_nothing_is_asked_where_it_is_not_clear_what_is_meant(gate: Gate, words: tuple[str, ...]) -> None:
    done = await gate.types(*words)
    assert done.returncode == 2, done.stdout
    assert gate.asked == []


@pytest.mark.parametrize("body", [b"<html>Welcome to the proxy\x1b[31m", b"", b"[]", b"null", b'{"items": [}'])
async def test_an_answer_that_no_gateway_gives_is_told_in_a_sentence(gate: Gate, body: bytes) -> None:
    gate.raw = body
    for words in (("jobs", "list"), ("jobs", "retry", JOB), ("work", "resume", KIND)):
        refused = await gate.types(*words)
        assert (refused.returncode, refused.stdout) == (3, "")
        assert refused.stderr.startswith("What answers there is no gateway:")
        assert "\x1b" not in refused.stderr


@pytest.mark.parametrize("moment", ["0001-01-01", "9999-12-31T23:59:59-2300", "0001-01-01T00:00:00+2300"])
async def test_a_moment_outside_of_time_is_refused_before_anybody_is_asked(gate: Gate, moment: str) -> None:
    for words in (("jobs", "list", "--after", moment), ("dead-letters", "discard", "--before", moment)):
        refused = await gate.types(*words, TZ="Asia/Tokyo")
        assert (refused.returncode, gate.asked) == (2, [])
        assert "1 to 9999" in refused.stderr
        assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    "words",
    [
        *("dead-letters discard --service media --code=", "dead-letters redrive --type= --service media"),
        *("jobs retry --kind= --code timeout", "jobs retry --service="),
    ],
)
async def test_an_empty_option_never_means_more(gate: Gate, words: str) -> None:
    """A script whose variable is empty means one code, and not all of them."""
    gate.status = 422
    path = "/jobs/retry" if words.startswith("jobs") else f"/dead-letters/{words.split()[1]}"
    gate.answers[path] = {"code": "validation_failed", "detail": "filter.code is too short."}
    refused = await gate.types(*words.split())
    assert (refused.returncode, refused.stdout) == (4, "")
    [(_, _, body)] = gate.asked
    assert "" in body["filter"].values(), "it is for the gateway to refuse it"


async def test_an_empty_state_shows_the_letters_of_every_state(gate: Gate) -> None:
    gate.answers["/dead-letters"] = page(DEAD)
    assert (await gate.types("dead-letters", "list", "--state", "")).returncode == 0
    assert gate.asked == [("GET", "/dead-letters", {"limit": "50"})]


async def test_a_gateway_that_cannot_be_reached_is_told_apart(gate: Gate, tmp_path: Path) -> None:
    gone = await gate.types("jobs", "list", GATEWAY_URL="", GATEWAY_TOKEN="", DIORAMA_STATE=str(tmp_path))
    assert (gone.returncode, gone.stdout) == (3, "")
    assert "No gateway runs here" in gone.stderr
    nameless = await gate.types("jobs", "list", GATEWAY_TOKEN="")
    assert nameless.returncode == 3
    assert "GATEWAY_TOKEN" in nameless.stderr
    away = await gate.types("jobs", "list", GATEWAY_URL="http://127.0.0.1:1")
    assert away.returncode == 3
    assert "http://127.0.0.1:1" in away.stderr
    assert "Traceback" not in gone.stderr + nameless.stderr + away.stderr
