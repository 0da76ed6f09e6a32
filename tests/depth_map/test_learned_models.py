"""Depth from an ONNX file: fed as it was trained, read as what it is."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from pydantic import ValidationError

from services.depth_map.estimators import (
    Cues,
    InputSize,
    OnnxEstimator,
    Plane,
    depth_anything_v2_small,
    fast_depth,
    load,
    provenance,
)
from shared.errors import Refused
from tests.depth_map.metrics import relative_error, share_within_a_quarter
from tests.depth_map.scenes import CORPUS, measured_pairs, rank_correlation, room, seen
from tests.depth_map.tiny_models import brightness_model, described, model_taking

FAST_DEPTH = CORPUS / "models" / "fastdepth_nyu_int8w.onnx"
FAST_DEPTH_SHA256 = "92df583bd25d9d53946f66d1e1749e5e0258aad268ece93cf480b929eb8199e4"


def _lamp(width: int = 96, height: int = 64) -> Plane:
    """Bright at the lower right."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    return np.repeat(((rows / height + columns / width) / 2)[..., None], 3, axis=2).astype(np.float32)


def test_a_model_is_run_and_its_map_has_the_size_of_the_picture(tmp_path: Path) -> None:
    near = OnnxEstimator(described(tmp_path, brightness_model())).estimate(_lamp())

    assert near.shape == (64, 96)
    assert near.dtype == np.float32
    assert np.abs(near - _lamp()[..., 0]).max() < 0.05


def test_mean_std_and_range_are_applied_before_the_model(tmp_path: Path) -> None:
    model = described(
        tmp_path, brightness_model(), value_range=255, mean=(10, 20, 30), std=(2, 4, 8), input_size=_square()
    )

    near = OnnxEstimator(model).estimate(np.full((32, 32, 3), 0.5, np.float32))

    expected = np.mean([(127.5 - 10) / 2, (127.5 - 20) / 4, (127.5 - 30) / 8])
    assert np.allclose(near, expected, rtol=1e-5)


def test_a_model_that_wants_channels_last_gets_them_last(tmp_path: Path) -> None:
    model = described(tmp_path, brightness_model(channel_axis=3), layout="nhwc")

    assert np.abs(OnnxEstimator(model).estimate(_lamp()) - _lamp()[..., 0]).max() < 0.05


def test_a_padded_picture_is_not_distorted_and_its_padding_is_not_in_the_map(tmp_path: Path) -> None:
    size = InputSize(rule="padded", width_px=64, height_px=64)
    near = OnnxEstimator(described(tmp_path, brightness_model(64, 64), input_size=size)).estimate(_lamp())

    assert near.shape == (64, 96)
    assert np.abs(near - _lamp()[..., 0]).max() < 0.05


@pytest.mark.parametrize("kind", ["metric_metres", "depth_relative"])
def test_depth_is_turned_so_that_larger_is_nearer_and_says_what_it_was(tmp_path: Path, kind: str) -> None:
    estimator = OnnxEstimator(described(tmp_path, brightness_model(), kind=kind))
    near = estimator.estimate(_lamp())

    assert near[8, 8] > near[-8, -8]
    assert np.allclose(near[-8:, -8:], 1 / _lamp()[-8:, -8:, 0], rtol=0.05)
    assert estimator.kind == estimator.provenance().kind == kind


def test_metric_depth_of_nothing_does_not_drown_the_rest(tmp_path: Path) -> None:
    near = OnnxEstimator(described(tmp_path, brightness_model(), kind="metric_metres")).estimate(_lamp())

    assert near.max() == pytest.approx(10)


def test_inverse_depth_below_nothing_is_cut_as_the_model_was_trained(tmp_path: Path) -> None:
    model = described(tmp_path, brightness_model(), mean=(0.5, 0.5, 0.5))

    near = OnnxEstimator(model).estimate(_lamp())

    assert near.min() == 0
    assert near.max() > 0.3


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    model = described(tmp_path, brightness_model())
    model.path.unlink()

    with pytest.raises(Refused) as refusal:
        OnnxEstimator(model)
    assert refusal.value.code == "model_missing"


def test_other_weights_than_configured_are_never_run(tmp_path: Path) -> None:
    model = described(tmp_path, brightness_model())
    model.path.write_bytes(brightness_model(then="Neg"))

    with pytest.raises(Refused) as refusal:
        OnnxEstimator(model)
    assert refusal.value.code == "model_altered"


@pytest.mark.parametrize(
    "changes",
    [
        {"input_name": "pixels"},
        {"output_name": "disparity"},
        {"input_size": InputSize(rule="lower_bound", width_px=64, height_px=64)},
        {"input_size": InputSize(rule="stretched", width_px=48, height_px=64)},
    ],
)
def test_a_model_that_is_not_as_described_is_refused_when_it_is_loaded(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    weights = brightness_model(64, 64)
    fitting = {"input_size": InputSize(rule="stretched", width_px=64, height_px=64)}
    OnnxEstimator(described(tmp_path, weights, **fitting))

    with pytest.raises(Refused) as refusal:
        OnnxEstimator(described(tmp_path, weights, **(fitting | changes)))
    assert refusal.value.code == "model_unfit"


@pytest.mark.parametrize(
    ("numbers", "sides", "word"),
    [
        (10, (1, 3, "height", "width"), "float16"),
        (11, (), "double"),
        (1, (1, 3, "height"), "3 axes"),
        (1, (1, 1, 3, "height", "width"), "5 axes"),
    ],
)
def test_a_model_that_takes_no_pictures_is_refused_in_a_sentence_that_says_so(
    tmp_path: Path, numbers: int, sides: tuple[int | str, ...], word: str
) -> None:
    with pytest.raises(Refused) as refusal:
        OnnxEstimator(described(tmp_path, model_taking(numbers, *sides)))
    assert refusal.value.code == "model_unfit"
    assert word in refusal.value.sentence


def test_a_model_that_does_not_tell_what_it_takes_is_run_all_the_same(tmp_path: Path) -> None:
    estimator = OnnxEstimator(described(tmp_path, model_taking(1)))

    inverse = estimator.estimate(seen(room(64, 48)))
    assert np.abs(inverse - seen(room(64, 48)).mean(axis=2)).mean() < 0.1


@pytest.mark.parametrize("provider", ["CUDAExecutionProvider", "OpenVINOExecutionProvider", "ACCELERATOR"])
def test_an_accelerator_that_is_not_there_is_named_and_not_passed_over(tmp_path: Path, provider: str) -> None:
    model = described(tmp_path, brightness_model(), providers=(provider, "CPUExecutionProvider"))

    with pytest.raises(Refused) as refusal:
        OnnxEstimator(model)
    assert refusal.value.code == "accelerator_missing"
    assert provider in refusal.value.sentence


def test_an_accelerator_whose_libraries_do_not_load_is_named_and_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = described(tmp_path, brightness_model(), providers=("CUDAExecutionProvider", "CPUExecutionProvider"))
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(model.providers))
    made = onnxruntime.InferenceSession
    # As ONNX Runtime does: it warns, and runs on the processor.
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda file, options, **_: made(file, options))

    with pytest.raises(Refused) as refusal:
        OnnxEstimator(model)
    assert refusal.value.code == "accelerator_missing"


def test_a_file_that_is_no_model_is_refused_though_its_hash_is_right(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refusal:
        OnnxEstimator(described(tmp_path, b"no model"))
    assert refusal.value.code == "model_unfit"


@pytest.mark.parametrize(
    ("picture", "shown"),
    [
        ((640, 480), (686, 518)),
        ((480, 640), (518, 686)),
        ((518, 518), (518, 518)),
        ((1920, 1080), (924, 518)),
        ((100, 100), (518, 518)),
        ((5000, 500), (1554, 518)),
    ],
)
def test_depth_anything_sees_a_picture_at_the_size_of_its_authors(
    picture: tuple[int, int], shown: tuple[int, int]
) -> None:
    model = depth_anything_v2_small(Path("weights.onnx"), "0" * 64)

    assert model.input_size.sides(*picture) == shown


def test_depth_anything_is_fed_by_the_numbers_of_its_authors() -> None:
    model = depth_anything_v2_small(Path("weights.onnx"), "0" * 64)

    assert (model.mean, model.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    assert (model.resampling, model.enlarging) == ("bicubic", "corners_aligned")
    assert (model.kind, model.value_range, model.layout) == ("inverse_relative", 1, "nchw")


def test_aligned_corners_keep_the_corners_of_a_map(tmp_path: Path) -> None:
    exact = InputSize(rule="stretched", width_px=16, height_px=16)
    model = described(tmp_path, brightness_model(), input_size=exact, enlarging="corners_aligned")
    rgb = np.kron(np.random.default_rng(3).random((16, 16, 1)), np.ones((4, 4, 3))).astype(np.float32)

    near = OnnxEstimator(model).estimate(rgb)

    corners = np.s_[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert np.allclose(near[corners], rgb[..., 0][corners], atol=1e-5)
    # Every fifth pixel of 61 + 3 lies on a pixel of the map only where its corners are aligned: 63 / 15 = 4.2.
    assert near[21, 42] == pytest.approx(rgb[20, 40, 0], abs=1e-5)


def test_provenance_is_complete_and_known_before_the_model_is_loaded(tmp_path: Path) -> None:
    model = described(tmp_path, brightness_model())
    told = provenance(model)

    assert told == load(model).provenance()
    assert told.weights_sha256 == model.sha256
    assert told.model == "brightness"
    assert told.input_size == "stretched to 32x32 px, multiples of 1"


def test_provenance_follows_every_setting_that_changes_the_map_and_no_other(tmp_path: Path) -> None:
    model = described(tmp_path, brightness_model())

    assert provenance(model) != provenance(model.model_copy(update={"mean": (0.5, 0.5, 0.5)}))
    assert provenance(model) != provenance(Cues())
    assert provenance(model) == provenance(model.model_copy(update={"path": tmp_path / "moved", "threads": 8}))


def test_a_description_with_a_misspelt_field_is_not_accepted(tmp_path: Path) -> None:
    with pytest.raises(ValidationError):
        described(tmp_path, brightness_model(), thread=2)


@pytest.mark.skipif(not FAST_DEPTH.exists(), reason="the corpus of models lies outside the repository")
@pytest.mark.parametrize("name", ["nyu_fastdepth", "o3d_TUM", "o3d_NYU_raw", "nyu_m3d_00000", "o3d_synth_00000"])
def test_fast_depth_reaches_its_published_figures(name: str) -> None:
    golden = json.loads((CORPUS / "depth_pairs" / "fastdepth_expected.json").read_text())["results"][name]
    rgb, truth = measured_pairs()[name]

    metres = 1 / OnnxEstimator(fast_depth(FAST_DEPTH, FAST_DEPTH_SHA256)).estimate(seen(rgb)).astype(np.float64)

    known = (truth > 0.1) & (truth < 10)
    seen_metres, true_metres = metres[known], truth[known]
    scaled = seen_metres * (np.median(true_metres) / np.median(seen_metres))
    reached = {
        "pred_min": metres.min(),
        "pred_median": np.median(metres),
        "pred_max": metres.max(),
        "raw_absrel": relative_error(seen_metres, true_metres),
        "raw_d1": share_within_a_quarter(seen_metres, true_metres),
        "scaled_absrel": relative_error(scaled, true_metres),
        "scaled_d1": share_within_a_quarter(scaled, true_metres),
        "spearman": rank_correlation(seen_metres, true_metres),
    }
    # The golden figures are rounded to three digits, which is half a percent of the smallest.
    assert reached == {key: pytest.approx(golden[key], rel=0.02, abs=0.0005) for key in reached}


@pytest.mark.skipif(not FAST_DEPTH.exists(), reason="the corpus of models lies outside the repository")
def test_fast_depth_agrees_with_the_map_of_its_authors() -> None:
    rgb, _ = measured_pairs()["nyu_fastdepth"]
    theirs = np.load(CORPUS / "depth_pairs" / "nyu_fastdepth_pred.npy").squeeze()

    metres = 1 / OnnxEstimator(fast_depth(FAST_DEPTH, FAST_DEPTH_SHA256)).estimate(seen(rgb))

    assert float(np.abs(metres - theirs).mean()) < 0.03


def _square() -> InputSize:
    return InputSize(rule="stretched", width_px=32, height_px=32)
