from collections.abc import Callable
from pathlib import Path

import pytest

from tests.house.sources import HOUSE
from tests.house.texts import (
    foreign_locks,
    machine_paths,
    missing_locks,
    registry_hosts,
    undeclared_in_locks,
    unsafe_locks,
)
from tests.house.trees import plant

CHECKS = (machine_paths, registry_hosts, foreign_locks, missing_locks, unsafe_locks, undeclared_in_locks)
HASH = "--hash=sha256:" + "0" * 64
GOOD_LOCK = f"""\
# made by uv pip compile services/media/pyproject.toml -o services/media/requirements.lock
orjson==3.11.1 \\
    {HASH} \\
    {HASH}
    # via -r services/media/pyproject.toml
uvloop==0.22.1 ; sys_platform != 'win32' \\
    {HASH}
"""

BAD_LOCKS = {
    "not pinned": f"orjson>=3.11 \\\n    {HASH}\n",
    "without a hash": "orjson==3.11.1\n",
    "from an address": f"orjson @ https://example.org/orjson.whl {HASH}\n",
    "from an index": f"--index-url https://example.org/simple\norjson==3.11.1 {HASH}\n",
    "from another index": f"--extra-index-url=x\norjson==3.11.1 {HASH}\n",
    "from a folder": f"--find-links wheels\norjson==3.11.1 {HASH}\n",
    "with a path in a comment": f"# uv pip compile /srv/diorama/pyproject.toml\norjson==3.11.1 {HASH}\n",
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_no_text_of_the_house_names_a_machine_or_a_registry_and_every_lock_is_safe(
    check: Callable[[Path], list[str]],
) -> None:
    assert check(HOUSE) == []


@pytest.mark.parametrize("path", ["work/main", "root/.cache", "home/ada", "Users/ada"])
def test_a_path_of_one_machine_is_found(path: str, tmp_path: Path) -> None:
    (told,) = machine_paths(plant(tmp_path, {"Makefile": f"all:\n\tcat /{path}\n"}))

    assert told == f"Makefile:2 /{path} is a path of one machine"


def test_an_address_with_such_a_path_is_no_path_of_a_machine(tmp_path: Path) -> None:
    plant(tmp_path, {"README.md": "https://example.org/home/ada and services/work/x and ./root/x"})

    assert machine_paths(tmp_path) == []


@pytest.mark.parametrize("host", [("pypi", "org"), ("files.pythonhosted", "org"), ("registry", "npmjs", "org")])
def test_a_package_registry_is_found(host: tuple[str, ...], tmp_path: Path) -> None:
    assert len(registry_hosts(plant(tmp_path, {".ci/run": f"pip install -i https://{'.'.join(host)}/simple"}))) == 1


@pytest.mark.parametrize("name", ["uv.lock", "services/media/poetry.lock"])
def test_a_lock_of_another_kind_is_found(name: str, tmp_path: Path) -> None:
    assert len(foreign_locks(plant(tmp_path, {name: ""}))) == 1


def test_a_service_without_a_lock_is_found(tmp_path: Path) -> None:
    plant(tmp_path, {"requirements.lock": "", "services/media/__init__.py": ""})

    assert missing_locks(tmp_path) == ["services/media/requirements.lock is missing: run `make lock`"]


@pytest.mark.parametrize("lock", BAD_LOCKS.values(), ids=BAD_LOCKS)
def test_an_unsafe_lock_is_found(lock: str, tmp_path: Path) -> None:
    assert unsafe_locks(plant(tmp_path, {"services/media/requirements.lock": lock}))


def test_a_safe_lock_is_left_in_peace(tmp_path: Path) -> None:
    assert unsafe_locks(plant(tmp_path, {"requirements.lock": GOOD_LOCK})) == []


def test_a_lock_that_is_older_than_a_declaration_is_found(tmp_path: Path) -> None:
    plant(
        tmp_path,
        {
            "services/media/requirements.lock": GOOD_LOCK,
            "services/media/pyproject.toml": '[project]\ndependencies = ["orjson>=3", "Pillow[x]>=12 ; a"]\n',
            "shared/pyproject.toml": '[project]\ndependencies = ["uvloop", "aio_pika>=10"]\n',
        },
    )

    assert undeclared_in_locks(tmp_path) == [
        "services/media/requirements.lock does not hold aio-pika: run `make lock`",
        "services/media/requirements.lock does not hold pillow: run `make lock`",
    ]
