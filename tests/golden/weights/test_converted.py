"""Each converted model does what its original does, at more sizes and in batches."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.golden.weights.conftest import Array, as_input, load, photograph, source_path
from weights.convert import convert
from weights.spec import Conversion
from weights.store import WeightStore

ASTRONAUT = "photo-eileen-collins"
STANDING = "photo-barack-obama-2010"
MODELS = ("centerface", "mobilefacenet-faceplugin", "dlib-resnet", "yolov3-tiny")
RANDOM = np.random.default_rng(11)


@pytest.mark.models(*MODELS)
def test_conversions_give_the_catalogues_bytes_without_a_network(
    store: WeightStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    elsewhere = WeightStore(tmp_path / "cache", store.catalog)
    (tmp_path / "cache" / "sources").mkdir(parents=True)
    for entry_id in MODELS:
        for file in store.catalog.get(entry_id).source.files:
            shutil.copy(source_path(store, file), source_path(elsewhere, file))
        assert elsewhere.state(entry_id) == "fetched"
    elsewhere.pull(MODELS)
    assert {elsewhere.state(entry_id) for entry_id in MODELS} == {"ready"}
    for entry_id in MODELS:
        assert len(elsewhere.read(entry_id)) == store.catalog.get(entry_id).size_bytes


@pytest.mark.models("centerface")
def test_centerface_is_its_original_where_that_runs(
    store: WeightStore, original: Callable[[str], list[bytes]]
) -> None:
    images = RANDOM.uniform(0, 255, (10, 3, 32, 32)).astype(np.float32)
    published, ours = load(original("centerface")[0])(images), load(store.read("centerface"))(images)
    for theirs, mine in zip(published, ours, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


@pytest.mark.models("centerface", ASTRONAUT)
@pytest.mark.parametrize("side_px", [160, 320, 512, 736])
def test_centerface_finds_the_one_face_at_any_size(store: WeightStore, side_px: int) -> None:
    image = photograph(store, ASTRONAUT, side_px, (side_px, side_px), 0)
    heatmap, log_size, offset, landmarks = load(store.read("centerface"))(
        as_input(image, store, "centerface")
    )
    assert heatmap.shape == (1, 1, side_px // 4, side_px // 4)
    row, column = np.unravel_index(int(heatmap[0, 0].argmax()), heatmap.shape[2:])
    assert heatmap[0, 0, row, column] > 0.7
    shift_yx, size_hw = offset[0, :, row, column], np.exp(log_size[0, :, row, column]) * 4
    centre_yx = (np.array([row, column]) + shift_yx + 0.5) * 4
    # Where the face is in the 512-pixel photograph, read off it by eye.
    np.testing.assert_allclose(centre_yx / side_px, np.array([117, 225]) / 512, atol=0.03)
    np.testing.assert_allclose(size_hw / side_px, np.array([120, 88]) / 512, rtol=0.25)
    points_yx = landmarks[0, :, row, column].reshape(5, 2)
    assert np.all((points_yx > 0) & (points_yx < 1))
    left_eye, right_eye, nose, left_mouth, right_mouth = points_yx
    assert max(left_eye[0], right_eye[0]) < nose[0] < min(left_mouth[0], right_mouth[0])
    assert left_eye[1] < nose[1] < right_eye[1]
    assert left_mouth[1] < right_mouth[1]


@pytest.mark.models("centerface")
def test_centerface_takes_batches(store: WeightStore) -> None:
    model = load(store.read("centerface"))
    images = RANDOM.uniform(0, 255, (3, 3, 64, 96)).astype(np.float32)
    _assert_batch_is_singles(model(images), [model(image[None]) for image in images])


@pytest.mark.models("mobilefacenet-faceplugin")
def test_mobilefacenet_is_its_original_and_takes_batches(
    store: WeightStore, original: Callable[[str], list[bytes]]
) -> None:
    images = RANDOM.uniform(-1, 1, (5, 3, 112, 112)).astype(np.float32)
    published = load(original("mobilefacenet-faceplugin")[0])
    ours = load(store.read("mobilefacenet-faceplugin"))(images)
    assert ours[0].shape == (5, 512)
    _assert_batch_is_singles(ours, [published(image[None]) for image in images])


@pytest.mark.models("dlib-resnet", ASTRONAUT, STANDING)
def test_dlib_resnet_is_dlibs(
    store: WeightStore, tmp_path: Path, original: Callable[[str], list[bytes]]
) -> None:
    import dlib

    file = tmp_path / "network.dat"
    file.write_bytes(original("dlib-resnet")[0])
    network = dlib.face_recognition_model_v1(str(file))
    faces = [photograph(store, each, 420, (400, 400), 0)[y : y + 150, x : x + 150] for each, y, x in _CHIPS]
    chips = [*faces, RANDOM.integers(0, 256, (150, 150, 3), np.uint8)]
    rgb = [np.ascontiguousarray(chip[:, :, ::-1]) for chip in chips]
    theirs = np.array([network.compute_face_descriptor(chip, 0) for chip in rgb])
    inputs = np.concatenate([as_input(chip, store, "dlib-resnet") for chip in chips])
    (ours,) = load(store.read("dlib-resnet"))(inputs)
    assert ours.shape == (len(chips), 128)
    assert float(np.abs(ours - theirs).max()) < 2e-6


_CHIPS = ((ASTRONAUT, 20, 110), (STANDING, 0, 60))


@pytest.mark.models("yolov3-tiny", STANDING)
@pytest.mark.parametrize("canvas_wh", [(416, 416), (608, 352)])
@pytest.mark.parametrize("height_px", [60, 120, 350])
def test_yolov3_tiny_finds_the_person(store: WeightStore, canvas_wh: tuple[int, int], height_px: int) -> None:
    image = photograph(store, STANDING, height_px, canvas_wh, 127)
    (rows,) = load(store.read("yolov3-tiny"))(as_input(image, store, "yolov3-tiny"))
    assert rows.shape == (1, canvas_wh[0] * canvas_wh[1] * 15 // 1024, 85)
    confidence = rows[0, :, 4:5] * rows[0, :, 5:]
    best, class_id = np.unravel_index(int(confidence.argmax()), confidence.shape)
    assert confidence[best, class_id] > 0.5
    assert store.catalog.get("yolov3-tiny").labels[class_id] == "person"
    assert 0.75 < rows[0, best, 3] / height_px < 1.1
    assert abs(rows[0, best, 1] / height_px - 0.55) < 0.1


@pytest.mark.models("yolov3-tiny", STANDING)
def test_the_published_masks_would_give_wrong_boxes(
    store: WeightStore, original: Callable[[str], list[bytes]]
) -> None:
    trap = load(convert(original("yolov3-tiny"), Conversion("darknet", 1)))
    image = photograph(store, STANDING, 60, (416, 416), 127)
    (rows,) = trap(as_input(image, store, "yolov3-tiny"))
    best = int((rows[0, :, 4] * rows[0, :, 5]).argmax())
    assert rows[0, best, 3] < 0.6 * 60


@pytest.mark.models("yolov3-tiny")
def test_yolov3_tiny_takes_batches(store: WeightStore) -> None:
    model = load(store.read("yolov3-tiny"))
    images = RANDOM.uniform(0, 1, (2, 3, 96, 64)).astype(np.float32)
    _assert_batch_is_singles(model(images), [model(image[None]) for image in images])


def _assert_batch_is_singles(together: list[Array], one_by_one: list[list[Array]]) -> None:
    for at, whole in enumerate(together):
        singles = np.concatenate([outputs[at].reshape(1, *whole.shape[1:]) for outputs in one_by_one])
        np.testing.assert_allclose(whole, singles, rtol=1e-4, atol=1e-5)
