"""The network learns, goes on where it was stopped, and is written as the service reads it."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

REASON = "torch, which trains the depth network, is not installed"
torch = pytest.importorskip("torch", reason=REASON)
pytest.importorskip("onnx", reason=REASON)

from services.depth_map.estimators import DrawnScenes, DrawnScenesEstimator  # noqa: E402
from services.depth_map.estimators.model_files import hash_file  # noqa: E402
from services.depth_map.training.learning import Learner, Lesson, train  # noqa: E402
from services.depth_map.training.losses import loss, ranks  # noqa: E402
from services.depth_map.training.muon import orthogonal  # noqa: E402
from services.depth_map.training.resident import Resident  # noqa: E402
from services.depth_map.training.variations import varied  # noqa: E402

HOUSE = Path(__file__).parents[3]


def test_one_command_draws_trains_and_writes_a_network(tmp_path: Path) -> None:
    file = tmp_path / "network.onnx"
    words = ("--folder", tmp_path, "--to", file, "--examples", 2, "--pictures", 2, "--steps", 1)
    command = [sys.executable, "-m", "services.depth_map.training", *(str(word) for word in words)]

    told = subprocess.run(command, cwd=HOUSE, check=True, capture_output=True, text=True, timeout=300).stdout  # noqa: S603

    assert '"step": 1' in told
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    assert sha256 in told
    assert hash_file(file).read_text() == f"{sha256}  network.onnx\n"
    DrawnScenesEstimator(DrawnScenes(sha256=sha256), file)
    session = onnxruntime.InferenceSession(file.read_bytes())
    for shape in ((1, 4, 96, 128), (2, 4, 128, 96), (1, 4, 32, 64)):
        (seen,) = session.run(None, {"image": np.random.default_rng(0).random(shape, np.float32)})
        assert seen.shape == (shape[0], 1, *shape[2:])
        assert np.isfinite(seen).all()
        assert (seen >= 0).all()


def test_training_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    np.save(tmp_path / "0.pictures.npy", random.integers(0, 256, (2, 108, 144, 3), np.uint8))
    np.save(tmp_path / "0.cues.npy", random.integers(0, 256, (2, 108, 144), np.uint8))
    np.save(tmp_path / "0.inverse.npy", random.random((2, 108, 144)).astype(np.float16))
    told: list[str] = []

    def trained(steps: int) -> Learner:
        lesson = Lesson(steps=steps, pictures=2, widths=(8, 8, 16, 16))
        return train(lesson, tmp_path, {"same": tmp_path}, tmp_path / "checkpoint", tell=told.append, every=1)

    first, second = trained(2), trained(3)

    assert (first.step, second.step) == (2, 3)
    assert [json.loads(line)["step"] for line in told] == [1, 2, 3], "it began anew"


def test_examples_that_lie_where_the_network_is_are_shown_whole_and_fit_together(tmp_path: Path) -> None:
    for name, shape in (("broad", (108, 144)), ("upright", (144, 108))):
        down = np.broadcast_to(np.linspace(0, 1, shape[0])[:, None], shape)
        np.save(tmp_path / f"{name}.pictures.npy", np.full((3, *shape, 3), 120, np.uint8))
        np.save(tmp_path / f"{name}.cues.npy", np.broadcast_to((down * 255).astype(np.uint8), (3, *shape)))
        np.save(tmp_path / f"{name}.inverse.npy", np.broadcast_to(down.astype(np.float16), (3, *shape)))
    kept, random = Resident("cpu"), np.random.default_rng(0)

    assert (kept.take(tmp_path), kept.take(tmp_path)) == (2, 2), "it took the same files again"
    for size in ((96, 80), (64, 80)):
        pictures, cues, inverses = kept.batch(random, 4, [size])
        assert (pictures.shape, cues.shape) == ((4, 3, *size[::-1]), (4, 1, *size[::-1]))
        assert inverses.shape == (4, 1, size[1] // 2, size[0] // 2)
        assert torch.corrcoef(torch.stack([torch.nn.functional.avg_pool2d(cues, 2), inverses]).flatten(1))[0, 1] > 0.99


def test_a_network_learns_what_it_is_shown_again_and_again() -> None:
    learner = Learner(Lesson(steps=90, pictures=2, widths=(8, 8, 16, 16), falling=0.2))
    random = np.random.default_rng(0)
    pictures, cues = (torch.from_numpy(random.random((2, channels, 32, 32), np.float32)) for channels in (3, 1))
    truth = torch.from_numpy(np.linspace(0.1, 1, 256, dtype=np.float32).reshape(1, 1, 16, 16).repeat(2, 0))

    errors = [learner.learn(pictures, cues, truth) for _ in range(90)]

    assert errors[-1] < 0.5 * errors[0]


def test_a_network_begins_with_what_the_cues_see() -> None:
    random = np.random.default_rng(0)
    picture, cues = (torch.from_numpy(random.random((1, channels, 32, 48), np.float32)) for channels in (3, 1))

    seen = Learner(Lesson(widths=(8, 8, 16, 16))).steady.half(picture, cues)

    smaller = torch.nn.functional.avg_pool2d(cues, 2)
    assert (ranks(seen.flatten(1)) == ranks(smaller.flatten(1))).float().mean() > 0.99


def test_pictures_change_in_colour_and_light_and_stay_pictures() -> None:
    picture = torch.from_numpy(np.random.default_rng(0).random((1, 3, 32, 48), np.float32)).expand(24, -1, -1, -1)

    shown = varied(picture, np.random.default_rng(1))

    assert shown.shape == picture.shape
    assert 0 <= float(shown.min()) < float(shown.max()) <= 1
    alike = torch.corrcoef(torch.cat([picture[:1], shown]).mean(1).flatten(1))[0, 1:]
    assert float(alike.min()) < -0.2, "light always stays light"
    assert (shown[1:] != shown[:-1]).flatten(1).any(1).all()


def test_the_loss_knows_neither_scale_nor_shift_and_is_least_where_all_is_right() -> None:
    truth = torch.from_numpy(np.random.default_rng(1).random((3, 1, 32, 32), np.float32))
    other = truth.flip(3)

    assert float(loss(truth * 7 + 2, truth)) == pytest.approx(0, abs=0.02)
    assert float(loss(other, truth)) > 1


def test_equal_values_share_their_rank() -> None:
    assert ranks(torch.tensor([[3.0, 1.0, 3.0, 9.0]])).tolist() == [[0.5, 0.125, 0.5, 0.875]]


def test_an_orthogonal_step_is_as_long_in_every_direction() -> None:
    lengths = torch.linalg.svdvals(orthogonal(torch.randn(12, 40, generator=torch.Generator().manual_seed(3))))

    assert 0.5 < float(lengths.min()) < float(lengths.max()) < 1.3
