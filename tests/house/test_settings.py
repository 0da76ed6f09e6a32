from pathlib import Path

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from tests.house.sources import HOUSE
from tests.house.trees import plant
from tests.house.variables import settings_classes, untold_and_strange


class Small(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="small_")
    model: str = "a"
    key: str = Field(default="", validation_alias=AliasChoices("MODEL_KEY", "OLD_MODEL_KEY"))


def test_the_example_names_exactly_the_variables_that_settings_read() -> None:
    assert untold_and_strange(settings_classes(HOUSE), (HOUSE / ".env.example").read_text()) == []


def test_every_service_has_settings() -> None:
    owners = {settings.__module__.split(".")[1] for settings in settings_classes(HOUSE)}
    services = {init.parent.name for init in (HOUSE / "services").glob("*/__init__.py")}

    assert services - owners == set()


def test_a_variable_that_the_example_does_not_tell_of_is_found() -> None:
    assert untold_and_strange([Small], "SMALL_MODEL=a") == [".env.example does not tell of MODEL_KEY"]


def test_a_variable_that_nothing_reads_is_found() -> None:
    told = untold_and_strange([Small], "# SMALL_MODEL=a\n#MODEL_KEY=\nOLD_MODEL_KEY=x\nMODEL=a\n# Prose=x")

    assert told == [".env.example tells of MODEL, which nothing reads"]


def test_settings_are_found_wherever_a_settings_module_lies(tmp_path: Path) -> None:
    plant(tmp_path, {"shared/settings.py": "", "shared/health.py": ""})

    assert {settings.__module__ for settings in settings_classes(tmp_path)} == {"shared.settings"}
