"""Failures are told by their reason, and done again as a group."""

from contracts.jobs import CheckWorker, JobFailed
from services.gateway.rules.failing import may_help
from tests.gateway.living import Client, Gateway, Voice
from tests.gateway.operating.doing import FETCH, ended, fetching


async def test_failures_are_told_by_reason_and_done_again_as_a_group(
    ann: Client, bob: Client, oz: Client, gateway: Gateway
) -> None:
    hers, his = [await fetching(ann, number) for number in range(3)], await fetching(bob)
    broken = {"code": "http_404", "sentence": "It is not there."}
    slow = {"code": "fetch_timeout", "sentence": "Too slow."}
    await gateway.hear(
        *(ended(job, JobFailed, **slow) for job in (*hers[:2], his)), ended(hers[2], JobFailed, **broken)
    )
    [first, second] = (await ann.get("/failures")).body["items"]
    assert (first["error_code"], first["jobs"], first["sentence"]) == ("fetch_timeout", 2, "Too slow.")
    assert first["newest_job_ids"] == [job.job["id"] for job in reversed(hers[:2])]
    assert (first["kind"], first["service"], first["retry_may_help"]) == (FETCH, "media", True)
    assert (second["error_code"], second["retry_may_help"]) == ("http_404", False)
    assert [one["jobs"] for one in (await oz.get("/failures")).body["items"]] == [3, 1]
    assert [one["jobs"] for one in (await bob.get("/failures")).body["items"]] == [1]
    assert (await bob.get("/failures", params={"project_id": str(ann.project_id)})).status == 403
    assert (await ann.get("/failures", params={"kind": CheckWorker.wire_name})).body["items"] == []

    done = (await ann.post("/jobs/retry", first["retry"])).body
    assert {item["id"] for item in done["items"]} == {job.job["id"] for job in hers[:2]}
    assert [one["error_code"] for one in (await ann.get("/failures")).body["items"]] == ["http_404"]
    [left] = [one for one in (await oz.get("/failures")).body["items"] if one["error_code"] == "fetch_timeout"]
    assert (left["error_code"], left["jobs"], left["retry"]["filter"]["everybody"]) == ("fetch_timeout", 1, True)
    assert (await oz.post("/jobs/retry", left["retry"])).body["total"] == 1


async def test_what_fails_again_is_not_done_again_with_its_group(ann: Client, gateway: Gateway) -> None:
    await gateway.hear(ended(await fetching(ann), JobFailed, code="http_404", sentence="It is not there."))
    [group] = (await ann.get("/failures")).body["items"]
    [again] = (await ann.post("/jobs/retry", group["retry"])).body["items"]
    await gateway.hear(ended(Voice(again["job"]), JobFailed, code="http_404", sentence="It is not there."))
    assert (await ann.post("/jobs/retry", group["retry"])).body["items"] == [], "whoever asks until none is left ends"
    [group] = (await ann.get("/failures")).body["items"]
    assert group["newest_job_ids"] == [again["job"]["id"]]
    assert (await ann.post("/jobs/retry", group["retry"])).body["total"] == 1


async def test_more_reasons_than_asked_for_are_told_of(ann: Client, gateway: Gateway) -> None:
    for number in range(3):
        job = await fetching(ann, number)
        await gateway.hear(ended(job, JobFailed, code=f"code_{number}", sentence="s"))
    page = (await ann.get("/failures", params={"limit": "2"})).body
    assert (len(page["items"]), page["more"]) == (2, True)


def test_only_what_may_have_passed_is_worth_another_try() -> None:
    passing = ("http_503", "http_429", "fetch_timeout", "worker_lost", "host_busy", "object_store_unavailable")
    lasting = ("http_404", "not_an_image", "outcome_unknown", "address_refused", "http_5033", None)
    assert all(map(may_help, passing))
    assert not any(map(may_help, lasting))
