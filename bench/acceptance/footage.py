"""Line 2 of issue 1: the Hamilton clip, with its own four references and among 844 strangers."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.acceptance.lines import Figure, at_least, equals, holds
from bench.acceptance.programs import aiqyn, evaluation_data

MIRANDA = "lin-manuel-miranda"
OBAMA = "barack-obama"
LACAMOIRE = "alex-lacamoire"

STREAM_START_SECONDS = 0.852
"""What the clip's video reads at its first picture; the data's page counts from that picture."""

VISIBLE_SECONDS = {
    MIRANDA: ((0.0, 0.9), (2.6, 7.2)),
    OBAMA: ((7.1, 9.3),),
    LACAMOIRE: ((0.0, 2.7),),
}
"""When each listed person is in the clip, by the data's own page, with a tenth of a second to spare."""

MAIN_SECONDS = 6.0
"""Obama's track begins after this; everything about him is read off tracks that do."""

_LEAST_KEYS = {
    "subject_id",
    "similarity",
    "threshold",
    "pts_seconds",
    "track_id",
    "frames_fused",
    "evidence",
    "status",
}


def measure() -> Iterator[Figure]:
    """Both runs; the second with every person of `lfw2` added to the references."""
    faces = evaluation_data() / "faces"
    clip = faces / "hamilton" / "short_hamilton_clip.mp4"
    with tempfile.TemporaryDirectory() as folder:
        out, crowd = Path(folder) / "out", Path(folder) / "references"
        references = faces / "hamilton" / "references"
        alone = aiqyn("analyze", clip, "--watchlist", references, "--json", "--out", out)
        yield equals("exit code, four references", alone.exit_code, 0)
        yield from _four_references(alone.document())
        yield from _written(out)
        people = with_strangers(references, faces / "lfw2" / "images", crowd)
        among = aiqyn("analyze", clip, "--watchlist", crowd, "--json", "--explain")
        yield equals("people on the list with `lfw2` added", people, 848)
        yield from _among_strangers(among.document())


def _four_references(found: dict[str, Any]) -> Iterator[Figure]:
    candidates = found["candidates"]
    yield holds("every candidate has the keys promised", all(set(item) >= _LEAST_KEYS for item in candidates))
    yield holds("all unconfirmed", all(item["status"] == "unconfirmed" for item in candidates))
    yield at_least("candidates for Miranda", count(candidates, MIRANDA), 1)
    yield at_least("candidates for Obama", count(candidates, OBAMA), 1)
    yield equals("candidates for Biden", count(candidates, "joe-biden"), 0)
    yield equals("people named wrongly", wrong(candidates), 0)
    counted = found["frame_accounting"]
    explained = counted["undecodable"] + counted["not_sampled"] + counted["gated"] + counted["inferred"]
    yield equals(
        "frames read not accounted for", counted["read"] - explained - sum(counted["dropped"].values()), 0
    )
    seconds = found["media_seconds"], found["elapsed_seconds"]
    yield Figure("elapsed seconds per second of footage", seconds[1] / seconds[0], "reported", True)


def _among_strangers(found: dict[str, Any]) -> Iterator[Figure]:
    candidates, tracks = found["candidates"], found["tracks"]
    yield equals("people named wrongly among 848", wrong(candidates), 0)
    yield at_least("candidates for Miranda among 848", count(candidates, MIRANDA), 1)
    his = [
        track["best"][0]["similarity"]
        for track in tracks
        if track["best"] and track["best"][0]["subject_id"] == OBAMA and track["pts_seconds"] > MAIN_SECONDS
    ]
    yield at_least("tracks at whose rank 1 Obama is, among 848", len(his), 1)
    yield Figure("similarity there", max(his, default=None), "reported", True)


def _written(out: Path) -> Iterator[Figure]:
    yield holds("--out: manifest", (out / "manifest.json").is_file())
    yield at_least("--out: pictures of evidence", sum(1 for _ in out.glob("evidence/**/*.jpg")), 2)
    yield at_least("--out: annotated videos", sum(1 for _ in out.glob("annotated/*.mp4")), 1)


def with_strangers(references: Path, strangers: Path, target: Path) -> int:
    """The references and one picture of every stranger in a new folder; how many people that makes."""
    shutil.copytree(references, target)
    for person in strangers.iterdir():
        (target / person.name).mkdir()
        first = min(person.iterdir())
        shutil.copy(first, target / person.name / first.name)
    return sum(1 for _ in target.iterdir())


def count(candidates: list[dict[str, Any]], subject_id: str) -> int:
    """Candidates for one person."""
    return sum(item["subject_id"] == subject_id for item in candidates)


def wrong(candidates: list[dict[str, Any]]) -> int:
    """Candidates for somebody who is not in the clip at that moment."""
    return sum(
        not any(
            start <= item["pts_seconds"] - STREAM_START_SECONDS <= end
            for start, end in VISIBLE_SECONDS.get(item["subject_id"], ())
        )
        for item in candidates
    )
