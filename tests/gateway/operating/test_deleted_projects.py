"""What failed in a project that was deleted is nobody's any more: it is not offered, and not done again."""

from typing import Any
from uuid import UUID

from contracts.jobs import CancelJob, JobFailed, RedriveDeadLetters
from contracts.media import FetchMedia
from tests.gateway.living import Client, Gateway, Voice
from tests.gateway.operating.doing import ended
from tests.gateway.people.asking import delete, project
from tests.gateway.sayings import command_of, said_to
from tests.living import House

URL = "https://example.org/a.jpg"
GONE: dict[str, Any] = {"code": "http_404", "sentence": "It is not there."}


async def _job_in(client: Client, home: str) -> Voice:
    return Voice((await client.post("/media/store", {"url": URL, "project_id": home})).body)


async def test_what_failed_is_not_told_of_and_not_done_again(ann: Client, oz: Client, gateway: Gateway) -> None:
    home, other = await project(ann), await project(ann)
    job, kept = await _job_in(ann, home), await _job_in(ann, other)
    await gateway.hear(ended(job, JobFailed, **GONE), ended(kept, JobFailed, **GONE))
    [group] = (await oz.get("/failures")).body["items"]
    assert (group["jobs"], group["projects"]) == (2, 2)
    assert (await delete(ann, f"/projects/{home}")).status == 204
    [left] = (await oz.get("/failures")).body["items"]
    assert (left["jobs"], left["newest_job_ids"]) == (1, [kept.job["id"]])
    named = (await oz.post("/jobs/retry", {"ids": [job.job["id"]]})).body
    assert (named["items"], [one["code"] for one in named["skipped"]]) == ([], ["project_deleted"])
    found = (await oz.post("/jobs/retry", group["retry"])).body
    assert [item["id"] for item in found["items"]] == [kept.job["id"]]


async def test_a_command_that_is_delivered_after_all_is_not_done(
    ann: Client, oz: Client, gateway: Gateway, house: House
) -> None:
    home = await project(ann)
    job = await _job_in(ann, home)
    letter = command_of(job, message_type=FetchMedia.wire_name)
    await gateway.hear(letter)
    assert (await ann.job(job.job["id"]))["state"] == "failed"
    assert (await delete(ann, f"/projects/{home}")).status == 204
    await said_to(house)
    assert (await oz.post("/dead-letters/redrive", {"ids": [str(letter.dead_letter_id)]})).status == 202
    assert (await oz.job(job.job["id"]))["state"] == "failed"
    said = [one for one in await said_to(house) if isinstance(one, CancelJob | RedriveDeadLetters)]
    assert [type(one) for one in said] == [CancelJob, RedriveDeadLetters], "it is forbidden before it is delivered"
    assert said[0].job_id == UUID(job.job["id"])


async def test_what_is_done_again_already_though_a_backup_forgot_it_is_not_taken_for_deleted(
    ann: Client, gateway: Gateway, house: House
) -> None:
    job = await _job_in(ann, await project(ann))
    await gateway.hear(ended(job, JobFailed, **GONE))
    asked = {"ids": [job.job["id"]]}
    first = await ann.post("/jobs/retry", asked)
    await house.admin.execute("UPDATE gateway.jobs SET superseded_by = NULL")
    again = await ann.post("/jobs/retry", asked)
    assert (first.status, again.status) == (202, 202), again.body
    assert again.body["items"][0]["job"]["id"] == first.body["items"][0]["job"]["id"]
