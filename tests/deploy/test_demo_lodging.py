"""The demo finds the stack that runs, and its gallery may be fetched by the services that fetch, and by no other."""

from pathlib import Path

import pytest

from deploy.database import SERVICES
from deploy.demo.lodging import Lodging, parts_of, site_of
from deploy.local.errors import CannotRun
from deploy.local.object_store import ObjectStoreAccess
from deploy.local.processes import own_identity
from deploy.local.service_programs import FETCHERS, Surroundings, service_environment
from deploy.local.settings import Settings
from deploy.local.state import PartState, StackState, write_state

SITE = "127.0.0.1:20555"


def state(*services: str, ready: bool = True, **urls: str) -> StackState:
    part = PartState(process=own_identity(), address="", log=Path("log"), crashes=0, held=False)
    return StackState(
        supervisor=own_identity(),
        ready=ready,
        urls={"gateway": "http://127.0.0.1:20001", **urls},
        control_port=1,
        control_secret="",
        parts=dict.fromkeys(services, part),
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "default").mkdir()
    return Settings(diorama_state=tmp_path, database_admin_url=None, rabbitmq_url=None, s3_endpoint_url=None)


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("allowed", [None, "192.0.2.7:80"])
def test_the_gallery_is_allowed_beside_what_a_person_allows(service: str, allowed: str | None, tmp_path: Path) -> None:
    around = Surroundings(
        database_url=str,
        rabbitmq_url="",
        object_store=ObjectStoreAccess("", "", ""),
        secret_key="",
        scratch=tmp_path,
        inherited={"OUTBOUND_ALLOW": allowed} if allowed else {},
        extra={},
        sample_site=SITE,
    )
    given = service_environment(service, service, 1, around).get("OUTBOUND_ALLOW")
    fetching = f"{allowed},{SITE}" if allowed else SITE
    assert given == (fetching if service in FETCHERS else allowed)


def test_the_port_of_the_gallery_is_read_from_the_running_stack() -> None:
    assert site_of(state(sample_site=f"http://{SITE}")) == ("127.0.0.1", 20555)
    with pytest.raises(CannotRun, match="sample_site_missing"):
        site_of(state())


def test_what_runs_already_is_not_started_again(settings: Settings) -> None:
    assert parts_of(settings) == 4 + len(SERVICES)
    assert not Lodging(settings, lambda _part: None).is_guest
    write_state(settings.directory, state(*SERVICES))
    assert parts_of(settings) == 0
    assert Lodging(settings, lambda _part: None).is_guest


async def test_a_stack_without_services_is_no_place_to_live(settings: Settings) -> None:
    write_state(settings.directory, state("postgres", sample_site=f"http://{SITE}"))
    with pytest.raises(CannotRun, match=r"services_missing: The running stack has no gateway, .*make down"):
        async with Lodging(settings, lambda _part: None):
            pass


async def test_a_stack_that_never_gets_ready_is_not_waited_for_without_end(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.demo.lodging._READY_SECONDS", 0.1)
    write_state(settings.directory, state(*SERVICES, ready=False))
    with pytest.raises(CannotRun, match="stack_not_ready"):
        async with Lodging(settings, lambda _part: None):
            pass
