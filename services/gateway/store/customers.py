"""Customers of projects, and the images that are theirs."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from services.gateway.store.changes import Changes
from services.gateway.store.pages import Conditions
from services.gateway.store.reading import Row, fetch, fetch_one
from shared.database import Connection

EDITED: Final = frozenset({"external_id", "name", "email", "phone", "company", "notes", "tags"})
_COLUMNS: Final = """
    customer.id, customer.project_id, customer.external_id, customer.name, customer.email, customer.phone,
    customer.company, customer.notes, customer.tags, customer.version, customer.created_at, customer.updated_at
"""
_SPECIAL: Final = re.compile(r"[\\%_]")
_ESCAPED: Final = r"\\\g<0>"


class ExternalIdTakenError(Exception):
    """Another customer of the project has this external id."""


@dataclass(frozen=True, slots=True)
class CustomerFilter:
    """Which customers are asked for; None asks for all.

    Attributes:
        q: part of a name, an email address or a company, in whatever case.
        tags: all of them.

    """

    q: str | None = None
    tags: list[str] | None = None
    external_id: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None

    def add_to(self, conditions: Conditions) -> None:
        """Write the filter as conditions on `customer`."""
        conditions.add("customer.sought LIKE lower({})", self.q and f"%{_SPECIAL.sub(_ESCAPED, self.q)}%")
        conditions.add("customer.tags @> {}", self.tags)
        conditions.add("customer.external_id = {}", self.external_id)
        conditions.add("customer.created_at >= {}", self.created_after)
        conditions.add("customer.created_at < {}", self.created_before)


async def select_customers(
    connection: Connection,
    projects: list[UUID],
    wanted: CustomerFilter,
    *,
    order: str,
    place: tuple[object, ...] | None,
    limit: int,
) -> list[Row]:
    """Select a page of customers and one more; `order` is a column, behind `-` where the order is descending.

    Each row has `place`: what the column holds.
    """
    column, descending = _column(order.lstrip("-")), order.startswith("-")
    direction = "DESC" if descending else "ASC"
    conditions = Conditions(projects, limit + 1)
    wanted.add_to(conditions)
    conditions.behind(f"(customer.{column}, customer.id)", place, descending=descending)
    return await fetch(
        connection,
        f"""
        SELECT page.* FROM unnest($1::uuid[]) AS project
        CROSS JOIN LATERAL (
            SELECT {_COLUMNS}, customer.{column} AS place
            FROM customers AS customer WHERE customer.project_id = project {conditions}
            ORDER BY customer.{column} {direction}, customer.id {direction} LIMIT $2
        ) AS page
        ORDER BY page.place {direction}, page.id {direction} LIMIT $2
        """,  # noqa: S608 - columns and conditions are texts of this file
        *conditions.arguments,
    )


def _column(order: str) -> str:
    return {"created_at": "created_at", "name": "name_key"}[order]


async def select_customer(
    connection: Connection, projects: list[UUID], customer_id: UUID, *, locked: bool = False
) -> Row | None:
    """Select a customer; `locked`: as he is once nobody else edits him."""
    return await fetch_one(
        connection,
        f"""
        SELECT {_COLUMNS} FROM customers AS customer
        WHERE customer.id = $1 AND customer.project_id = ANY ($2) {"FOR NO KEY UPDATE" if locked else ""}
        """,  # noqa: S608 - columns of this file
        customer_id,
        projects,
    )


async def insert_customer(
    connection: Connection, customer_id: UUID, project_id: UUID, fields: Mapping[str, Any]
) -> Row | None:
    """Insert a customer; None where the project has another with his external id."""
    return await fetch_one(
        connection,
        f"""
        INSERT INTO customers AS customer (id, project_id, external_id, name, email, phone, company, notes, tags)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (project_id, external_id) DO NOTHING
        RETURNING {_COLUMNS}
        """,  # noqa: S608 - columns of this file
        customer_id,
        project_id,
        *(fields[name] for name in ("external_id", "name", "email", "phone", "company", "notes", "tags")),
    )


async def update_customer(connection: Connection, customer_id: UUID, changes: Mapping[str, Any]) -> Row | None:
    """Edit a customer; raises ExternalIdTakenError."""
    edit = Changes(changes, EDITED, customer_id)
    try:
        return await fetch_one(
            connection,
            f"UPDATE customers AS customer SET {edit} WHERE id = $1 RETURNING {_COLUMNS}",  # noqa: S608 - texts of ours
            *edit.arguments,
        )
    except asyncpg.UniqueViolationError as error:
        raise ExternalIdTakenError from error


async def delete_customer(connection: Connection, customer_id: UUID) -> None:
    """Delete a customer; the images that were his stay."""
    await connection.execute("DELETE FROM customers WHERE id = $1", customer_id)


async def insert_customer_image(connection: Connection, customer_id: UUID, image_id: UUID, project_id: UUID) -> bool:
    """Note that an image is the customer's; tell whether that is new."""
    return bool(
        await connection.fetchval(
            """
            INSERT INTO customer_images (customer_id, image_id, project_id) VALUES ($1, $2, $3)
            ON CONFLICT DO NOTHING RETURNING true
            """,
            customer_id,
            image_id,
            project_id,
        )
    )


async def delete_customer_image(connection: Connection, customer_id: UUID, image_id: UUID) -> bool:
    """Forget that an image is the customer's; tell whether it was."""
    return bool(
        await connection.fetchval(
            "DELETE FROM customer_images WHERE customer_id = $1 AND image_id = $2 RETURNING true", customer_id, image_id
        )
    )
