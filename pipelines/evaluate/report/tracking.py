"""The report of `aiqyn evaluate tracking`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.evaluate.mot import Float64, MotBoxes
from pipelines.evaluate.report import charts
from pipelines.evaluate.report.body import (
    MAX_EXHIBITS,
    Exhibit,
    Exhibits,
    Figure,
    Plot,
    ReportBody,
    Table,
    percent,
)
from pipelines.evaluate.report.identities import Followed, Gap, Switch, follow
from pipelines.evaluate.report.pictures import RIGHT, WRONG, with_boxes
from vision.errors import VisionError
from vision.sources import FrameSource
from vision.types import Image
from vision.video import open_source

_MOST_PEOPLE = 40


@dataclass(frozen=True, slots=True, repr=False)
class TrackingMatter:
    """What the report shows beside the figures.

    Attributes:
        video: the frames come from.
        ground_truth: in the video's pixels.
        tracks: reported.
        frames: in the video.
    """

    video: Path
    ground_truth: MotBoxes
    tracks: MotBoxes
    frames: int


def tracking_body(matter: TrackingMatter, document: Mapping[str, Any]) -> ReportBody:
    """Figures, plots and worst cases of a tracking run."""
    followed = follow(matter.ground_truth, matter.tracks, max(matter.frames, document["frames"]))
    people = list(dict.fromkeys(span.person for span in followed.spans))[:_MOST_PEOPLE]
    return ReportBody(
        title="Tracking: whether one person keeps one number",
        summary=(
            f"{document['ground_truth_tracks']} people in {document['frames']} frames, "
            f"{document['ground_truth_boxes']} boxes; {document['tracks']} tracks by {document['tracker']}."
        ),
        figures=_headline(document),
        plots=(
            Plot("The field's figures", charts.bars(_bars(document), "share"), "Computed by TrackEval."),
            Plot(
                "Who was tracked under which number",
                charts.spans(*_timeline(followed, people)),
                "A line a person; a change of colour is another number, a gap is a person lost. Crosses: switches.",
            ),
        ),
        tables=(_per_person(followed),),
        exhibits=tuple(_worst(matter, followed)),
        cautions=(
            "One sequence is one trial: there is no interval, and a difference of a few switches says little.",
            "The figures hold detector and tracker together; --detections compares trackers on the same boxes.",
        ),
    )


def _headline(document: Mapping[str, Any]) -> tuple[Figure, ...]:
    return (
        Figure("HOTA", percent(document["hota"])),
        Figure("IDF1", percent(document["idf1"])),
        Figure("MOTA", percent(document["mota"])),
        Figure("identity switches", str(document["switches"])),
        Figure("missed boxes", str(document["misses"])),
        Figure("false boxes", str(document["false_positives"])),
    )


def _bars(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    names = {
        "hota": "HOTA",
        "detection_accuracy": "DetA",
        "association_accuracy": "AssA",
        "idf1": "IDF1",
        "mota": "MOTA",
    }
    return [{"name": name, "value": document[key]} for key, name in names.items()]


def _timeline(followed: Followed, people: list[int]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    rows = [
        {"person": str(span.person), "start": span.first, "end": span.last + 1, "track": str(span.track)}
        for span in followed.spans
        if span.person in people
    ]
    marks = [
        {"person": str(switch.person), "frame": switch.frame}
        for switch in followed.switches
        if switch.person in people
    ]
    return rows, marks


def _per_person(followed: Followed) -> Table:
    rows = []
    for person, present in sorted(followed.present.items()):
        spans = [span for span in followed.spans if span.person == person]
        covered = sum(span.frames for span in spans)
        rows.append(
            (
                str(person),
                str(present),
                percent(covered / present),
                str(len({span.track for span in spans})),
                str(sum(switch.person == person for switch in followed.switches)),
            )
        )
    return Table(
        "By person", ("person", "frames", "tracked", "numbers", "switches"), tuple(rows[:_MOST_PEOPLE])
    )


def _worst(matter: TrackingMatter, followed: Followed) -> Iterable[Exhibits]:
    switches = followed.switches[:MAX_EXHIBITS]
    gaps = sorted(followed.gaps, key=lambda gap: -gap.frames)[:MAX_EXHIBITS]
    wanted = {frame for switch in switches for frame in (switch.before, switch.frame)}
    pictures = _frames(matter.video, wanted | {gap.middle for gap in gaps})
    yield Exhibits(
        "Identity switches",
        f"{len(followed.switches)} in all. Left: the last frame under the old number. Right: the first under the new one. "
        "Green: the person; orange: the track.",
        tuple(_switch(matter, pictures, switch) for switch in switches),
    )
    yield Exhibits(
        "Lost the longest",
        f"{len(followed.gaps)} gaps in all. The middle of each. Orange: the person whom no track follows.",
        tuple(_gap(matter, pictures, gap) for gap in gaps),
    )


def _switch(matter: TrackingMatter, pictures: Mapping[int, Image], switch: Switch) -> Exhibit:
    jpegs = []
    for frame, track in ((switch.before, switch.old_track), (switch.frame, switch.new_track)):
        person = _box(matter.ground_truth, frame, switch.person)
        followed_by = _box(matter.tracks, frame, track)
        if frame in pictures and person is not None:
            drawn = [(person, RIGHT, "")]
            drawn += [(followed_by, WRONG, str(track))] if followed_by is not None else []
            jpegs.append(with_boxes(pictures[frame], drawn, person))
    words = f"person {switch.person}: {switch.old_track} until frame {switch.before}, {switch.new_track} from frame {switch.frame}"
    return Exhibit(tuple(jpegs), words)


def _gap(matter: TrackingMatter, pictures: Mapping[int, Image], gap: Gap) -> Exhibit:
    person = _box(matter.ground_truth, gap.middle, gap.person)
    seen = gap.middle in pictures and person is not None
    jpegs = (
        (with_boxes(pictures[gap.middle], [(person, WRONG, "")], person),)
        if seen and person is not None
        else ()
    )
    return Exhibit(jpegs, f"person {gap.person}: frames {gap.first} to {gap.last}")


def _box(boxes: MotBoxes, frame: int, track_id: int) -> Float64 | None:
    rows = np.flatnonzero((boxes.frame == frame) & (boxes.track_id == track_id))
    return boxes.xyxy[rows[0]] if len(rows) else None


def _frames(video: Path, wanted: set[int]) -> dict[int, Image]:
    """Frames by number from 1; those that cannot be had any more are left out."""
    pictures: dict[int, Image] = {}
    if not wanted:
        return pictures
    try:
        with open_source(video) as source:
            _collect(source, wanted, pictures)
    except VisionError:
        return pictures
    return pictures


def _collect(source: FrameSource, wanted: set[int], pictures: dict[int, Image]) -> None:
    last = max(wanted)
    for picture in source.pictures():
        number = picture.frame_index + 1
        if number in wanted:
            pictures[number] = picture.to_frame().image
        if number >= last:
            return
