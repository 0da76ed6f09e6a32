"""What is stored can be looked at again: what was seen in its pixels before is replaced, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from contracts.envelope import Command
from contracts.jobs import JobCompleted, JobFailed
from contracts.media import AcceptUpload, Caption, DescribeMedia, MediaDescribed, MediaStored, Tag
from services.media import store
from services.media.handlers import PIXELS, WORK
from services.media.library import Library, Limits
from services.media.rules import asset_id
from services.media.tagging.local import Bench, LocalTagger
from services.media.tagging.tagger import Seen, Tagger, Taggers
from shared.database import Pool, open_pool
from shared.errors import Refused, TryAgain
from shared.identifiers import child_id
from shared.object_keys import original_key, rendition_key
from shared.objects import ObjectStore
from tests.living import PROJECT, House, lineage, until
from tests.media.parts import media_settings, picture_sandbox
from tests.media.samples import encoded, photo
from tests.media.tiny_classifier import described

PICTURE = encoded(photo(64, 48), "PNG")
SHA256 = sha256(PICTURE).hexdigest()
KEY = original_key(SHA256, ".png")
ASSET = UUID("00000000-0000-4000-8000-00000000bbbb")
STRANGER = UUID("00000000-0000-4000-8000-00000000cccc")
SHOWN = encoded(photo(64, 48), "WEBP")
SHOWN_KEY = rendition_key(SHA256, "1440")
UPLOAD = encoded(photo(48, 64, seed=7), "PNG")
OLD: dict[str, Any] = {
    "palette": [],
    "perceptual_hash": None,
    "renditions": [{"name": "250", "key": "k", "width_px": 8}, {"name": "1440", "key": SHOWN_KEY, "width_px": 64}],
}


@pytest.fixture
async def pool(house: House) -> AsyncIterator[Pool]:
    """Media's tables, with an image that was seen before anybody looked well."""
    pool = await open_pool(house.servers.database_url("media"), size=4, application_name="tests")
    async with pool.acquire() as connection:
        await _stored(connection)
    yield pool
    await pool.close()


async def _stored(connection: Any) -> store.Asset:
    await store.upsert_blob(connection, SHA256, size_bytes=len(PICTURE), original_key=KEY, facts=OLD)
    return await store.upsert_asset(connection, ASSET, PROJECT, SHA256, None)


class Asked:
    """A tagger that answers as it is told, the last answer again and again."""

    def __init__(
        self,
        *answers: Seen | Exception,
        origin: str = "tests.words",
        kinds: Sequence[str] = ("tags",),
        paid: bool = False,
    ) -> None:
        self.origin = origin
        self.kinds = frozenset(kinds)
        self.costs_money = paid
        self.pictures: list[bytes] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self._answers = list(answers)

    async def look(self, picture: bytes) -> Seen:
        self.pictures.append(picture)
        await self.may_answer.wait()
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


CUP = Seen(tags=(Tag(name="cup", confidence=0.9),))
TEA = Seen(tags=(Tag(name="tea", confidence=0.8),), caption=Caption(text="a cup of tea", confidence=0.7))


@asynccontextmanager
async def working(house: House, pool: Pool, scratch: Path, *taggers: Tagger, **settings: Any) -> AsyncIterator[None]:
    """Run a media worker with these taggers until the block ends."""
    own = media_settings(house)
    nobody: Any = None
    async with (
        ObjectStore.of(own) as objects,
        picture_sandbox(own) as sandbox,
    ):
        await objects.ensure_bucket()
        for key, content in {KEY: PICTURE, SHOWN_KEY: SHOWN, "uploads/1": UPLOAD}.items():
            await objects.put(key, content, content_type="image/png")
        library = Library(
            pool=pool,
            objects=objects,
            outbound=nobody,
            sandbox=sandbox,
            scratch=scratch,
            limits=Limits(own.download_max_bytes, 1.0),
            taggers=Taggers(taggers),
        )
        async with house.worker("media", works=WORK, crafts={"library": library, "renditions": nobody}, **settings):
            yield


@pytest.fixture
async def worker(house: House, pool: Pool, tmp_path: Path) -> AsyncIterator[None]:
    async with working(house, pool, tmp_path):
        yield


def asked_of(command: Command, tagger: Asked, asset: UUID = ASSET) -> UUID:
    """Name the job in which a tagger does its part."""
    return child_id(command.job_id, DescribeMedia.wire_name, str(asset), tagger.origin)


def describing(**wish: Any) -> DescribeMedia:
    return DescribeMedia(**{**lineage(), "asset_id": ASSET, **wish})


async def ended(house: House, said: list[Any], *job_ids: UUID) -> None:
    """Collect what is said until all of these jobs have ended."""

    async def have_ended() -> bool:
        said.extend(await house.heard())
        over = {one.job_id for one in said if isinstance(one, JobCompleted | JobFailed)}
        return over.issuperset(job_ids)

    await until(have_ended)


def descriptions(said: list[Any]) -> list[tuple[str, list[str], int]]:
    told = [one for one in said if isinstance(one, MediaDescribed)]
    return [(one.origin, [tag.name for tag in one.tags], one.subject_version) for one in told]


async def obeyed(house: House, **wish: Any) -> list[Any]:
    """Have an image described; give what was said, the end of the job last."""
    command = describing(**wish)
    await house.say(command)
    said: list[Any] = []
    await ended(house, said, command.job_id)
    return [one for one in said if isinstance(one, MediaDescribed | JobCompleted | JobFailed)]


@pytest.mark.usefixtures("worker")
async def test_a_stored_image_is_described_anew_each_time_by_a_newer_version(house: House) -> None:
    first, _ = await obeyed(house)
    second, _ = await obeyed(house, kinds=("colours",))
    assert (first.origin, first.subject_version, second.subject_version) == (PIXELS, 2, 3)
    assert first.palette == second.palette
    assert first.palette
    assert first.perceptual_hash
    facts = await house.value("SELECT facts FROM media.blobs")
    assert facts["palette"] == [colour.model_dump() for colour in first.palette]
    assert facts["renditions"] == OLD["renditions"], "nothing was drawn anew"
    assert await house.value("SELECT subject_version FROM media.assets") == 1, "it was not stored anew"


@pytest.mark.usefixtures("worker")
async def test_what_is_not_there_or_not_known_here_is_not_described(house: House, pool: Pool) -> None:
    ends = [(await obeyed(house, **wish))[-1] for wish in ({"kinds": ("smells",)}, {"project_id": STRANGER})]
    async with pool.acquire() as connection:
        await store.update_asset_deleted(connection, ASSET, PROJECT)
    ends += await obeyed(house)
    assert [end.code for end in ends] == ["kind_unknown", "image_unknown", "image_unknown"]


async def test_what_is_stored_again_is_described_by_a_newer_version_than_ever_before(pool: Pool) -> None:
    async with pool.acquire() as connection:
        for _ in range(4):
            described = await store.update_asset_described(connection, ASSET, PROJECT)
        await store.update_asset_deleted(connection, ASSET, PROJECT)
        assert await store.update_asset_described(connection, ASSET, PROJECT) is None
        again = await _stored(connection)
    assert (described, again.subject_version, again.described_version) == (5, 3, 6)


async def test_each_tagger_describes_in_a_job_of_its_own_from_a_picture_without_metadata(
    house: House, pool: Pool, tmp_path: Path
) -> None:
    words, other = Asked(CUP, TEA), Asked(TEA, origin="tests.other", kinds=("tags", "caption"))
    said: list[Any] = []
    async with working(house, pool, tmp_path, words, other):
        everybody, one = describing(), describing(kinds=("tags",), describer=words.origin)
        await house.say(everybody)
        await ended(house, said, everybody.job_id, asked_of(everybody, words), asked_of(everybody, other))
        await house.say(one)
        await ended(house, said, one.job_id)
    told = descriptions(said)
    assert told[0][0] == PIXELS
    assert [(origin, tags) for origin, tags, _ in sorted(told[1:3])] == [
        ("tests.other", ["tea"]),
        ("tests.words", ["cup"]),
    ]
    assert told[3] == ("tests.words", ["tea"], 5), "it alone described again, and by a newer version"
    assert [version for _, _, version in told] == [2, 3, 4, 5]
    assert words.pictures == [SHOWN, SHOWN], "the largest rendition, not the original"
    captions = {one.origin: one.caption for one in said if isinstance(one, MediaDescribed)}
    assert captions["tests.other"] == TEA.caption


async def test_only_who_looks_for_what_is_asked_is_asked(house: House, pool: Pool, tmp_path: Path) -> None:
    words, captions = Asked(CUP), Asked(TEA, origin="tests.captions", kinds=("caption",))
    said: list[Any] = []
    async with working(house, pool, tmp_path, words, captions):
        command = describing(kinds=("caption",))
        await house.say(command)
        await ended(house, said, command.job_id, asked_of(command, captions))
        (unknown,) = await obeyed(house, describer="tests.gone")
        (strange,) = await obeyed(house, kinds=("smells",))
    assert [origin for origin, _, _ in descriptions(said)] == ["tests.captions"]
    assert words.pictures == []
    assert (unknown.code, strange.code) == ("describer_unknown", "kind_unknown")
    assert "caption, colours, embedding, tags" in strange.sentence


async def test_a_tagger_that_fails_fails_alone_and_the_asset_is_stored_and_described(
    house: House, pool: Pool, tmp_path: Path
) -> None:
    broken = Asked(Refused("http_401", "It does not know our key."), origin="tests.broken")
    words = Asked(CUP)
    command = AcceptUpload(**lineage(), object_key="uploads/1")
    stored_as = asset_id(PROJECT, sha256(UPLOAD).hexdigest())
    parts = {tagger.origin: asked_of(command, tagger, stored_as) for tagger in (broken, words)}
    said: list[Any] = []
    async with working(house, pool, tmp_path, broken, words):
        await house.say(command)
        await ended(house, said, command.job_id, *parts.values())
    ends = {one.job_id: one for one in said if isinstance(one, JobCompleted | JobFailed)}
    assert isinstance(ends[command.job_id], JobCompleted)
    assert ends[command.job_id].children_total == 2
    assert (ends[parts["tests.broken"]].code, type(ends[parts["tests.words"]])) == ("http_401", JobCompleted)
    assert [origin for origin, _, _ in descriptions(said)] == [PIXELS, "tests.words"]
    assert [one.asset_id for one in said if isinstance(one, MediaStored)] == [stored_as]
    assert await house.value("SELECT asset_count FROM media.blobs WHERE sha256 = $1", sha256(UPLOAD).hexdigest()) == 1


async def test_who_is_paid_and_says_not_now_is_asked_again_as_often_as_it_says_so(
    house: House, pool: Pool, tmp_path: Path
) -> None:
    later = TryAgain("http_429", "Later.", retry_after_seconds=0, rate_limited=True)
    words = Asked(*[later] * 4, CUP, paid=True)
    async with working(house, pool, tmp_path, words):
        *told, end = await obeyed(house, describer=words.origin)
    assert (descriptions(told), type(end)) == ([("tests.words", ["cup"], 2)], JobCompleted)
    assert len(words.pictures) == 5
    assert await house.value("SELECT count(*) FROM media.paid_looks") == 0


@pytest.mark.parametrize("paid", [True, False])
async def test_a_paid_question_whose_answer_was_lost_is_never_asked_again(
    house: House, pool: Pool, tmp_path: Path, paid: bool
) -> None:
    words = Asked(CUP, paid=paid)
    words.may_answer.clear()
    command, said = describing(describer=words.origin), list[Any]()
    async with working(house, pool, tmp_path, words, grace_seconds=1):
        await house.say(command)
        await until(lambda: _is_asked(words))
    words.may_answer.set()
    async with working(house, pool, tmp_path, words):
        await ended(house, said, command.job_id)
    (end,) = [one for one in said if isinstance(one, JobCompleted | JobFailed)]
    if paid:
        assert (end.code, len(words.pictures)) == ("outcome_unknown", 1)
    else:
        assert (descriptions(said), len(words.pictures)) == ([("tests.words", ["cup"], 2)], 2), (
            "what is free is repeated"
        )


async def _is_asked(tagger: Asked) -> bool:
    return bool(tagger.pictures)


async def test_a_real_model_tells_of_a_real_upload(house: House, pool: Pool, tmp_path: Path) -> None:
    nobody: Any = None
    bench = Bench(nobody, nobody, tmp_path, 1024**3, 30.0)
    said: list[Any] = []
    async with LocalTagger(described(tmp_path, threshold=0.1), bench) as model, working(house, pool, tmp_path, model):
        command = describing(describer=model.origin)
        await house.say(command)
        await ended(house, said, command.job_id)
    (fact,) = [one for one in said if isinstance(one, MediaDescribed)]
    assert (fact.origin, fact.embedding.origin, len(fact.tags)) == (model.origin, model.origin, 3)
    assert {tag.name for tag in fact.tags} == {"red", "green", "blue"}
