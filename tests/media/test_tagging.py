"""A model on this machine says what pictures show, in a process with limits, and is always the one that is meant."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from PIL import Image
from pydantic import ValidationError

from services.media.tagging.classifying import embedded
from services.media.tagging.local import Bench, LocalTagger
from services.media.tagging.model_files import Classifier, ModelFile
from services.media.tagging.processors import processors
from services.media.tagging.tagger import Seen, Taggers
from shared.errors import Refused, TryAgain
from shared.fetch import Outbound
from tests.living import House
from tests.media.samples import CORPUS, encoded, photo
from tests.media.tiny_classifier import LABELS, described, sha256_of, weights

RED = encoded(Image.new("RGB", (90, 40), (255, 0, 0)), "WEBP", lossless=True)
ORANGE = encoded(Image.new("RGB", (90, 40), (255, 128, 0)), "WEBP", lossless=True)
CLEAR = encoded(Image.new("RGBA", (30, 30), (255, 0, 0, 0)), "WEBP", lossless=True)
MODELS = CORPUS.parent / "models"


@asynccontextmanager
async def tagger(classifier: Classifier, folder: Path, **bench: Any) -> AsyncIterator[LocalTagger]:
    nothing: Any = None
    given = {"objects": nothing, "outbound": nothing, "memory_bytes": 1024**3, "seconds": 30.0, **bench}
    async with LocalTagger(classifier, Bench(folder=folder, **given)) as made:
        yield made


async def seen(classifier: Classifier, folder: Path, picture: bytes = RED, **bench: Any) -> Seen:
    async with tagger(classifier, folder, **bench) as made:
        return await made.look(picture)


def names(said: Seen) -> list[tuple[str, float]]:
    return [(tag.name, round(tag.confidence, 1)) for tag in said.tags]


async def test_what_a_model_is_sure_enough_of_becomes_a_tag_the_surest_first(tmp_path: Path) -> None:
    async with tagger(described(tmp_path), tmp_path) as made:
        assert names(await made.look(RED)) == [("red", 1.0)]
        assert names(await made.look(ORANGE)) == [("red", 1.0), ("green", 0.5)]
        assert names(await made.look(CLEAR)) == [("red", 1.0), ("green", 1.0), ("blue", 1.0)], "clear is as white"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"threshold": 0.6}, ["red"]),
        ({"threshold": 0}, ["red", "green", "blue"]),
        ({"threshold": 0, "most_tags": 2}, ["red", "green"]),
        ({"threshold": 0, "unsaid": ("red",)}, ["green", "blue"]),
        ({"activation": "softmax", "threshold": 0.4}, ["red"]),
        ({"activation": "sigmoid", "threshold": 0.6}, ["red", "green"]),
        ({"mean": (1, 0, 0), "threshold": 0.1}, ["green"]),
        ({"fitting": "stretched", "threshold": 0.6}, ["red"]),
    ],
)
async def test_settings_say_how_a_model_is_fed_and_read(
    tmp_path: Path, changes: dict[str, Any], said: list[str]
) -> None:
    found = await seen(described(tmp_path, **changes), tmp_path, ORANGE)
    assert [tag.name for tag in found.tags] == said


async def test_a_vector_is_of_length_one_of_its_own_origin_and_the_same_each_time(tmp_path: Path) -> None:
    classifier = described(tmp_path)
    async with tagger(classifier, tmp_path) as made:
        first, again = [(await made.look(RED)).embedding for _ in range(2)]
    assert first is not None
    assert first == again
    assert first.origin == classifier.origin == f"onnx.colours.{classifier.weights.sha256[:12]}"
    assert len(first.values) == 512, "of 768 pixels"
    assert sum(value * value for value in first.values) == pytest.approx(1, abs=1e-3)


async def test_a_model_may_tell_vectors_alone(tmp_path: Path) -> None:
    classifier = described(tmp_path, tags_output=None, labels=None)
    found = await seen(classifier, tmp_path)
    assert (found.tags, found.embedding is not None, classifier.kinds) == ((), True, {"embedding"})


def test_a_projection_keeps_who_resembles_whom() -> None:
    chance = np.random.default_rng(5)
    middle = chance.normal(size=1280)
    nearer, farther = middle + 0.5 * chance.normal(size=1280), middle + 2 * chance.normal(size=1280)
    whole = [numbers.astype(np.float32) for numbers in (middle, nearer, farther)]
    small = [np.array(embedded(numbers, 512)) for numbers in whole]
    for other in (1, 2):
        cosine = whole[0] @ whole[other] / np.linalg.norm(whole[0]) / np.linalg.norm(whole[other])
        assert small[0] @ small[other] == pytest.approx(cosine, abs=0.12)
    assert small[0] @ small[1] > small[0] @ small[2] + 0.2
    assert embedded(np.zeros(1280, np.float32), 512) is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"input_name": "picture"}, "model_unfit"),
        ({"tags_output": "names"}, "model_unfit"),
        ({"width_px": 32}, "model_unfit"),
        ({"names": b"red\ngreen\n"}, "model_unfit"),
        ({"content": b"no model"}, "model_unfit"),
        ({"content": weights("Log")}, "model_unfit"),
    ],
)
async def test_a_model_that_is_not_as_described_is_refused_and_says_so(
    tmp_path: Path, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(Refused) as refused:
        await seen(described(tmp_path, **changes), tmp_path)
    assert refused.value.code == code, refused.value.sentence


async def test_another_file_than_the_one_that_is_meant_is_never_used(tmp_path: Path) -> None:
    classifier = described(tmp_path)
    async with tagger(classifier, tmp_path) as made:
        (tmp_path / "model.onnx").write_bytes(weights("Neg"))
        with pytest.raises(Refused, match="model_altered"):
            await made.look(RED)
        (tmp_path / "model.onnx").unlink()
        with pytest.raises(Refused, match="model_missing"):
            await made.look(RED)
        (tmp_path / "model.onnx").write_bytes(weights())
        assert names(await made.look(RED)) == [("red", 1.0)], "what has been put right works without a restart"


async def test_a_model_comes_from_the_bucket(house: House, tmp_path: Path) -> None:
    files = {"models/colours.onnx": weights(), "models/labels.txt": LABELS}
    async with house.objects() as objects:
        for key, content in files.items():
            await objects.put(key, content, content_type="application/octet-stream")
        model, labels = [ModelFile(object_key=key, sha256=sha256_of(content)) for key, content in files.items()]
        classifier = described(tmp_path, weights=model, labels=labels)
        found = await seen(classifier, tmp_path, objects=objects)
    assert names(found) == [("red", 1.0)]


async def test_a_model_comes_from_a_link_and_is_asked_for_again_where_something_else_came(tmp_path: Path) -> None:
    answers = {"/model.onnx": [b"a page that says: later", weights()], "/labels.txt": [LABELS, LABELS]}

    async def give(request: web.Request) -> web.Response:
        return web.Response(body=answers[request.path].pop(0))

    async with serving(give) as port, Outbound(user_agent="tests", allow=frozenset({("127.0.0.1", port)})) as outbound:
        model, labels = [
            ModelFile(url=f"http://127.0.0.1:{port}{path}", sha256=sha256_of(last))
            for path, (_, last) in answers.items()
        ]
        async with tagger(described(tmp_path, weights=model, labels=labels), tmp_path, outbound=outbound) as made:
            with pytest.raises(Refused, match="model_altered"):
                await made.look(RED)
            assert names(await made.look(RED)) == [("red", 1.0)]
        async with Outbound(user_agent="tests") as guarded:
            with pytest.raises(TryAgain, match="model_missing"):
                await seen(described(tmp_path, weights=model), tmp_path / "empty", outbound=guarded)


@asynccontextmanager
async def serving(give: Any) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_get("/{name}", give)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


async def test_a_model_that_needs_too_much_ends_without_the_service(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"needs_too_much_memory|decoder_crashed|model_unfit"):
        await seen(described(tmp_path), tmp_path, encoded(photo(64, 48), "WEBP"), memory_bytes=1024 * 1024)


def test_a_model_file_lies_in_exactly_one_place(tmp_path: Path) -> None:
    for places in ({}, {"path": tmp_path, "url": "https://example.org/model.onnx"}):
        with pytest.raises(ValidationError, match="exactly one"):
            ModelFile(**places, sha256="ab" * 32)
    with pytest.raises(ValidationError, match="belong together"):
        described(tmp_path, labels=None)


def test_taggers_are_found_by_what_they_look_for(tmp_path: Path) -> None:
    nothing: Any = None
    bench = Bench(nothing, nothing, tmp_path, 1, 1.0)
    both = LocalTagger(described(tmp_path), bench)
    vectors = LocalTagger(described(tmp_path, name="vectors", tags_output=None, labels=None), bench)
    taggers = Taggers([both, vectors])
    assert taggers.looking_for(()) == taggers.looking_for(("embedding",)) == [both, vectors]
    assert (taggers.looking_for(("tags", "colours")), taggers.looking_for(("caption",))) == ([both], [])
    assert taggers.called(vectors.origin) is vectors
    with pytest.raises(Refused, match="describer_unknown"):
        taggers.called("onnx.another")


@pytest.mark.parametrize(
    ("files", "allowed"),
    [
        ({}, 64),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, 64),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 2),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/cpu.max": "50000 100000\n"}, 1),
        (
            {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "300000\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"},
            3,
        ),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n"}, 64),
    ],
)
def test_no_more_threads_run_than_the_cgroup_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], allowed: int
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _process: range(64))
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    assert processors(tmp_path) == allowed


@pytest.mark.skipif(not MODELS.exists(), reason="the corpus of models lies outside the repository")
async def test_a_real_classifier_names_what_photos_show_and_knows_their_copies(tmp_path: Path) -> None:
    model, labels = MODELS / "mobilenet_v2_tags_embed_int8w.onnx", MODELS / "imagenet_labels.txt"
    classifier = described(
        tmp_path,
        name="mobilenet_v2",
        weights=ModelFile(path=model, sha256="1ab9b9b149884a01fb3d0fdd9157a6af5840c2b2808096649f9d73964e98c94a"),
        labels=ModelFile(path=labels, sha256=sha256_of(labels.read_bytes())),
        tags_output="probs",
        embedding_output="embedding",
        width_px=224,
        height_px=224,
        value_range=255,
    )
    photos = {name: Image.open(CORPUS / "photos" / f"{name}.png").convert("RGB") for name in ("coffee", "astronaut")}
    async with tagger(classifier, tmp_path) as made:
        told = {name: await made.look(encoded(picture, "WEBP")) for name, picture in photos.items()}
        small = await made.look(encoded(photos["coffee"].reduce(2), "WEBP", quality=60))
    assert "espresso" in [tag.name for tag in told["coffee"].tags]
    assert all("," not in tag.name for found in told.values() for tag in found.tags)
    coffee, astronaut, copy = [one.embedding for one in (told["coffee"], told["astronaut"], small)]
    assert coffee is not None
    assert astronaut is not None
    assert copy is not None
    to_copy, to_other = np.dot(coffee.values, copy.values), np.dot(coffee.values, astronaut.values)
    assert to_copy > 0.8
    assert to_other < to_copy - 0.1
