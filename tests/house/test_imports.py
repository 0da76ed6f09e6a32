from collections.abc import Callable
from pathlib import Path

import pytest

from tests.house.imports import (
    DYNAMIC_IMPORTS,
    dynamic_imports,
    impure_contracts,
    strayed_environment_reads,
    strayed_libraries,
)
from tests.house.sources import HOUSE
from tests.house.statements import strayed_sql
from tests.house.trees import plant

Check = Callable[[Path], list[str]]

BAD: dict[str, tuple[Check, str, str]] = {
    "broker in a service": (strayed_libraries, "services/media/handlers.py", "import aio_pika"),
    "broker's inside in a service": (strayed_libraries, "services/media/handlers.py", "from aiormq.abc import Basic"),
    "broker inside a function": (strayed_libraries, "contracts/jobs.py", "def f():\n    import aio_pika"),
    "broker in deploy": (strayed_libraries, "deploy/doctor.py", "import aio_pika.abc as broker"),
    "web framework in a worker": (strayed_libraries, "services/media/app.py", "from fastapi import APIRouter"),
    "web framework in a store": (strayed_libraries, "services/gateway/store.py", "import fastapi"),
    "web framework in shared": (strayed_libraries, "shared/worker.py", "from fastapi import FastAPI"),
    "its lower half in rules": (strayed_libraries, "services/gateway/rules/x.py", "from starlette import status"),
    "settings in contracts": (impure_contracts, "contracts/jobs.py", "import pydantic_settings"),
    "json library in contracts": (impure_contracts, "contracts/envelope.py", "import orjson"),
    "environ": (strayed_environment_reads, "services/media/app.py", "import os\nx = os.environ['A']"),
    "getenv": (strayed_environment_reads, "shared/bus.py", "import os as o\nx = o.getenv('A')"),
    "environ by name": (strayed_environment_reads, "shared/bus.py", "from os import environ"),
    "getenv under another name": (strayed_environment_reads, "contracts/jobs.py", "from os import getenv as g"),
    "import_module": (dynamic_imports, "services/media/app.py", "import importlib"),
    "import_module by name": (dynamic_imports, "shared/bus.py", "from importlib import import_module"),
    "loader": (dynamic_imports, "shared/bus.py", "from importlib.util import module_from_spec"),
    "__import__": (dynamic_imports, "shared/bus.py", "x = __import__('services')"),
    "exec": (dynamic_imports, "deploy/x.py", "exec('import services')"),
    "runpy": (dynamic_imports, "deploy/x.py", "import runpy"),
}

SQL = {
    "a query": "QUERY = 'select id from jobs'",
    "a query over lines": 'QUERY = """\n    SELECT id\n    FROM jobs\n"""',
    "a query of a function": "QUERY = 'select now()'",
    "a query after a comment": 'QUERY = """-- the jobs\nselect id from jobs"""',
    "a query with a name": "QUERY = 'with due as (select 1) select * from due'",
    "a formatted query": "def f(table):\n    return f'select * from {table}'",
    "a formatted table": "def f(table):\n    return f'delete from {table} where true'",
    "an insertion": "QUERY = 'insert into jobs values ($1)'",
    "an update": "QUERY = 'update jobs set state = $1'",
    "a deletion": "QUERY = 'DELETE FROM jobs'",
    "a table": "QUERY = 'create table jobs (id uuid)'",
    "a part of a query": "QUERY = 'x' + ' SELECT id FROM jobs'",
    "a setting": "QUERY = 'SET LOCAL role = x'",
    "a channel": "QUERY = 'NOTIFY jobs'",
    "a default": "def f(q='select 1'): ...",
    "a query that came from elsewhere": "async def f(c, q):\n    return await c.fetchval(q)",
    "many rows": "async def f(c, q):\n    await c.executemany(q, [])",
}

PROSE = '''
"""Select images from the page, insert into the store, update jobs set aside."""

def f(connection):
    """Delete from the bucket."""
    "SELECT is spoken of in a bare string FROM here"
    messages = ["the selection from the page", "update the settings", "created from a table", "listen to the queue"]
    return connection.fetch("media"), messages
'''


@pytest.mark.parametrize(
    "check",
    [strayed_libraries, impure_contracts, strayed_environment_reads, dynamic_imports, strayed_sql],
    ids=lambda check: check.__name__,
)
def test_no_module_of_the_house_opens_a_door_that_is_not_its_own(check: Check) -> None:
    assert check(HOUSE) == []


@pytest.mark.parametrize(("check", "name", "code"), BAD.values(), ids=BAD)
def test_a_door_that_is_not_its_own_is_found(check: Check, name: str, code: str, tmp_path: Path) -> None:
    (told,) = check(plant(tmp_path, {name: code}))

    assert told.startswith(f"{name}:{len(code.splitlines())} ")


@pytest.mark.parametrize("code", SQL.values(), ids=SQL)
def test_sql_outside_of_the_store_is_found(code: str, tmp_path: Path) -> None:
    assert strayed_sql(plant(tmp_path, {"services/media/handlers.py": code}))
    assert strayed_sql(plant(tmp_path, {"services/media/store.py": code, "services/media/handlers.py": ""})) == []
    assert strayed_sql(plant(tmp_path, {"services/media/store/assets.py": code})) == []


def test_prose_is_not_taken_for_sql(tmp_path: Path) -> None:
    assert strayed_sql(plant(tmp_path, {"services/media/handlers.py": PROSE})) == []


def test_doors_are_open_where_they_belong(tmp_path: Path) -> None:
    plant(
        tmp_path,
        {
            "shared/broker.py": "import aio_pika\nfrom aiormq import exceptions",
            "shared/health.py": "import starlette",
            "services/gateway/app.py": "import fastapi",
            "services/gateway/routes/jobs.py": "from fastapi import APIRouter\nfrom starlette import status",
            "services/media/settings.py": "import os\nx = os.environ",
            "deploy/local/stack.py": "import os\nx = os.environ\nfrom importlib.metadata import version",
            "contracts/jobs.py": "from pydantic import Field\nimport json\nfrom contracts import media",
        },
    )
    checks = (strayed_libraries, impure_contracts, strayed_environment_reads, dynamic_imports)

    assert [told for check in checks for told in check(tmp_path)] == []


def test_every_listed_place_of_dynamic_imports_still_needs_to_be_listed() -> None:
    assert [path for path in DYNAMIC_IMPORTS if "import_module(" not in (HOUSE / path).read_text()] == []
