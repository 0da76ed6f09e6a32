"""ModelsLab over real HTTP, with the oddities of its answers."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.image_generation.providers import (
    Done,
    GenerationRequest,
    Pending,
    Provider,
    Submitted,
    Wish,
    request_for,
)
from services.image_generation.rules.trouble import Delayed, Denied, Trouble
from shared.errors import Failure
from tests.image_generation.ateliers import HTML, KEY, PICTURE, VANISHING, ModelsLabServer, Reply, opened


@pytest.fixture
async def modelslab(server: ModelsLabServer) -> AsyncIterator[Provider]:
    async with opened(server) as [provider]:
        yield provider


def lake(provider: Provider) -> GenerationRequest:
    return request_for(
        provider.name, provider.capabilities, Wish("a lake", style="oil", seed=4), seed=1, track_id="ours"
    )


async def ended(provider: Provider, submitted: Submitted) -> Done:
    while not isinstance(answer := await provider.poll(submitted), Done):
        assert isinstance(answer, Pending)
    return answer


async def trouble_with(provider: Provider) -> Failure:
    with pytest.raises(Failure) as failure:
        await provider.submit(lake(provider))
    return failure.value


async def test_a_picture_is_asked_for_once_and_copied(server: ModelsLabServer, modelslab: Provider) -> None:
    submitted = await modelslab.submit(lake(modelslab))
    done = await ended(modelslab, submitted)

    assert submitted.request_id == "1000"
    assert [picture.body for picture in done.pictures] == [PICTURE]
    assert (done.pictures[0].width_px, done.pictures[0].height_px, done.pictures[0].seed) == (64, 48, 77)
    assert server.taken == {"ours": 1}
    assert "a lake, oil" in server.seen[0]


@pytest.mark.parametrize("string_ids", [True, False])
async def test_another_process_asks_for_it_by_what_was_stored(server: ModelsLabServer, *, string_ids: bool) -> None:
    server.string_ids, server.polls_until_done = string_ids, 3
    async with opened(server) as [first]:
        submitted = await first.submit(lake(first))
    async with opened(server) as [second]:
        done = await ended(second, Submitted(submitted.request_id, dict(submitted.resume)))

    assert done.pictures[0].body == PICTURE
    assert server.taken == {"ours": 1}


async def test_what_v7_does_not_know_is_fetched_from_v6(server: ModelsLabServer, modelslab: Provider) -> None:
    server.known_to_v7 = False

    done = await ended(modelslab, await modelslab.submit(lake(modelslab)))

    assert done.pictures[0].body == PICTURE
    assert any("/api/v6/images/fetch" in seen and '"request_id":"1000"' in seen for seen in server.seen)


@pytest.mark.parametrize(
    "address",
    [
        "http://{stranger}/api/v7/images/fetch/1000",
        "http://127.0.0.1:{own}@{stranger}/fetch/1000",
        "http://{stranger}\\@127.0.0.1:{own}/fetch/1000",
        "//{stranger}/fetch/1000",
        "ftp://127.0.0.1:{own}/fetch",
    ],
)
async def test_no_other_host_is_shown_the_key(server: ModelsLabServer, address: str) -> None:
    async with ModelsLabServer() as stranger:
        server.fetch_result = address.format(stranger=f"127.0.0.1:{stranger.port}", own=server.port)
        # The stranger could be dialled: what keeps the key from it is the check alone.
        allow = f"127.0.0.1:{server.port},127.0.0.1:{stranger.port}"
        async with opened(server, allow=allow) as [provider]:
            done = await ended(provider, await provider.submit(lake(provider)))

    assert done.pictures[0].body == PICTURE
    assert stranger.seen == []


async def test_an_address_at_its_own_host_is_used_as_it_was_told(server: ModelsLabServer, modelslab: Provider) -> None:
    server.fetch_result = f"{server.origin}/api/v7/images/fetch/1000?shard=7"

    await ended(modelslab, await modelslab.submit(lake(modelslab)))

    assert sum("/api/v7/images/fetch/1000" in seen and KEY in seen for seen in server.seen) == 1


async def test_a_name_that_somebody_tells_leads_nowhere_else_with_the_key(
    server: ModelsLabServer, modelslab: Provider
) -> None:
    told = Submitted("../../../v3/delete_image?all=1#", {"track_id": "ours"})
    with pytest.raises(Failure):
        await modelslab.poll(told)
    assert server.seen
    assert not any(" /api/v3/" in seen for seen in server.seen)


async def test_what_somebody_asks_for_says_nothing_of_the_account(server: ModelsLabServer, modelslab: Provider) -> None:
    """Else one of them would keep everybody from asking."""
    asked = lake(modelslab).model_copy(update={"description": 'a "credit card", a rate limit, an unauthorized lake'})
    for quoted in (asked.description, json.dumps(asked.description)):
        server.next.append(Reply({"status": "error", "message": f"Validation: {quoted} is not allowed"}))
        with pytest.raises(Denied) as failure:
            await modelslab.submit(asked)
        assert (failure.value.trouble, failure.value.code) == (Trouble.WISH, "provider_refused")


async def test_a_seed_that_nobody_can_write_down_is_left_out(server: ModelsLabServer, modelslab: Provider) -> None:
    server.seed = "9" * 30
    done = await ended(modelslab, await modelslab.submit(lake(modelslab)))
    assert done.pictures[0].seed == 4, "the one that was asked for"


async def test_samples_have_seeds_that_can_be_asked_for(server: ModelsLabServer, modelslab: Provider) -> None:
    server.output = [f"{server.origin}/out/{name}.png" for name in "ab"]
    two = lake(modelslab).model_copy(update={"samples": 2})
    told: dict[str, list[int | None]] = {str(2**32 - 1): [2**32 - 1, 0], str(2**63 - 1): [None, None]}
    for server.seed, seeds in told.items():
        done = await ended(modelslab, await modelslab.submit(two))
        assert [picture.seed for picture in done.pictures] == seeds


@pytest.mark.parametrize("at_once", [True, False])
async def test_no_more_is_copied_than_was_asked_for(
    server: ModelsLabServer, modelslab: Provider, *, at_once: bool
) -> None:
    server.ready_at_once, server.output = at_once, [f"{server.origin}/out/{number}.png" for number in range(50)]
    done = await ended(modelslab, await modelslab.submit(lake(modelslab)))
    assert len(done.pictures) == 1
    assert sum("/out/" in seen for seen in server.seen) == 1


async def test_pictures_that_are_whole_are_kept_where_others_are_not(
    server: ModelsLabServer, modelslab: Provider
) -> None:
    server.output = [f"{server.origin}/out/a.png", "no picture", f"{server.origin}/out/c.png"]
    done = await ended(modelslab, await modelslab.submit(lake(modelslab).model_copy(update={"samples": 3})))
    assert [picture.seed for picture in done.pictures] == [77, 79]


@pytest.mark.parametrize("all_missing", [True, False])
async def test_pictures_that_are_there_are_not_lost_for_one_that_never_comes(
    server: ModelsLabServer, modelslab: Provider, monkeypatch: pytest.MonkeyPatch, *, all_missing: bool
) -> None:
    server.output = [f"{server.origin}/out/{name}.png" for name in "abc"]
    server.never_there = {"a.png", "b.png", "c.png"} if all_missing else {"b.png"}
    submitted = await modelslab.submit(lake(modelslab).model_copy(update={"samples": 3}))
    assert isinstance(await modelslab.poll(submitted), Pending)

    monkeypatch.setattr("services.image_generation.providers.gathering._MISSING_SECONDS", 0)
    answer = await modelslab.poll(submitted)
    if all_missing:
        assert isinstance(answer, Pending)
    else:
        assert isinstance(answer, Done)
        assert [picture.seed for picture in answer.pictures] == [77, 79]


async def test_a_link_that_leads_nowhere_yet_is_waited_for(server: ModelsLabServer, modelslab: Provider) -> None:
    server.missing_pictures = 2
    submitted = await modelslab.submit(lake(modelslab))

    answers = [await modelslab.poll(submitted) for _ in range(3)]

    assert [type(answer) for answer in answers] == [Pending, Pending, Done]
    assert not any("/never/" in seen for seen in server.seen), "links of the future are no output"


@pytest.mark.parametrize(
    "output",
    [
        [base64.b64encode(PICTURE).decode()],
        ["data:image/png;base64," + base64.b64encode(PICTURE).decode()],
        [{"base64": base64.b64encode(PICTURE).decode()}],
    ],
)
async def test_outputs_that_are_bytes_are_read(server: ModelsLabServer, modelslab: Provider, output: Any) -> None:
    server.output = output
    done = await ended(modelslab, await modelslab.submit(lake(modelslab)))
    assert done.pictures[0].body == PICTURE


async def test_what_is_ready_at_once_is_not_asked_for(server: ModelsLabServer, modelslab: Provider) -> None:
    server.ready_at_once = True
    done = await ended(modelslab, await modelslab.submit(lake(modelslab)))
    assert done.pictures[0].body == PICTURE
    assert not any("/fetch/" in seen for seen in server.seen)


@pytest.mark.parametrize(
    ("reply", "trouble", "code"),
    [
        (Reply({"status": "error", "message": "Invalid API Key"}), Trouble.KEY, "provider_key_refused"),
        (Reply({"status": "error"}, 401), Trouble.KEY, "provider_key_refused"),
        (Reply({"status": "error"}, 403), Trouble.KEY, "provider_key_refused"),
        (Reply({"message": "no"}, 402), Trouble.CREDIT, "provider_credit_used_up"),
        (Reply({"status": "error", "messege": "Out of credits"}), Trouble.CREDIT, "provider_credit_used_up"),
        (Reply({"status": "error", "message": {"model_id": ["validation"]}}), Trouble.WISH, "provider_refused"),
        (Reply({"status": "error", "message": "Model not found"}, 400), Trouble.WISH, "provider_refused"),
        (Reply({"status": "error", "message": "Server error, try again"}), Trouble.PASSING, "provider_away"),
        (Reply({"status": "error"}, 500), Trouble.PASSING, "provider_away"),
        (Reply({"status": "error"}, 503), Trouble.PASSING, "provider_away"),
        (HTML, Trouble.PASSING, "provider_away"),
        (Reply(body=b"<html>Maintenance</html>"), Trouble.PASSING, "provider_away"),
        (Reply(body=b"<html>504</html>", status=504), Trouble.UNKNOWN, "outcome_unknown"),
        (Reply({"status": "processing", "output": []}), Trouble.UNKNOWN, "outcome_unknown"),
        (Reply(body=b'{"status": "processing", "id": 1'), Trouble.UNKNOWN, "outcome_unknown"),
        (Reply(), Trouble.UNKNOWN, "outcome_unknown"),
        (VANISHING, Trouble.UNKNOWN, "outcome_unknown"),
    ],
)
async def test_errors_are_sorted_by_what_follows_from_them(
    server: ModelsLabServer, modelslab: Provider, reply: Reply, trouble: Trouble, code: str
) -> None:
    server.next.append(reply)

    failure = await trouble_with(modelslab)

    assert isinstance(failure, Denied | Delayed)
    assert (failure.trouble, failure.code) == (trouble, code)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(
            {"status": "error", "message": "Rate limit exceeded. Maximum 5 queued requests.", "retry_after": 30}, 429
        ),
        Reply({"status": "error", "message": "Maximum 5 queued requests allowed", "retry_after": "30"}),
        Reply({"status": "error"}, 429, headers={"Retry-After": "30"}),
    ],
)
async def test_a_busy_account_says_how_long_to_wait(server: ModelsLabServer, modelslab: Provider, reply: Reply) -> None:
    server.next.append(reply)

    failure = await trouble_with(modelslab)

    assert isinstance(failure, Delayed)
    assert (failure.trouble, failure.retry_after_seconds, failure.rate_limited) == (Trouble.BUSY, 30, True)


async def test_a_host_that_nobody_reached_took_nothing(server: ModelsLabServer, modelslab: Provider) -> None:
    await server.__aexit__()
    failure = await trouble_with(modelslab)
    assert isinstance(failure, Delayed)
    assert failure.trouble is Trouble.PASSING


async def test_what_it_gave_up_may_be_asked_for_anew(server: ModelsLabServer, modelslab: Provider) -> None:
    submitted = await modelslab.submit(lake(modelslab))
    server.next_poll.append(Reply({"status": "failed", "id": 1000, "message": "no GPU", "track_id": "ours"}))

    with pytest.raises(Delayed, match="no GPU") as failure:
        await modelslab.poll(submitted)

    assert failure.value.trouble is Trouble.FAILED


@pytest.mark.parametrize(
    "reply",
    [
        HTML,
        VANISHING,
        Reply(),
        Reply(body=b"<html>502</html>", status=502),
        Reply(body=b"<html>504</html>", status=504),
        Reply({"status": "error", "message": "Server error"}, 500),
        Reply({"status": "error", "messege": "Something went wrong"}),
        Reply({"status": "error", "message": "Request not found"}, 400),
    ],
)
async def test_whatever_goes_wrong_with_a_question_what_is_paid_for_is_asked_for_again(
    server: ModelsLabServer, modelslab: Provider, reply: Reply
) -> None:
    submitted = await modelslab.submit(lake(modelslab))
    server.next_poll.append(reply)

    with pytest.raises(Delayed) as failure:
        await modelslab.poll(submitted)

    assert failure.value.trouble is Trouble.PASSING
    assert (await ended(modelslab, submitted)).pictures[0].body == PICTURE


async def test_what_it_may_not_draw_is_not_asked_for_again(server: ModelsLabServer, modelslab: Provider) -> None:
    submitted = await modelslab.submit(lake(modelslab))
    server.next_poll.append(Reply({"status": "error", "message": "NSFW content"}))
    with pytest.raises(Denied, match="NSFW"):
        await modelslab.poll(submitted)


async def test_it_is_told_where_to_hint_that_a_picture_is_there(server: ModelsLabServer, modelslab: Provider) -> None:
    await modelslab.submit(lake(modelslab))
    await modelslab.submit(lake(modelslab).model_copy(update={"hint_url": "https://api.example.org/hints/1"}))
    assert '"webhook":null' in server.seen[0]
    assert '"webhook":"https://api.example.org/hints/1"' in server.seen[1]


async def test_what_is_no_picture_is_not_paid_for_again(server: ModelsLabServer, modelslab: Provider) -> None:
    server.picture = b"<html>expired</html>"
    submitted = await modelslab.submit(lake(modelslab))

    with pytest.raises(Denied) as failure:
        await ended(modelslab, submitted)

    assert (failure.value.trouble, failure.value.code) == (Trouble.BROKEN, "output_unreadable")


async def test_a_picture_that_leads_inward_is_not_fetched(server: ModelsLabServer, modelslab: Provider) -> None:
    async with ModelsLabServer() as inner:
        server.output = [f"{inner.origin}/out/secret.png"]
        submitted = await modelslab.submit(lake(modelslab))
        with pytest.raises(Denied) as failure:
            await ended(modelslab, submitted)

    assert failure.value.code == "output_unreadable"
    assert inner.seen == []


async def test_the_key_is_never_told(server: ModelsLabServer, modelslab: Provider) -> None:
    server.next.append(Reply({"status": "error", "message": f"validation: key {KEY} cannot use this model"}))

    failure = await trouble_with(modelslab)

    assert KEY not in failure.sentence
    assert "[key] cannot use this model" in failure.sentence
    assert KEY not in repr(vars(modelslab)["_settings"])


def test_flux_says_that_it_does_not_listen_to_negative_prompts(modelslab: Provider) -> None:
    assert not modelslab.capabilities.negative_prompts
    assert modelslab.capabilities.most_in_flight == 5
