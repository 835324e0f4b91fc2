"""The weights cache, and models out of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest

from pipelines.config import load_config
from weights.catalog import load_catalog
from weights.spec import SourceFile
from weights.store import WeightStore

Array: TypeAlias = npt.NDArray[Any]
Model: TypeAlias = Callable[[Array], list[Array]]


@pytest.fixture(scope="session")
def store() -> WeightStore:
    """The cache the program itself would use."""
    return WeightStore(load_config(None).paths.weights_dir, load_catalog())


@pytest.fixture(scope="session")
def original(store: WeightStore) -> Callable[[str], list[bytes]]:
    """The upstream files of an entry, as they were fetched."""

    def read(entry_id: str) -> list[bytes]:
        return [source_path(store, file).read_bytes() for file in store.catalog.get(entry_id).source.files]

    return read


def source_path(store: WeightStore, file: SourceFile) -> Any:
    """Where the cache keeps a fetched file."""
    return store.root / "sources" / f"{file.sha256[:12]}-{file.name}"


def load(content: bytes) -> Model:
    """The network as a function of its one input."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # the originals list their weights as inputs, which it warns of
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda images: list(session.run(None, {name: images}))


def photograph(
    store: WeightStore, entry_id: str, height_px: int, canvas_wh: tuple[int, int], grey: int
) -> Array:
    """A photograph at that height in the top left corner of a grey canvas, (H, W, 3) uint8 BGR."""
    image = cv2.imread(str(store.path(entry_id)))
    assert image is not None
    ratio = height_px / image.shape[0]
    small = cv2.resize(image, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA)
    small = small[: canvas_wh[1], : canvas_wh[0]]
    canvas = np.full((canvas_wh[1], canvas_wh[0], 3), grey, np.uint8)
    canvas[: small.shape[0], : small.shape[1]] = small
    return canvas


def as_input(image: Array, store: WeightStore, entry_id: str) -> Array:
    """(1, 3, H, W) float32 as the catalogue says this model wants it."""
    spec = store.catalog.get(entry_id).input
    assert spec
    ordered = image[:, :, ::-1] if spec.colour == "rgb" else image
    values = (ordered.astype(np.float32) - np.array(spec.mean, np.float32)) * np.array(spec.scale, np.float32)
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None], np.float32)
