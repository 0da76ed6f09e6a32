import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.catalogue import CATALOGUE
from contracts.depth_map import MapDepth
from contracts.jobs import CancelJob, DeadLettersSettled, JobStarted, MessageDeadLettered, ReplayOutbox, WorkerReported
from contracts.media import MediaStored
from contracts.scraper import PageScraped, ScrapePages
from deploy.contracts.tables import ContractBrokenError, heard, read_tables, said, workers
from deploy.contracts.topology import topology
from tests.contracts.houses import tables


def test_a_worker_hears_its_commands_what_it_reacts_to_and_what_every_worker_is_told() -> None:
    assert topology(tables())["depth_map"] == [
        "depth_map.map_depth",
        "depth_map.review_depth_map",
        "jobs.cancel_job.all",
        "jobs.cancel_job.depth_map",
        "jobs.check_worker.depth_map",
        "jobs.discard_dead_letters.all",
        "jobs.discard_dead_letters.depth_map",
        "jobs.look_again.all",
        "jobs.look_again.depth_map",
        "jobs.pause_work.all",
        "jobs.pause_work.depth_map",
        "jobs.redrive_dead_letters.all",
        "jobs.redrive_dead_letters.depth_map",
        "jobs.replay_outbox.all",
        "jobs.replay_outbox.depth_map",
        "jobs.report_jobs.all",
        "jobs.report_jobs.depth_map",
        "jobs.resume_work.all",
        "jobs.resume_work.depth_map",
        "media.media_deleted",
        "media.media_stored",
    ]


def test_a_service_without_work_is_told_only_to_say_again_what_it_said_and_of_its_dead_letters() -> None:
    keys = topology(tables())["gateway"]

    told = [key for key in keys if key.endswith((".all", ".gateway"))]
    obeyed = ("discard_dead_letters", "redrive_dead_letters", "replay_outbox")
    assert told == [f"jobs.{name}.{whom}" for name in obeyed for whom in ("all", "gateway")]
    assert {"jobs.job_unknown", "jobs.message_dead_lettered", "jobs.job_progressed", "media.media_stored"} <= {*keys}
    assert "jobs.check_worker.gateway" not in keys


def test_keys_are_sorted_and_named_once() -> None:
    for keys in topology(tables()).values():
        assert keys == sorted(set(keys))


def test_every_message_reaches_a_queue() -> None:
    bound = {key for keys in topology(tables()).values() for key in keys}

    for message in CATALOGUE.values():
        key = message.wire_name.rpartition(".")[0]
        assert any(name == key or name.startswith(f"{key}.") for name in bound), key


def test_a_message_that_nobody_hears_is_refused() -> None:
    deaf = tables()
    deaf["gateway"][0].remove(PageScraped)

    with pytest.raises(ContractBrokenError, match=r"nobody hears scraper\.page_scraped\.v1"):
        topology(deaf)


def test_a_command_that_nobody_obeys_is_refused() -> None:
    idle = tables()
    idle["depth_map"][1].clear()

    with pytest.raises(ContractBrokenError, match=r"nobody hears depth_map\.map_depth\.v1"):
        topology(idle)


def test_work_on_the_commands_of_a_neighbour_is_refused() -> None:
    greedy = tables()
    greedy["media"][1].append(MapDepth)

    with pytest.raises(ContractBrokenError, match=r"services\.media\.handlers lists MapDepth in WORK"):
        topology(greedy)


@pytest.mark.parametrize("message", [MapDepth, CancelJob, ReplayOutbox])
def test_a_reaction_to_a_command_or_an_instruction_is_refused(message: type) -> None:
    confused = tables()
    confused["depth_map"][0].append(message)

    with pytest.raises(ContractBrokenError, match=rf"lists {message.__name__} in REACTIONS"):
        topology(confused)


def test_all_that_is_wrong_is_told_at_once() -> None:
    broken = tables()
    broken["media"][1].append(MapDepth)
    broken["scraper"][1].remove(ScrapePages)

    with pytest.raises(ContractBrokenError) as caught:
        topology(broken)

    assert len(caught.value.sentences) == 2


def test_facts_are_said_by_their_owner_news_by_workers_and_commands_by_the_gateway() -> None:
    says = said(tables())

    assert [service for service, words in says.items() if MediaStored in words] == ["media"]
    assert [service for service, words in says.items() if JobStarted in words] == workers(tables())
    assert [service for service, words in says.items() if MessageDeadLettered in words] == sorted(tables())
    assert [service for service, words in says.items() if DeadLettersSettled in words] == sorted(tables())
    assert [service for service, words in says.items() if ReplayOutbox in words] == sorted(tables())
    assert [service for service, words in says.items() if WorkerReported in words] == sorted(tables())
    assert [service for service, words in says.items() if ScrapePages in words] == ["gateway"]
    assert {word for words in says.values() for word in words} == set(CATALOGUE.values())


def test_what_is_said_is_heard_by_somebody() -> None:
    heard_by_somebody = {message for messages in heard(tables()).values() for message in messages}

    assert {word for words in said(tables()).values() for word in words} <= heard_by_somebody


@pytest.fixture
def forgotten_services() -> Iterator[None]:
    """Let modules of a small house, found under other names than ours, be imported anew."""
    yield
    for name in [name for name in sys.modules if name.startswith("services.lonely")]:
        del sys.modules[name]


def test_a_service_without_handlers_is_told_to_write_them(tmp_path: Path) -> None:
    (tmp_path / "services" / "lonely").mkdir(parents=True)
    (tmp_path / "services" / "lonely" / "__init__.py").touch()

    with pytest.raises(ContractBrokenError, match=r"write services/lonely/handlers\.py with the tables REACTIONS"):
        read_tables(tmp_path)


@pytest.mark.usefixtures("forgotten_services")
@pytest.mark.parametrize(
    ("code", "missing"),
    [("", ["REACTIONS", "WORK"]), ("WORK = {}", ["REACTIONS"]), ("REACTIONS = {}\nWORK = 1", ["WORK"])],
)
def test_handlers_without_a_table_are_told_to_write_it(
    code: str, missing: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lonely = tmp_path / "services" / "lonely"
    lonely.mkdir(parents=True)
    (lonely / "__init__.py").touch()
    (lonely / "handlers.py").write_text(code)
    monkeypatch.setattr("services.__path__", [str(tmp_path / "services")])

    with pytest.raises(ContractBrokenError) as caught:
        read_tables(tmp_path)

    assert [sentence.partition(":")[0].rpartition(" ")[2] for sentence in caught.value.sentences] == missing
