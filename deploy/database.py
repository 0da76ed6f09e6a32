"""Prepare a PostgreSQL server: one role and one schema for each service, and every migration applied.

Run it again at any time: what is there stays, what is missing is added.
"""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from shared.schema import SchemaError, migrate

SERVICES = ("gateway", "scraper", "media", "image_generation", "depth_map")
WORKERS = SERVICES[1:]
PROJECTION_ROLE = "gateway_projection"
ROLES = (*SERVICES, *(f"{service}_owner" for service in SERVICES), PROJECTION_ROLE)
# Roles whose tables use these extensions, which lie in the schema `public`.
EXTENDED = ("gateway_owner", "gateway", PROJECTION_ROLE)
EXTENSIONS = ("pg_trgm", "unaccent", "vector")
# PostgreSQL refuses two sessions that alter one role at once; whoever comes second waits for the first to end.
PREPARING = 0x64696F72616D61


async def prepare(admin_url: str, passwords: Mapping[str, str]) -> list[str]:
    """Create roles, schemas and tables on the database that `admin_url` names.

    `passwords` holds one for each of `ROLES`. A service's running role may only use its own schema; its owner
    role, which migrates, is used for nothing else. Returns the migrations that were applied.
    """
    applied: list[str] = []
    admin = await asyncpg.connect(admin_url, timeout=10)
    try:
        await admin.execute("SELECT pg_advisory_lock($1)", PREPARING)
        for role in ROLES:
            await _create_role(admin, role, passwords[role])
        await admin.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        await _extend(admin)
        for service in SERVICES:
            await _create_schema(admin, service)
        await _set_search_path(admin, PROJECTION_ROLE, "gateway")
        await admin.execute(f'GRANT USAGE ON SCHEMA gateway TO "{PROJECTION_ROLE}"')
        await _grant_tables(admin, owner="gateway_owner", schema="gateway", role=PROJECTION_ROLE)
    finally:
        await admin.close()
    for service in SERVICES:
        owner = await asyncpg.connect(as_role(admin_url, f"{service}_owner", passwords), timeout=10)
        try:
            done = await migrate(owner, service, works=service in WORKERS)
            applied += [f"{service}: {name}" for name in done]
        finally:
            await owner.close()
    return applied


def as_role(url: str, role: str, passwords: Mapping[str, str]) -> str:
    """Give the same database's URL for another role."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role}:{quote(passwords[role], safe='')}@{host}"))


async def _create_role(admin: "asyncpg.Connection[asyncpg.Record]", role: str, password: str) -> None:
    if not await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
        await admin.execute(f'CREATE ROLE "{role}" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS')
    statement = await admin.fetchval("SELECT format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text)", role, password)
    await admin.execute(statement)


async def _extend(admin: "asyncpg.Connection[asyncpg.Record]") -> None:
    for extension in EXTENSIONS:
        await admin.execute(f'CREATE EXTENSION IF NOT EXISTS "{extension}" SCHEMA public')
    for role in EXTENDED:
        await admin.execute(f'GRANT USAGE ON SCHEMA public TO "{role}"')
    # Behind row-level security an index serves only conditions that tell nothing of what they saw. These do not, with
    # the patterns that are made here; without superuser rights texts are found all the same, only later.
    with suppress(asyncpg.InsufficientPrivilegeError):
        for function in ("textlike(text, text)", "ts_match_vq(tsvector, tsquery)"):
            await admin.execute(f"ALTER FUNCTION pg_catalog.{function} LEAKPROOF")


async def _create_schema(admin: "asyncpg.Connection[asyncpg.Record]", service: str) -> None:
    owner = f"{service}_owner"
    await admin.execute(f'GRANT "{owner}" TO CURRENT_USER')
    await admin.execute(f'CREATE SCHEMA IF NOT EXISTS "{service}" AUTHORIZATION "{owner}"')
    for role in (service, owner):
        await _set_search_path(admin, role, service)
    await admin.execute(f'GRANT USAGE ON SCHEMA "{service}" TO "{service}"')
    await _grant_tables(admin, owner=owner, schema=service, role=service)


async def _grant_tables(admin: "asyncpg.Connection[asyncpg.Record]", *, owner: str, schema: str, role: str) -> None:
    rights = "SELECT, INSERT, UPDATE, DELETE ON TABLES"
    defaults = f'ALTER DEFAULT PRIVILEGES FOR ROLE "{owner}" IN SCHEMA "{schema}"'
    await admin.execute(f'{defaults} GRANT {rights} TO "{role}"')
    await admin.execute(f'{defaults} GRANT USAGE, SELECT ON SEQUENCES TO "{role}"')


async def _set_search_path(admin: "asyncpg.Connection[asyncpg.Record]", role: str, schema: str) -> None:
    await admin.execute(f'ALTER ROLE "{role}" SET search_path = "{schema}", public')


def main() -> None:
    """Prepare the database of DATABASE_ADMIN_URL with the passwords in the JSON file DATABASE_PASSWORDS_FILE."""
    try:
        url, file = os.environ["DATABASE_ADMIN_URL"], os.environ["DATABASE_PASSWORDS_FILE"]
    except KeyError as error:
        sys.exit(f"{error.args[0]} is not set")
    try:
        applied = asyncio.run(prepare(url, json.loads(Path(file).read_text())))
    except SchemaError as error:
        sys.exit(str(error))
    sys.stdout.write("".join(f"applied {name}\n" for name in applied) or "nothing to apply\n")


if __name__ == "__main__":
    main()
