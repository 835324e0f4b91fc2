"""Lines 3, 6, 7 and 9 of issue 2: small faces, a site's own models, speed, hostile input."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import small_faces
from bench.acceptance.lines import Figure, at_least, at_most, equals, holds
from bench.acceptance.programs import aiqyn, evaluation_data
from bench.acceptance.tests_run import tests_pass

WIDER_RECALL = 0.77
WIDER_FALSE_PER_IMAGE = 0.5
MODEL_RATIO = 1.15
SEARCH_RATIO = 1.5
SEARCH_RATIO_FROM = 10_000
SEARCH_EXTRA_US = 50.0
FRAME_MS = 2.0
OWN_MODELS = (("yunet_n_dynamic.onnx", "yunet", "yolox"), ("yolox_nano.onnx", "yolox", "yunet"))
NOTHING_DONE = 2


def small() -> Iterator[Figure]:
    """3: faces of 16 pixels and more on WIDER FACE; what closer looks gain on a street."""
    wider = evaluation_data() / "faces" / "wider60"
    found = aiqyn(
        "evaluate", "detection", "--images", wider / "images", "--labels", wider / "labels.json",
        "--format", "wider-json", "--min-size-px", "16", "--no-report", "--json",
    ).document()  # fmt: skip
    yield at_least("recall on wider60", found["recall"], WIDER_RECALL)
    yield at_most("false boxes an image", found["false_per_image"], WIDER_FALSE_PER_IMAGE)
    video = evaluation_data() / "videos" / "people-walking.mp4"
    without, crops = small_faces.measure(video, 0), small_faces.measure(video, 2)
    for name in ("small_faces", "steady_small_faces", "steady_small_tracks", "people"):
        before, after = getattr(without, name), getattr(crops, name)
        words = f"{before} → {after}"
        yield Figure(f"people-walking, without → with region crops: {name}", words, "more", after > before)
    words = f"{without.ms_per_frame:.0f} → {crops.ms_per_frame:.0f}"
    yield Figure("people-walking: milliseconds a frame", words, "reported", True)


def own_models() -> Iterator[Figure]:
    """6: both shared models registered with nothing but the family; a wrong family is told what does not fit."""
    models = evaluation_data() / "models"
    with tempfile.TemporaryDirectory() as folder:
        for name, family, other in OWN_MODELS:
            wrong = aiqyn("weights", "add", models / name, "--family", other, "--weights-dir", folder)
            yield equals(f"{name} as {other}: exit code", wrong.exit_code, NOTHING_DONE)
            told = wrong.errors[0] if wrong.errors else "no line"
            yield Figure(f"{name} as {other}: what is said", told, "one line", len(wrong.errors) == 1)
            right = aiqyn(
                "weights", "add", models / name, "--family", family, "--weights-dir", folder, "--json"
            )
            yield equals(f"{name} as {family}: exit code", right.exit_code, 0)
    yield from tests_pass(
        "added models used; every wrong family; the paired test of colour and scaling",
        "-m", "system or not system",
        "tests/unit/weights/test_added.py", "tests/unit/aiqyn/test_weights_add.py", "tests/golden/test_weights_add.py",
    )  # fmt: skip


def speed() -> Iterator[Figure]:
    """7: what our code adds to what lies under it."""
    found = aiqyn("bench", "vision", "--json").document()
    for call in found["models"]:
        yield at_most(f"{call['model']}: ours by bare ONNX Runtime", call["figures"]["ratio"], MODEL_RATIO)
    for search in found["searches"]:
        yield _search(search)
    frame = found["frame"]
    yield at_most(f"{frame['tracks']} faces followed, ms a frame", frame["mean_ms"], FRAME_MS)


def _search(search: dict[str, Any]) -> Figure:
    name = (
        f"search of {search['templates']:,} templates, {search['templates_per_subject']} a subject, "
        f"{search['probes']} probes"
    )
    if search["templates"] >= SEARCH_RATIO_FROM:
        return at_most(f"{name}: ours by bare product", search["figures"]["ratio"], SEARCH_RATIO)
    extra_us = search["figures"]["extra_us"] / search["probes"]
    return at_most(f"{name}: µs more than the product, a probe", extra_us, SEARCH_EXTRA_US)


def hostile() -> Iterator[Figure]:
    """9: pictures and model files that are not what they should be."""
    yield from tests_pass(
        "NaN, empty, 1×1, grey, 16-bit, RGBA, rotated, non-contiguous pictures; a thousand faces",
        "tests/unit/vision/face/test_hostile_faces.py", "tests/unit/vision/test_images.py",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "not.onnx"
        path.write_bytes(b"no model at all")
        refused = aiqyn("weights", "add", path, "--family", "yolox", "--weights-dir", folder)
        yield equals("a file that is no ONNX: exit code", refused.exit_code, NOTHING_DONE)
        yield holds("a file that is no ONNX: one line", len(refused.errors) == 1, refused.log[-200:])
