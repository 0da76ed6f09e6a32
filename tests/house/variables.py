"""The environment variables that settings read, and those that `.env.example` tells of."""

import importlib
import re
from collections.abc import Iterable
from pathlib import Path

from pydantic import AliasChoices
from pydantic_settings import BaseSettings

from tests.house.imports import is_settings
from tests.house.sources import modules_of

_ASSIGNMENT = re.compile(r"^(?:#\s?)?([A-Z][A-Z0-9_]*)=", re.MULTILINE)


def settings_classes(root: Path) -> list[type[BaseSettings]]:
    """Import every settings module under `root` and give the classes that it defines."""
    names = [".".join(path.with_suffix("").parts) for path, _ in modules_of(root) if is_settings(path)]
    modules = [importlib.import_module(name.removesuffix(".__init__")) for name in names]
    return [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, BaseSettings) and value.__module__ == module.__name__
    ]


def variables_of(settings: type[BaseSettings]) -> dict[str, set[str]]:
    """Give for each field the first name of its variable, and all names that are understood."""
    prefix = settings.model_config.get("env_prefix", "")
    names = {}
    for field, info in settings.model_fields.items():
        alias = info.validation_alias
        if isinstance(alias, AliasChoices):
            understood = [str(choice).upper() for choice in alias.choices]
        else:
            understood = [str(alias).upper() if alias else f"{prefix}{field}".upper()]
        names[understood[0]] = set(understood)
    return names


def untold_and_strange(classes: Iterable[type[BaseSettings]], example: str) -> list[str]:
    """Compare the variables of settings with those that an example names, commented out or not."""
    known: dict[str, set[str]] = {}
    for settings in classes:
        for first, understood in variables_of(settings).items():
            known.setdefault(first, set()).update(understood)
    told = set(_ASSIGNMENT.findall(example))
    untold = [f".env.example does not tell of {name}" for name in sorted(known.keys() - told)]
    strange = [
        f".env.example tells of {name}, which nothing reads" for name in sorted(told - set().union(*known.values()))
    ]
    return untold + strange
