import sys
from pathlib import Path

import pytest

from tests.house.own_environment import UnreachableError, failure_to_import, python_of
from tests.house.sources import HOUSE
from tests.house.trees import plant

SERVICES = sorted(init.parent.name for init in (HOUSE / "services").glob("*/__init__.py"))
ENVIRONMENTS = HOUSE / ".local" / "environments"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_needs_nothing_that_it_did_not_lock(service: str) -> None:
    try:
        python = python_of(HOUSE / "services" / service / "requirements.lock", ENVIRONMENTS)
    except UnreachableError as error:
        pytest.skip(f"the packages are not in the cache and no index can be reached: {error}")

    assert failure_to_import(python, f"services.{service}.app", HOUSE) is None


def test_a_service_that_needs_what_it_did_not_lock_is_found(tmp_path: Path) -> None:
    lock = plant(tmp_path, {"requirements.lock": "", "media.py": "import pydantic\n"}) / "requirements.lock"
    python = python_of(lock, tmp_path / "environments")

    assert failure_to_import(python, "media", tmp_path) == "ModuleNotFoundError: No module named 'pydantic'"
    assert failure_to_import(Path(sys.executable), "media", tmp_path) is None
