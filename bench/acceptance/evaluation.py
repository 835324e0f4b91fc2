"""Lines 4 and 5 of issue 1: what the `evaluate` commands print, held against what was promised."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench.acceptance.lines import Figure, at_least, equals, holds
from bench.acceptance.programs import aiqyn, evaluation_data
from bench.acceptance.tests_run import tests_pass

LFW_TARGETS = {"mobilefacenet-faceplugin": 0.991, "dlib-resnet": 0.987}
LFW_PAIRS = 1200
_LEAST_TRACKING = 0.0


def faces() -> Iterator[Figure]:
    """4: verification on two folds of LFW, both embedders."""
    lfw = evaluation_data() / "faces" / "lfw2"
    for embedder, target in LFW_TARGETS.items():
        done = aiqyn(
            "evaluate", "faces", "--images", lfw / "images", "--pairs", lfw / "pairs.csv",
            "--embedder", embedder, "--json",
        )  # fmt: skip
        found = done.document()
        yield at_least(f"{embedder}: accuracy on lfw2", found["accuracy"], target)
        yield equals(f"{embedder}: pairs", found["pairs"], LFW_PAIRS)
        for rate in ("0.01", "0.001"):
            value = found["tar_at_fmr"][rate]
            yield Figure(f"{embedder}: true accepts at FMR {rate}", value, "reported", value is not None)
        yield Figure(f"{embedder}: pictures without a face", found["undetected"], "reported", True)


def detection_and_tracking() -> Iterator[Figure]:
    """5: figures of detection and tracking, and their agreement with the field's own tools."""
    data = evaluation_data()
    yield from _detection(
        "coco128",
        data / "detection" / "coco128" / "images",
        data / "detection" / "coco128" / "labels",
        "yolo",
    )
    wider = data / "faces" / "wider60"
    yield from _detection(
        "wider60, faces of 16 px and more",
        wider / "images",
        wider / "labels.json",
        "wider-json",
        "--min-size-px",
        "16",
    )
    campus = data / "tracking" / "TUD-Campus"
    for tracker in ("oc-sort", "bytetrack"):
        found = aiqyn(
            "evaluate", "tracking", "--video", campus / "TUD-Campus.mp4", "--ground-truth", campus / "gt" / "gt.txt",
            "--tracker", tracker, "--json",
        ).document()  # fmt: skip
        words = ", ".join(f"{name} {found[name]:.3f}" for name in ("hota", "idf1", "mota"))
        yield Figure(
            f"TUD-Campus, {tracker}, default detector",
            f"{words}, switches {found['switches']}",
            "reported",
            found["idf1"] > _LEAST_TRACKING,
        )
    yield from tests_pass(
        "agreement with pycocotools and TrackEval within 0.001; IDF1 beside the package trackers",
        "tests/golden/test_evaluate_detection.py", "tests/golden/test_evaluate_tracking.py", "tests/golden/test_trackers.py",
    )  # fmt: skip


def _detection(title: str, images: Any, labels: Any, form: str, *options: str) -> Iterator[Figure]:
    done = aiqyn(
        "evaluate", "detection", "--images", images, "--labels", labels, "--format", form, *options, "--json"
    )
    found = done.document()
    keys = {"recall", "precision", "ap50", "false_per_image", "per_class"}
    yield holds(f"{title}: the keys promised", keys <= set(found), str(sorted(keys - set(found))))
    words = ", ".join(
        f"{name} {found[name]:.3f}" for name in ("recall", "precision", "ap50", "false_per_image")
    )
    yield Figure(title, words, "reported", 0 < found["recall"] <= 1)
