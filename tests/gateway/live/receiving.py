"""The other end of a webhook, which believes nothing that is not signed."""

import hmac
from base64 import b64decode, b64encode
from hashlib import sha256
from typing import Any

import orjson

from tests.gateway.living import Client, Reply
from tests.living import until
from tests.shared.strangers import Asked, Stranger


def proven(asked: Asked, secret: str) -> dict[str, Any]:
    """Give what was sent; raises AssertionError where it was not signed with this secret."""
    told = f"{asked.headers['webhook-id']}.{asked.headers['webhook-timestamp']}.".encode() + asked.body
    digest = hmac.new(b64decode(secret.removeprefix("whsec_")), told, sha256).digest()
    assert f"v1,{b64encode(digest).decode()}" in asked.headers["webhook-signature"].split(" ")
    return dict(orjson.loads(asked.body))


def proves(asked: Asked, secret: str) -> bool:
    try:
        return bool(proven(asked, secret))
    except AssertionError:
        return False


async def webhook(client: Client, receiver: Stranger, path: str = "/hook", **fields: Any) -> dict[str, Any]:
    """Have a client make a webhook that leads to a path of the receiver."""
    reply = await client.post("/webhooks", {"url": f"http://127.0.0.1:{receiver.port}{path}", **fields})
    assert reply.status == 201, reply.body
    return dict(reply.body)


async def logged(client: Client, hook: dict[str, Any], count: int = 1, **wanted: Any) -> list[dict[str, Any]]:
    """Wait until so many deliveries of a webhook are as wanted, and give all of them, the newest first."""

    async def there() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await client.get(f"/webhooks/{hook['id']}/deliveries?limit=200")).body["items"]
        fitting = [one for one in items if all(one[name] == value for name, value in wanted.items())]
        return items if len(fitting) >= count else []

    return await until(there)


async def change(client: Client, hook: dict[str, Any], version: int | None = None, **fields: Any) -> Reply:
    headers = {} if version is None else {"If-Match": f'"{version}"'}
    return await client.send("PATCH", f"/api/v1/webhooks/{hook['id']}", json=fields, headers=headers)
