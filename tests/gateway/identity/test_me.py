"""Whoever asks who he is is told, and the description of the API tells how to be somebody."""

from datetime import UTC, datetime, timedelta

from tests.gateway.identity.holders import shared_project
from tests.gateway.living import Client
from tests.living import House


async def test_a_user_is_told_who_he_is_and_where_he_belongs(ann: Client, oz: Client, house: House) -> None:
    project_id = await shared_project(house, ann="editor")
    me = (await ann.get("/me")).body
    assert (me["user_id"], me["credential"], me["api_key_id"], me["roles"]) == ("ann", "token", None, [])
    assert me["memberships"] == [
        {"project_id": str(ann.project_id), "role": "owner", "personal": True},
        {"project_id": str(project_id), "role": "editor", "personal": False},
    ]
    assert me["scopes"] == ["manage", "operate", "read", "write"]
    left = datetime.fromisoformat(me["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=9) < left <= timedelta(minutes=10)
    assert (await oz.get("/me")).body["roles"] == ["operator"]


async def test_the_description_says_how_to_sign_in(ann: Client) -> None:
    document = (await ann.send("GET", "/openapi.json")).body
    schemes = document["components"]["securitySchemes"]
    assert (schemes["bearer"]["scheme"], schemes["ticket"]["in"]) == ("bearer", "query")
    security = {
        (method, path): operation.get("security")
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    streams = [path for method, path in security if method == "get" and path.endswith("/events")]
    assert [security["get", path] for path in streams] == [[{"bearer": []}, {"ticket": []}]] * 2
    assert security["post", "/api/v1/events"] == [{"bearer": []}]
    assert security["post", "/api/v1/api-keys"] == [{"bearer": []}]
    assert security["get", "/livez"] is None
    made = document["paths"]["/api/v1/api-keys"]["post"]["responses"]["201"]["content"]["application/json"]["schema"]
    assert made == {"$ref": "#/components/schemas/ApiKeyMade"}
