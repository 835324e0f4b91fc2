"""`python -m bench.dlib`: one face through dlib's own network and through ours, side by side on one core.

Needs the test dependency `dlib-bin` and the pulled entry `dlib-resnet`. Both get the same 150-pixel chips,
cut from the photographs of the catalogue; rounds alternate, so that whatever else the machine does hits both.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np
import typer

from pipelines.build import build_face_detector
from pipelines.config import load_config
from vision.face.align import align
from vision.images import decode_image, to_tensor
from vision.runtime import InferenceSession, RuntimeOptions
from vision.types import Float32, Image, ModelInput
from weights.cache import Cache
from weights.catalog import load_catalog
from weights.spec import InputSpec
from weights.store import WeightStore

EMBEDDER_ID = "dlib-resnet"
ROUNDS = 5


@dataclass(frozen=True, slots=True)
class DlibComparison:
    """What a face costs on either side, and how far apart the answers are.

    Attributes:
        faces: chips embedded in each round.
        dlib_ms_per_face: median over the rounds.
        ours_ms_per_face: the same.
        ratio: how many times faster ours is: the median of the rounds' own ratios.
        max_difference: largest absolute difference of any of the 128 numbers of any face.
    """

    faces: int
    dlib_ms_per_face: float
    ours_ms_per_face: float
    ratio: float
    max_difference: float


def measure(store: WeightStore | None = None, rounds: int = ROUNDS) -> DlibComparison:
    """Both sides on one core, in alternating rounds.

    Args:
        store: where the weights lie; None for the configured place.
        rounds: of each side, after one that is not counted.

    Raises:
        WeightsError: something is not pulled.
    """
    store = store or WeightStore(load_config(None).paths.weights_dir, load_catalog())
    chips = aligned_chips(store)
    theirs, ours = dlib_network(store), our_network(store)
    with _one_core():
        difference = float(np.abs(theirs(chips) - ours(chips)).max())
        timed = [(_ms_per_face(theirs, chips), _ms_per_face(ours, chips)) for _ in range(rounds)]
    return DlibComparison(
        faces=len(chips),
        dlib_ms_per_face=median(dlib_ms for dlib_ms, _ in timed),
        ours_ms_per_face=median(ours_ms for _, ours_ms in timed),
        ratio=median(dlib_ms / ours_ms for dlib_ms, ours_ms in timed),
        max_difference=difference,
    )


def aligned_chips(store: WeightStore) -> Image:
    """The most certain face of every photograph of the catalogue, (N, 150, 150, 3) uint8 BGR."""
    detector = build_face_detector(store, "centerface")
    template = _input(store).landmarks_template
    chips = []
    for spec in store.catalog.of_task("pictures"):
        image = decode_image(store.read(spec.id), name=spec.id)
        faces = detector.detect(image)
        if len(faces):
            chips.append(align(image, faces.landmarks[:1], np.array(template), 150)[0])
    return np.stack(chips)


def dlib_network(store: WeightStore) -> Callable[[Image], Float32]:
    """dlib's own network: aligned chips in, (N, 128) out."""
    import dlib

    file = store.catalog.get(EMBEDDER_ID).source.files[0]
    cache = Cache(store.root)
    path = cache.source(f"{file.sha256[:12]}-{file.name}")
    cache.check(path, file.sha256)
    network: Any = dlib.face_recognition_model_v1(str(path))

    def embed(chips: Image) -> Float32:
        # One call a face, as face_recognition does it.
        rows = [network.compute_face_descriptor(np.ascontiguousarray(chip[..., ::-1])) for chip in chips]
        return np.array(rows, dtype=np.float32)

    return embed


def our_network(store: WeightStore) -> Callable[[Image], Float32]:
    """The converted network on one thread: aligned chips in, (N, 128) out, not of unit length."""
    session = InferenceSession(store.read(EMBEDDER_ID), RuntimeOptions(intra_op_threads=1))
    wanted = _input(store)
    model_input = ModelInput(wanted.size_wh, wanted.colour, wanted.mean, wanted.scale)

    def embed(chips: Image) -> Float32:
        rows = [session.run({session.inputs[0].name: to_tensor([chip], model_input)})[0] for chip in chips]
        return np.concatenate(rows)

    return embed


def _input(store: WeightStore) -> InputSpec:
    wanted = store.catalog.get(EMBEDDER_ID).input
    assert wanted is not None
    return wanted


def _ms_per_face(embed: Callable[[Image], Float32], chips: Image) -> float:
    start = time.perf_counter()
    embed(chips)
    return (time.perf_counter() - start) * 1000 / len(chips)


@contextmanager
def _one_core() -> Iterator[None]:
    """Everything this process does on one core, where the system lets a process say so."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def main() -> None:
    """Prints the comparison as one JSON document."""
    typer.echo(json.dumps(asdict(measure()), indent=2))


if __name__ == "__main__":
    main()
