"""Lists of images are taken in row by row: what can be taken is fetched, and what cannot says why."""

from typing import Any
from uuid import UUID

from contracts.jobs import Child, JobChildrenNamed, JobCompleted, JobFailed
from contracts.media import FetchMedia
from contracts.scraper import ImageFound, ImportManifest
from services.gateway.rules.manifests import rows_of_csv, rows_of_lines
from tests.gateway.living import Client, Gateway, Reply, Voice
from tests.gateway.sayings import media_stored, said_to
from tests.living import House

CSV = '\ufeffImage URL;Title;caption;tags;size\nhttps://example.org/a.jpg;A;"Hills; at\ndusk";Sea|sky;9\n\n;B;;;\n'


async def send(client: Client, body: bytes, media_type: str, query: str = "", **headers: str) -> Reply:
    sent = {"Content-Type": media_type, **headers}
    return await client.send("POST", f"/api/v1/imports{query}", data=body, headers=sent)


def url(name: object) -> str:
    return f"https://example.org/{name}.jpg"


def test_rows_are_read_however_they_are_written() -> None:
    [first, second] = rows_of_csv(CSV)
    assert (first.number, second.number) == (2, 4), "as a spreadsheet counts"
    assert first.fields == {"url": url("a"), "title": "A", "caption": "Hills; at\ndusk", "tags": "Sea|sky", "size": "9"}
    lines = list(rows_of_lines(b'{"url": "u", "text": "t"}\n\n[1]\n{"url"\n{"caption": "c", "description": "d"}'))
    assert [(row.number, row.fields) for row in lines] == [
        (1, {"url": "u", "caption": "t"}),
        (3, None),
        (4, None),
        (5, {"caption": "c"}),
    ]


async def test_each_row_is_taken_or_refused_by_itself(ann: Client, house: House) -> None:
    rows = [
        {"url": url("a"), "caption": "Hills", "tags": ["Sea", "sky"], "title": "A", "strange": 1},
        {"caption": "no url"},
        {"url": "ftp://example.org/b.jpg"},
        {"url": url("a")},
        {"url": url("c"), "tags": ["x" * 90]},
        {"url": url("d"), "title": 5},
        {"url": url("e"), "caption": "a\x00b"},
        {"url": url("f")},
    ]
    reply = await ann.post("/imports", {"rows": rows, "pipeline": ["describe"]})
    assert (reply.status, reply.body["total"]) == (202, 2)
    assert [(one["row"], one["url"]) for one in reply.body["items"]] == [(1, url("a")), (8, url("f"))]
    assert [(one["row"], one["code"]) for one in reply.body["refused"]] == [
        (2, "url_missing"),
        (3, "url_invalid"),
        (4, "duplicate"),
        (5, "row_invalid"),
        (6, "row_invalid"),
        (7, "row_invalid"),
    ]
    assert reply.body["refused"][2]["sentence"] == "Row 1 has the same URL."
    assert reply.body["job"]["kind"] == ImportManifest.wire_name
    assert reply.headers["location"] == f"/api/v1/jobs/{reply.body['job']['id']}"
    [command] = await said_to(house, "scraper")
    assert isinstance(command, ImportManifest)
    assert (command.pipeline, command.submitted_by) == (("describe",), "ann")
    first, last = command.rows
    assert (first.context.caption, first.context.title, first.context.position) == ("Hills", "A", 1)
    assert [str(row.fetch_job_id) for row in (first, last)] == [one["job_id"] for one in reply.body["items"]]


async def test_files_are_taken_and_what_is_no_manifest_is_not(ann: Client, house: House) -> None:
    query = f"?project_id={ann.project_id}&pipeline=describe&pipeline=depth"
    reply = await send(ann, CSV.encode(), "text/csv; charset=utf-8", query)
    assert (reply.status, reply.body["total"]) == (202, 1)
    assert [(one["row"], one["code"]) for one in reply.body["refused"]] == [(4, "url_missing")]
    lines = f'{{"url": "{url("b")}"}}\nno json\n'.encode()
    reply = await send(ann, lines, "application/x-ndjson")
    assert [(one["row"], one["code"]) for one in reply.body["refused"]] == [(2, "row_unreadable")]
    commands = [one for one in await said_to(house, "scraper") if isinstance(one, ImportManifest)]
    assert [command.pipeline for command in commands] == [("describe", "depth"), ("describe", "depth", "edges")]
    nothing = await send(ann, b"no json", "application/jsonl")
    assert (nothing.status, nothing.body["job"], nothing.body["total"]) == (200, None, 0)
    for body, media_type, status, code in (
        (b"title\nA\n", "text/csv", 422, "manifest_unreadable"),
        (b"", "text/csv", 422, "manifest_unreadable"),
        (b"url\n\xff\n", "text/csv", 422, "validation_failed"),
        (b"{", "application/json", 422, "validation_failed"),
        (b'{"rows": []}', "application/json", 422, "validation_failed"),
        (b'{"rows": [1]}', "application/json", 422, "validation_failed"),
        (b"url\n" + b"x\n" * 5001, "text/csv", 413, "too_many_rows"),
        (b"url\nx\n", "application/xml", 415, "media_type_unsupported"),
    ):
        refused = await send(ann, body, media_type)
        assert (refused.status, refused.body["code"]) == (status, code), body[:20]
    assert await said_to(house, "scraper") == []


async def test_a_long_list_becomes_one_tree_of_messages_that_fit(ann: Client, house: House) -> None:
    rows = [{"url": url(number), "caption": "u" * 400} for number in range(1100)]
    reply = await ann.post("/imports", {"rows": rows})
    assert (reply.status, reply.body["total"]) == (202, 1100)
    root, *others = [one for one in await said_to(house, "scraper") if isinstance(one, ImportManifest)]
    assert str(root.job_id) == reply.body["job"]["id"]
    assert {(one.parent_job_id, one.root_job_id) for one in others} == {(root.job_id, root.job_id)}
    said = [row for one in (root, *others) for row in one.rows]
    assert [row.url for row in said] == [row["url"] for row in rows]
    assert len({row.fetch_job_id for row in said}) == 1100
    tree = (await ann.job(root.job_id))["tree"]
    assert (tree["total"], tree["ended"]) == (1100 + len(others), False)
    last = await ann.job(reply.body["items"][-1]["job_id"])
    assert (last["kind"], last["parent_id"]) == (FetchMedia.wire_name, str(others[-1].job_id))
    assert last["request"]["url"] == url(1099)


async def test_the_same_import_is_done_once_under_its_key(ann: Client, house: House) -> None:
    body, key = {"rows": [{"url": url("a"), "tags": ["sea"]}]}, {"Idempotency-Key": "k"}
    first, again = [await ann.post("/imports", body, headers=key) for _ in range(2)]
    assert first.body == again.body
    assert again.headers["idempotency-replayed"] == "true"
    assert len(await said_to(house, "scraper")) == 1
    other = await ann.post("/imports", {"rows": [{"url": url("b")}]}, headers=key)
    assert (other.status, other.body["code"]) == (422, "idempotency_key_reused")


async def test_images_of_an_import_get_the_tags_of_their_rows(ann: Client, gateway: Gateway) -> None:
    rows = [{"url": url("a"), "tags": "Sea; sky"}, {"url": url("b")}]
    reply = (await ann.post("/imports", {"rows": rows, "pipeline": ["describe"]})).body
    root = Voice(reply["job"])
    children = [UUID(one["job_id"]) for one in reply["items"]]
    fetches = [Voice(await ann.job(child)) for child in children]
    named = tuple(Child(job_id=child, kind=FetchMedia.wire_name) for child in children)
    found: list[Any] = [
        root.states(ImageFound, fetch_job_id=child, url=row["url"], found_in="manifest")
        for child, row in zip(children, rows, strict=True)
    ]
    done = {"attempt": 1, "started_at": "2025-01-01T00:00:00Z", "children_total": 2}
    await gateway.hear(*found, root.says(JobChildrenNamed, children=named), root.says(JobCompleted, **done))
    facts = [media_stored(fetch, sha256=f"{number:064x}") for number, fetch in enumerate(fetches)]
    await gateway.hear(*facts)
    images = [(await ann.get(f"/images/{fact.asset_id}")).body for fact in facts]
    assert [image["tags"] for image in images] == [["sea", "sky"], []]
    await ann.send("PATCH", f"/api/v1/images/{facts[0].asset_id}", json={"tags": []})
    await gateway.hear(facts[0])
    assert (await ann.get(f"/images/{facts[0].asset_id}")).body["tags"] == [], "people have the last word"
    tree = (await ann.job(reply["job"]["id"]))["tree"]
    assert (tree["total"], tree["pending"]) == (2, 2)


async def test_whoever_fetches_an_image_again_does_not_lose_its_tags(ann: Client, gateway: Gateway) -> None:
    reply = (await ann.post("/imports", {"rows": [{"url": url("a"), "tags": ["sea"]}]})).body
    failed = Voice(await ann.job(reply["items"][0]["job_id"]))
    await gateway.hear(failed.says(JobFailed, attempt=1, code="http_not_found", sentence="There is none."))
    again = (await ann.post("/jobs/retry", {"ids": [failed.job["id"]]})).body["items"][0]["job"]
    fact = media_stored(Voice(again))
    await gateway.hear(fact)
    assert (await ann.get(f"/images/{fact.asset_id}")).body["tags"] == ["sea"]


async def test_a_stranger_and_a_viewer_import_nothing(ann: Client, bob: Client, house: House) -> None:
    await ann.get("/me")  # and so there is her project
    body = {"rows": [{"url": url("a")}], "project_id": str(ann.project_id)}
    assert (await bob.post("/imports", body)).body["code"] == "not_a_member"
    named = f"?project_id={ann.project_id}"
    assert (await send(bob, b"url\nhttps://example.org/a.jpg\n", "text/csv", named)).status == 403
    await house.admin.execute(
        "INSERT INTO gateway.members (project_id, user_id, role) VALUES ($1, 'bob', 'viewer')", ann.project_id
    )
    assert (await bob.post("/imports", body)).body["code"] == "viewer_only"
    assert await house.value("SELECT count(*) FROM gateway.jobs") == 0
    assert (await ann.post("/imports", body)).status == 202, "whoever may, can"
