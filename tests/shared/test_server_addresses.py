"""An address of a server that cannot be one is told at the start, by its variable, and never with its password."""

import os
import sys

import pytest

from deploy.local.settings import Settings as StackSettings
from services.gateway.settings import Settings as GatewaySettings
from shared.settings import ObjectSettings, ServiceSettings, load
from tests.deploy.commands import run

SOUND = {
    "DATABASE_URL": "postgresql://media:secret@127.0.0.1:5432/diorama",
    "RABBITMQ_URL": "amqp://diorama:secret@127.0.0.1:5672/diorama",
    "S3_ENDPOINT_URL": "http://127.0.0.1:8333",
    "S3_ACCESS_KEY_ID": "key",
    "S3_SECRET_ACCESS_KEY": "secret",
}
GOOD = (
    "postgresql://media:secret@db.example/diorama",
    "postgres://media:p%23w%2F@db.example:5432/diorama?sslmode=require",
    "postgresql://media:secret@one.example:5432,two.example:5433/diorama?target_session_attrs=primary",
    "postgresql://media@/diorama?host=/run/postgresql",
    "postgresql:///diorama?host=/run/postgresql&user=media",
    "postgresql://db.example:5432/diorama?user=media@tenant",
    "postgresql://media:secret@[2001:db8::7]:5432/diorama",
)
BAD = (
    "postgresql://media:hush#hush@db.example:5432/diorama",
    "postgresql://media:4711#hush@db.example:5432/diorama",
    "postgresql://media:hush/hush@db.example:5432/diorama",
    "postgresql://media:4711/hush@db.example:5432/diorama",
    "postgresql://media:4711?hush@db.example:5432/diorama",
    "postgresql://media:hush@db.example:54x2/diorama",
    "postgresql://media:hush@db.example:99999/diorama",
    "postgresql://media:hush@/diorama",
    "postgresql://",
)


@pytest.fixture(autouse=True)
def _sound(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SOUND.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("url", GOOD)
def test_an_address_as_servers_are_named_by_is_taken(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    assert load(ServiceSettings).database_url == url


@pytest.mark.parametrize("url", BAD)
def test_an_address_that_cannot_be_one_is_told_by_its_name_and_without_its_password(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(SystemExit) as refused:
        load(ServiceSettings)
    told = str(refused.value)
    assert "DATABASE_URL" in told
    assert "hush" not in told
    assert "4711" not in told


@pytest.mark.parametrize(
    ("name", "value", "settings"),
    [
        ("RABBITMQ_URL", "amqp://diorama:hush#hush@broker:5672/diorama", ServiceSettings),
        ("PROJECTION_DATABASE_URL", "postgresql://p:hush/hush@db:5432/diorama", GatewaySettings),
        ("S3_ENDPOINT_URL", "http://store:83x3", ObjectSettings),
        ("S3_PUBLIC_ENDPOINT_URL", "store.example:443", ObjectSettings),
        ("DATABASE_ADMIN_URL", "postgresql://admin:hush#hush@db:5432/diorama", StackSettings),
        ("RABBITMQ_URL", "amqp://diorama:hush#hush@broker:5672/diorama", StackSettings),
    ],
)
def test_every_address_is_judged(name: str, value: str, settings: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit, match=name) as refused:
        load(settings)
    assert "hush" not in str(refused.value)


def test_a_worker_that_was_given_such_an_address_ends_with_one_sentence_and_no_trace() -> None:
    environment = {**os.environ, **SOUND, "DATABASE_URL": "postgresql://media:hush#hush@127.0.0.1:5432/diorama"}
    ended = run(sys.executable, "-m", "services.media", environment=environment)
    assert ended.returncode == 1
    assert "DATABASE_URL" in ended.stderr
    assert "%23" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "hush" not in ended.stdout + ended.stderr
