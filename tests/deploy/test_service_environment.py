"""Each service is given what it needs, and nothing of its neighbours or of the operator."""

from pathlib import Path

import pytest

from deploy.database import SERVICES
from deploy.local.object_store import ObjectStoreAccess
from deploy.local.service_programs import Surroundings, service_environment, service_names, service_program
from deploy.local.settings import GIVEN_BY_THE_STACK, Settings, passed_on

WORKERS = [service for service in SERVICES if service != "gateway"]


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    return Surroundings(
        database_url=lambda role: f"postgresql://{role}:of-{role}@127.0.0.1:1/diorama",
        rabbitmq_url="amqp://diorama:secret@127.0.0.1:2/diorama",
        object_store=ObjectStoreAccess("http://127.0.0.1:3", "key", "secret"),
        secret_key="signs tokens",
        scratch=tmp_path / "scratch",
        inherited={"PATH": "/usr/bin", "MODELSLAB_API_KEY": "paid"},
        extra={"media": {"LEASE_SECONDS": "2", "HTTP_HOST": "127.0.0.2"}},
    )


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_told_its_own_database_role_and_no_other(service: str, around: Surroundings) -> None:
    given = service_environment(service, service, 8000, around)
    assert given["DATABASE_URL"] == f"postgresql://{service}:of-{service}@127.0.0.1:1/diorama"
    others = {f"of-{role}" for role in SERVICES if role != service}
    assert not [value for value in given.values() for other in others if value.endswith(f"{other}@127.0.0.1:1/diorama")]
    assert "DATABASE_ADMIN_URL" not in given
    assert "MIGRATION_DATABASE_URL" not in given


@pytest.mark.parametrize("service", WORKERS)
def test_only_the_gateway_can_sign_and_project(service: str, around: Surroundings) -> None:
    gateway = service_environment("gateway", "gateway", 8000, around)
    assert gateway["SECRET_KEY"] == "signs tokens"
    assert gateway["PROJECTION_DATABASE_URL"].startswith("postgresql://gateway_projection:")
    worker = service_environment(service, service, 8000, around)
    assert not {"SECRET_KEY", "PROJECTION_DATABASE_URL"} & worker.keys()


def test_what_a_person_set_reaches_the_services_unless_the_stack_gives_it(
    around: Surroundings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AZURE_VISION_KEY", "theirs")
    for name in GIVEN_BY_THE_STACK:
        monkeypatch.setenv(name, "must not pass")
    passed = passed_on()
    assert passed["AZURE_VISION_KEY"] == "theirs"
    assert "must not pass" not in passed.values()
    assert service_environment("image_generation", "image_generation", 8000, around)["MODELSLAB_API_KEY"] == "paid"
    assert "MODELSLAB_API_KEY" not in service_environment("scraper", "scraper", 8000, around)


def test_a_variable_for_one_service_wins_and_reaches_no_other(around: Surroundings) -> None:
    media = service_environment("media", "media", 8000, around)
    assert media["LEASE_SECONDS"] == "2"
    assert media["HTTP_HOST"] == "127.0.0.2"
    assert "LEASE_SECONDS" not in service_environment("scraper", "scraper", 8000, around)


def test_several_processes_of_a_service_have_names_ports_and_scratch_of_their_own(around: Surroundings) -> None:
    names = service_names("media", 3)
    assert names == ["media", "media-2", "media-3"]
    programs = [service_program("media", name, 8000 + number, around) for number, name in enumerate(names)]
    assert {program.command[-1] for program in programs} == {"services.media"}
    for variable in ("HTTP_PORT", "SCRATCH_DIRECTORY"):
        assert len({program.environment[variable] for program in programs}) == 3


def test_a_store_elsewhere_needs_its_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_ENDPOINT_URL", "https://store.example")
    with pytest.raises(ValueError, match="S3_ACCESS_KEY_ID"):
        Settings()
    monkeypatch.setenv("S3_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("S3_SECRET_ACCESS_KEY", "secret")
    assert Settings().object_store == ObjectStoreAccess("https://store.example", "key", "secret")
