"""What people do in each round beside handing work in: files, edits, projects and what is in them, and webhooks."""

from typing import Any, Final
from uuid import UUID

from services.gateway.cli.client import GatewayProblem
from tests.journeys.gallery import Picture, draw
from tests.reliability.crash_points.client import Client
from tests.reliability.crash_points.hands import Hands
from tests.reliability.crash_points.receiver import REFUSES, TAKES
from tests.reliability.crash_points.site import SINGLE

_SENT, _SENT_PAST, _UNSENT, _UNWANTED = (draw("sent", number) for number in range(4))
_NOVEL: Final = "a-novel"
_FRIEND: Final = "a-friend"
_NO_PIPELINE: Final[dict[str, str]] = {"pipeline": ""}


async def send_files_and_edit_them(hands: Hands) -> None:
    """Upload the same file twice in one form, one past the gateway, and one for nothing; edit, tag and delete them."""
    await hands.gateway.upload([_SENT, _SENT], tags="one, two", **_NO_PIPELINE)
    await hands.gateway.upload([_UNWANTED], **_NO_PIPELINE)
    await _send_past_the_gateway(hands, _SENT_PAST)
    await hands.gateway.remove(f"/uploads/{(await _promised(hands, _UNSENT))['id']}")
    kept, past, unwanted = [await _stored(hands, picture) for picture in (_SENT, _SENT_PAST, _UNWANTED)]
    await hands.gateway.change(f"/images/{kept}", {"title": "A title", "tags": ["two", "three"]})
    many = {"ids": [kept], "tags": ["four", "five"]}
    await hands.gateway.post("/images/bulk", {"action": "tag", **many})
    await hands.gateway.post("/images/bulk", {"action": "untag", **many, "tags": ["five"]})
    await hands.gateway.remove(f"/images/{past}")
    await hands.gateway.post("/images/bulk", {"action": "delete", "ids": [unwanted]})
    await _let_uploads_be_over(hands)


async def _promised(hands: Hands, picture: Picture) -> dict[str, Any]:
    announced = {"content_type": picture.content_type, "size_bytes": len(picture.body), "pipeline": []}
    return await hands.gateway.post("/uploads", announced)


async def _send_past_the_gateway(hands: Hands, picture: Picture) -> None:
    promised = await _promised(hands, picture)
    await hands.gateway.send_past(promised, picture.body)
    await hands.gateway.post(f"/uploads/{promised['id']}/complete", {})


async def _stored(hands: Hands, picture: Picture) -> str:
    stored = "SELECT min(id::text) FROM gateway.assets WHERE sha256 = $1"
    return str(await hands.until(stored, picture.sha256))


async def _let_uploads_be_over(hands: Hands) -> None:
    """Have the time be over of what was announced and never came, and of what a gateway did not finish to take in."""
    await hands.books.rows("UPDATE gateway.uploads SET expires_at = now() - interval '1 day' WHERE job_id IS NULL")
    await hands.until("SELECT count(*) = 0 FROM gateway.uploads WHERE job_id IS NULL")


async def keep_a_project(hands: Hands) -> None:
    """Make a project, let somebody in and send him out, and keep chapters in it; delete another one."""
    project = await hands.gateway.post("/projects", {"name": "A project"})
    place = f"/projects/{project['id']}"
    await hands.gateway.change(place, {"description": "It is described."})
    await hands.gateway.put(f"{place}/members/{_FRIEND}", {"role": "editor"})
    await hands.gateway.put(f"{place}/members/{_FRIEND}", {"role": "viewer"})
    await hands.gateway.remove(f"{place}/members/{_FRIEND}")
    await _keep_chapters(hands, project["id"])
    passing = await hands.gateway.post("/projects", {"name": "A passing project"})
    await hands.gateway.remove(f"/projects/{passing['id']}")


async def _keep_chapters(hands: Hands, project_id: str) -> None:
    chapters, where = f"/chapters/{_NOVEL}", f"?project_id={project_id}"
    await hands.gateway.post("/chapters", {"id": _NOVEL, "project_id": project_id})
    await hands.gateway.change(f"{chapters}{where}", {"title": "A novel"})
    for _ in range(2):
        await hands.gateway.post(f"{chapters}/scenes{where}", {})
    await hands.gateway.change(f"{chapters}/scenes/1{where}", {"description": "A forest"})
    await hands.gateway.remove(f"{chapters}/scenes/2{where}")
    passing = await hands.gateway.post("/chapters", {"project_id": project_id})
    await hands.gateway.remove(f"/chapters/{passing['id']}{where}")


async def keep_customers(hands: Hands) -> None:
    """Note two customers, one of whom is forgotten, and whose an image is."""
    customers = [await hands.gateway.post("/customers", {"name": name}) for name in ("Ada", "Grace")]
    kept, passing = (f"/customers/{customer['id']}" for customer in customers)
    image = await _stored(hands, SINGLE)
    await hands.gateway.change(kept, {"company": "Engines"})
    for customer in (kept, passing):
        await hands.gateway.put(f"{customer}/images/{image}")
    await hands.gateway.remove(f"{passing}/images/{image}")
    await hands.gateway.remove(passing)


async def sign_in_otherwise(hands: Hands) -> None:
    """Make an API key, use it and revoke it; open a stream with a ticket."""
    made = await hands.gateway.post("/api-keys", {"name": "A machine", "scopes": ["read"]})
    if made["key"] is not None:  # whoever did not get the answer is never shown it again
        async with Client(hands.gateway.url, made["key"]) as machine:
            await machine.get("/me")
    await hands.gateway.remove(f"/api-keys/{made['id']}")
    await hands.gateway.follow_with_a_ticket()


async def tell_others(hands: Hands) -> None:
    """Have a receiver told that takes what it is sent, and one that refuses it until it is sent once more.

    That one is switched off for a while before there is anything to tell.
    """
    project = (await hands.gateway.post("/projects", {"name": "A project that tells"}))["id"]
    taking = await _webhook(hands, project, TAKES)
    await hands.gateway.post(f"{taking}/test", {})
    await hands.until(_delivery("state = 'delivered'"), _id_of(taking))
    await hands.gateway.remove(taking)
    refusing = await _webhook(hands, project, REFUSES)
    await hands.gateway.change(refusing, {"description": "It refuses", "active": False})
    await hands.gateway.change(refusing, {"active": True})
    await hands.gateway.post(f"{refusing}/rotate", {"keep_previous_hours": 1})
    await hands.gateway.post("/probes", {"service": "media", "project_id": project})
    delivery = await hands.until(_delivery("error_code IS NOT NULL"), _id_of(refusing))
    hands.receiver.refuses = False
    await _resend(hands, f"{refusing}/deliveries/{delivery}/resend")
    await hands.until(_delivery("state = 'delivered'"), _id_of(refusing))


async def _webhook(hands: Hands, project_id: str, name: str) -> str:
    asked = {"url": hands.receiver.url_of(name), "project_id": project_id, "event_types": ["job.submitted"]}
    return f"/webhooks/{(await hands.gateway.post('/webhooks', asked))['id']}"


def _id_of(webhook: str) -> UUID:
    return UUID(webhook.rpartition("/")[2])


def _delivery(condition: str) -> str:
    return f"SELECT min(id::text) FROM gateway.webhook_deliveries WHERE webhook_id = $1 AND {condition}"


async def _resend(hands: Hands, path: str) -> None:
    while True:
        try:
            await hands.gateway.post(path, {})
        except GatewayProblem as problem:
            if problem.code != "delivery_under_way":  # by a gateway that has died since
                raise
        else:
            return
