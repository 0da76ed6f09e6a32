"""Migrations: numbered SQL, applied once, guarded by checksums; and the check at start that nothing is missing.

The SQL of `shared/migrations` is applied to the schema of every service, then the service's own. A file whose name
ends in `.work.sql` is for workers only.
"""

import asyncio
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import structlog

from shared.database import Connection

_SHARED = Path(__file__).parent / "migrations"
_SERVICES = Path(__file__).parent.parent / "services"
_LOCK = 0x64696F72  # "dior": one migration of a database at a time
_LOCK_TIMEOUT = "500ms"
_LET_PAST_SECONDS = 2.0

_log = structlog.get_logger(__name__)


class SchemaError(Exception):
    """The database is not as the code expects it.

    Attributes:
        sentence: what is wrong, and what to do.

    """

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@dataclass(frozen=True)
class Migration:
    """One numbered file of SQL."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations_of(service: str, *, works: bool) -> list[Migration]:
    """List a service's migrations in the order in which they are applied."""
    shared = [path for path in _numbered(_SHARED) if works or not path.name.endswith(".work.sql")]
    return [
        *(Migration(f"shared/{path.name}", path.read_text()) for path in shared),
        *(Migration(path.name, path.read_text()) for path in _numbered(_SERVICES / service / "migrations")),
    ]


def _numbered(folder: Path) -> Iterator[Path]:
    return iter(sorted(path for path in folder.glob("*.sql") if re.match(r"\d{4}_", path.name)))


async def migrate(connection: Connection, service: str, *, works: bool) -> list[str]:
    """Apply what is missing to the schema named like the service; return the names of what was applied.

    Each file is a transaction of its own; two processes that migrate at once wait for each other. What somebody else
    holds is waited for, in a way that keeps nobody from it.

    Raises:
        SchemaError: an applied file was changed afterwards. A schema that is ahead of the code is fine: new versions
            only add, so that old and new ones can run side by side.

    """
    await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
    try:
        await connection.execute(f'SET search_path = "{service}", public')
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations"
            " (name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        missing = _missing(migrations_of(service, works=works), await _applied(connection), service)
        for migration in missing:
            await _apply(connection, migration)
        # Fresh tables without statistics are read by sequential scan.
        await _analyze(connection, service)
        return [migration.name for migration in missing]
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)


async def _apply(connection: Connection, migration: Migration) -> None:
    """Apply a migration, however long somebody else holds a table that it changes.

    Whoever waits for a table keeps all others from it that come later. So it waits for a moment only, and tries again.
    """
    while True:
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
                await connection.execute(migration.sql)
                await connection.execute(
                    "INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)", migration.name, migration.checksum
                )
        except asyncpg.LockNotAvailableError as error:
            _log.warning("migration_waits", migration=migration.name, error=str(error))
            await asyncio.sleep(_LET_PAST_SECONDS)
        else:
            return


async def _analyze(connection: Connection, service: str) -> None:
    tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = $1", service)
    for table in tables:
        await connection.execute(f'ANALYZE "{service}"."{table["tablename"]}"')


async def verify(connection: Connection, service: str, *, works: bool) -> None:
    """Check at start that the schema is at head and that no table or column of it has gone missing.

    Raises:
        SchemaError: with a sentence that names the file, table or column.

    """
    try:
        applied = await _applied(connection)
    except asyncpg.UndefinedTableError:
        raise SchemaError(f"the schema of {service} was never migrated; run `make up` or its migrations") from None
    known = migrations_of(service, works=works)
    missing = _missing(known, applied, service)
    if missing:
        names = ", ".join(migration.name for migration in missing)
        raise SchemaError(f"the schema of {service} is behind: {names} must be applied first")
    present = await _columns(connection, service)
    for table, columns in _expected_columns(known).items():
        if table not in present:
            raise SchemaError(f"the table {service}.{table} is missing from the database")
        for column in columns - present[table]:
            raise SchemaError(f"the column {service}.{table}.{column} is missing from the database")


async def _columns(connection: Connection, service: str) -> dict[str, set[str]]:
    """Give the columns of each table, all in one statement: every process asks for them before it is ready."""
    rows = await connection.fetch(
        """
        SELECT relname, array_agg(attname) AS columns
        FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
        WHERE relnamespace = to_regnamespace($1) AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped
        GROUP BY relname
        """,
        f'"{service}"',
    )
    return {row["relname"]: set(row["columns"]) for row in rows}


async def _applied(connection: Connection) -> dict[str, str]:
    rows = await connection.fetch("SELECT name, checksum FROM schema_migrations")
    return {row["name"]: row["checksum"] for row in rows}


def _missing(known: list[Migration], applied: dict[str, str], service: str) -> list[Migration]:
    for migration in known:
        if applied.get(migration.name, migration.checksum) != migration.checksum:
            raise SchemaError(
                f"{migration.name} of {service} was changed after it had been applied; add a new file instead"
            )
    return [migration for migration in known if migration.name not in applied]


_CREATE = re.compile(r"^CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?(\w+) \((.*?)^\)", re.MULTILINE | re.DOTALL)
_ALTER = re.compile(r"^ALTER TABLE (\w+)\s+(.*?);", re.MULTILINE | re.DOTALL)
_ADD = re.compile(r"\bADD COLUMN (?:IF NOT EXISTS )?(\w+)")
_DROP = re.compile(r"\bDROP COLUMN (?:IF EXISTS )?(\w+)")
_DROP_TABLE = re.compile(r"^DROP TABLE (?:IF EXISTS )?(\w+)", re.MULTILINE)
_COLUMN = re.compile(r"^    (?!PRIMARY\b|UNIQUE\b|CHECK\b|FOREIGN\b|CONSTRAINT\b|EXCLUDE\b)(\w+) ", re.MULTILINE)


def _expected_columns(migrations: list[Migration]) -> dict[str, set[str]]:
    """Read from the migrations which columns each table must have: one column a line, indented by four spaces."""
    expected: dict[str, set[str]] = {}
    for migration in migrations:
        for table, body in _CREATE.findall(migration.sql):
            expected[table] = set(_COLUMN.findall(body))
        for table, changes in _ALTER.findall(migration.sql):
            columns = expected.setdefault(table, set())
            columns |= set(_ADD.findall(changes))
            columns -= set(_DROP.findall(changes))
        for table in _DROP_TABLE.findall(migration.sql):
            expected.pop(table, None)
    return expected
