"""`python -m bench.tracking`: our trackers beside SORT, ByteTrack and OC-SORT of the package `trackers`.

Everybody gets the identical detections: persons of TUD-Campus (folder in `AIQYN_EVAL_DATA`) by YOLOX-nano and by
the default detector, from each detector's own lowest confidence up, and made-up streets (`bench.crowds`). The
package's trackers run with their defaults, and as they are documented, without time stamps. The figures are
TrackEval's, as in `aiqyn evaluate tracking`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import typer

from bench.crowds import DetectorFaults, Sequence, Street, make_street, without_frames
from pipelines.build import build_detector
from pipelines.config import load_config
from pipelines.evaluate.mot import NO_CLASS, MotBoxes, read_ground_truth
from pipelines.evaluate.tracking import PERSON_LABEL, score_tracks
from pipelines.families import DETECTORS, ModelParts, SearchOptions
from vision.detect.base import Detector
from vision.runtime import InferenceSession, RuntimeOptions
from vision.track.base import Tracker
from vision.track.bytetrack import ByteTrack
from vision.track.ocsort import OcSort, OcSortOptions
from vision.track.rejoin import RejoiningTracker
from vision.types import Detections
from vision.video import open_source
from weights.catalog import load_catalog
from weights.store import WeightStore

LOST_SHARE = 0.2
LOST_SEEDS = range(5)

OURS: Mapping[str, Callable[[], Tracker]] = MappingProxyType({"oc-sort": OcSort, "bytetrack": ByteTrack})
_BRIEF = OcSortOptions(max_lost_seconds=0.1)
REJOINED: Mapping[str, Callable[[], Tracker]] = MappingProxyType(
    {
        "oc-sort": OcSort,
        "oc-sort, re-joined": lambda: RejoiningTracker(OcSort()),
        "oc-sort that forgets in 0.1 s": lambda: OcSort(_BRIEF),
        "oc-sort that forgets in 0.1 s, re-joined": lambda: RejoiningTracker(OcSort(_BRIEF)),
    }
)
"""The tracker remembers for a second what it lost; one that forgets at once shows what re-joining does alone."""

THEIRS: Mapping[str, str] = MappingProxyType(
    {
        "trackers SORT": "SORTTracker",
        "trackers ByteTrack": "ByteTrackTracker",
        "trackers OC-SORT": "OCSORTTracker",
    }
)
DEFAULT = "oc-sort"

_SOFT = DetectorFaults(
    confidence=0.75, spread=1.5, clutter=12, clutter_confidence=0.08, shake=0.03, misses=0.08
)
STREETS = (
    Street("street, from 0.1"),
    Street("street, from 0.3", detector=DetectorFaults(floor=0.3)),
    Street("street, from 0.5", detector=DetectorFaults(floor=0.5)),
    Street("soft detector", detector=_SOFT),
    Street("soft detector, from 0.4", detector=replace(_SOFT, floor=0.4)),
    Street("crowd", people=25),
    Street("few people", people=4, detector=DetectorFaults(floor=0.3)),
    Street("shaky boxes", detector=DetectorFaults(shake=0.05, misses=0.1, floor=0.3)),
    Street("5 frames a second", fps=5.0, seconds=20.0, detector=DetectorFaults(floor=0.3)),
    Street("10 frames a second", fps=10.0, seconds=15.0, detector=DetectorFaults(floor=0.3)),
    Street("camera shakes", camera_shake_px=4.0, detector=DetectorFaults(floor=0.3)),
    Street("frames lost", lost_frames=0.2, detector=DetectorFaults(floor=0.3)),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One tracker on one sequence; `switches` may be a mean, `update_ms` is the mean time of an update."""

    sequence: str
    tracker: str
    idf1: float
    mota: float
    hota: float
    switches: float
    update_ms: float


@dataclass(frozen=True, slots=True)
class Margin:
    """Our tracker's figures less the best of the package's three in each; `holds` where none is negative."""

    sequence: str
    tracker: str
    idf1: float
    mota: float
    hota: float

    @property
    def holds(self) -> bool:
        """Whether ours is at least equal in all three."""
        return min(self.idf1, self.mota, self.hota) >= 0.0


def tud_campus(data: Path, detector: Detector, name: str) -> Sequence:
    """TUD-Campus as a detector sees it: persons only.

    Args:
        data: the evaluation data.
        detector: any of persons.
        name: of the detector, for the table.
    """
    folder = data / "tracking" / "TUD-Campus"
    person = detector.labels.index(PERSON_LABEL)
    seconds, found = [], []
    with open_source(folder / "TUD-Campus.mp4") as source:
        for frame in source:
            detections = detector.detect(frame.image)
            seconds.append(frame.pts_seconds)
            found.append(detections[detections.class_id == person])
    title = f"TUD-Campus, {name} from {detector.min_confidence:g}"
    return Sequence(title, tuple(seconds), tuple(found), read_ground_truth(folder))


def detectors(data: Path, store: WeightStore) -> dict[str, Detector]:
    """The two of the comparison: the shared YOLOX-nano, and the default of the settings."""
    runtime = RuntimeOptions(intra_op_threads=1)
    default_id = load_config(None).models.detector or "yolov3-tiny"
    family = DETECTORS["yolox"]
    session = InferenceSession((data / "models" / "yolox_nano.onnx").read_bytes(), runtime)
    labels = store.catalog.get(default_id).labels
    parts = ModelParts(session, family.usual_input(session), labels)
    return {
        "yolox-nano": family.build(parts, SearchOptions()),
        default_id: build_detector(store, default_id, runtime),
    }


def thinned(sequence: Sequence, step: int) -> Sequence:
    """Every `step`-th frame, from the first on."""
    truth = sequence.truth
    kept = truth[(truth.frame - 1) % step == 0]
    frames = MotBoxes((kept.frame - 1) // step + 1, kept.track_id, kept.xyxy, kept.confidence, kept.class_id)
    name = f"{sequence.name}, one frame in {step}"
    return Sequence(name, sequence.seconds[::step], sequence.detections[::step], frames)


def compare(sequence: Sequence, ours: Mapping[str, Callable[[], Tracker]] = OURS) -> list[Row]:
    """Every tracker on one sequence, ours first."""
    rows = [_row(sequence, name, _follow(make().update, sequence)) for name, make in ours.items()]
    return rows + [_row(sequence, name, _follow(_theirs(kind), sequence)) for name, kind in THEIRS.items()]


def margins(rows: Iterable[Row], tracker: str = DEFAULT) -> list[Margin]:
    """How far one of our trackers is above the best of theirs, sequence by sequence."""
    by_sequence: dict[str, list[Row]] = {}
    for row in rows:
        by_sequence.setdefault(row.sequence, []).append(row)
    found = []
    for name, group in by_sequence.items():
        own = next(row for row in group if row.tracker == tracker)
        rivals = [row for row in group if row.tracker in THEIRS]
        found.append(
            Margin(
                name,
                tracker,
                own.idf1 - max(row.idf1 for row in rivals),
                own.mota - max(row.mota for row in rivals),
                own.hota - max(row.hota for row in rivals),
            )
        )
    return found


def rejoining(sequence: Sequence) -> list[Row]:
    """With and without re-joining, a fifth of the frames' detections removed: means over the seeds."""
    rows = [
        row for seed in LOST_SEEDS for row in compare(without_frames(sequence, LOST_SHARE, seed), REJOINED)
    ]
    return [
        _mean(
            f"{sequence.name}, {LOST_SHARE:.0%} of frames lost", name, [r for r in rows if r.tracker == name]
        )
        for name in [*REJOINED, *THEIRS]
    ]


def measure(data: Path, store: WeightStore, street_seeds: Iterable[int] = (1, 2)) -> dict[str, Any]:
    """Everything, as one JSON-ready document."""
    real = [tud_campus(data, detector, name) for name, detector in detectors(data, store).items()]
    seen = [row for sequence in real for row in compare(sequence)]
    thin = [row for sequence in real for row in compare(thinned(sequence, 2))]
    made_up = [
        row for street in STREETS for seed in street_seeds for row in compare(make_street(street, seed))
    ]
    lost = [row for sequence in real for row in rejoining(sequence)]
    return {
        "tud_campus": _document(seen),
        "tud_campus_thinned": _document(thin),
        "streets": _document(made_up),
        "frames_lost": {"share": LOST_SHARE, "seeds": len(LOST_SEEDS), "rows": [asdict(row) for row in lost]},
    }


def _document(rows: list[Row]) -> dict[str, Any]:
    found = margins(rows)
    return {
        "rows": [asdict(row) for row in rows],
        "margins": [asdict(margin) | {"holds": margin.holds} for margin in found],
        "share_holding": float(np.mean([margin.holds for margin in found])),
    }


def _follow(update: Callable[[Detections, float], Any], sequence: Sequence) -> tuple[MotBoxes, float]:
    """What a tracker says of a sequence, and the mean time of an update in milliseconds."""
    rows: list[tuple[float, ...]] = []
    spent = 0.0
    for number, (seconds, found) in enumerate(zip(sequence.seconds, sequence.detections, strict=True), 1):
        started = time.perf_counter()
        tracks = update(found, seconds)
        spent += time.perf_counter() - started
        for track_id, (x1, y1, x2, y2) in zip(tracks.track_id, tracks.xyxy.tolist(), strict=True):
            rows.append((number, int(track_id), x1, y1, x2 - x1, y2 - y1, 1.0, NO_CLASS))
    return MotBoxes.of_rows(rows), 1000.0 * spent / len(sequence.seconds)


@dataclass(frozen=True, slots=True)
class _Theirs:
    """What the package reports, under our names."""

    track_id: Any
    xyxy: Any


def _theirs(kind: str) -> Callable[[Detections, float], _Theirs]:
    import supervision
    import trackers

    tracker = getattr(trackers, kind)()

    def update(found: Detections, _: float) -> _Theirs:
        given = supervision.Detections(
            xyxy=np.array(found.xyxy, np.float64),
            confidence=np.array(found.confidence),
            class_id=np.array(found.class_id),
        )
        tracked = tracker.update(given)
        known = tracked.tracker_id >= 0 if len(tracked) else np.zeros(0, np.bool_)
        return _Theirs(tracked.tracker_id[known], tracked.xyxy[known])

    return update


def _row(sequence: Sequence, tracker: str, followed: tuple[MotBoxes, float]) -> Row:
    tracks, update_ms = followed
    score = score_tracks(sequence.truth, tracks, len(sequence.seconds))
    return Row(sequence.name, tracker, score.idf1, score.mota, score.hota, score.switches, update_ms)


def _mean(sequence: str, tracker: str, rows: list[Row]) -> Row:
    def mean(name: str) -> float:
        return float(np.mean([getattr(row, name) for row in rows]))

    figures = ("idf1", "mota", "hota", "switches", "update_ms")
    return Row(sequence, tracker, *(mean(name) for name in figures))


def main() -> None:
    """Prints everything as one JSON document."""
    data = os.environ.get("AIQYN_EVAL_DATA")
    if not data:
        raise typer.BadParameter("set AIQYN_EVAL_DATA to the folder with tracking/TUD-Campus and models/")
    root = load_config(None).paths.weights_dir
    store = WeightStore(root, load_catalog(root))
    typer.echo(json.dumps(measure(Path(data), store), indent=2))


if __name__ == "__main__":
    main()
