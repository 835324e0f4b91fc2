"""Files searched with painted people: candidates, totals, evidence, resumption, broken inputs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.accounting import FrameAccounting
from pipelines.analysis import Analysis, AnalyzedInput, total_accounting
from pipelines.analyze import AnalyzeOptions
from pipelines.analyze_inputs import find_inputs
from pipelines.analyze_run import AnalyzeRequest, Listeners, RunResult, run_analysis
from pipelines.build import Perception
from pipelines.enrol import PictureReport
from pipelines.errors import EnrolError, EvidenceError
from pipelines.events import ModelRef
from tests.fake_engine import (
    CALIBRATION,
    EMBEDDER_ID,
    FakeDetector,
    FakeEmbedder,
    FakeFaceDetector,
    Painted,
    fake_quality,
    new_tracker,
    square,
)
from tests.fake_footage import standing, write_reference, write_video
from vision.images import read_image
from vision.types import Image

ANN, BEA, STRANGER = 10, 60, 110


class Told:
    """Everything a run says while it lasts."""

    def __init__(self) -> None:
        self.ended: list[AnalyzedInput] = []
        self.problems: list[str] = []
        self.references: list[PictureReport] = []
        self.reached_seconds = 0.0

    def input_started(self, path: Path) -> None:
        """Nothing to note."""

    def reached(self, media_seconds: float) -> None:
        assert media_seconds >= 0
        self.reached_seconds = media_seconds

    def input_ended(self, result: AnalyzedInput) -> None:
        self.ended.append(result)

    @property
    def listeners(self) -> Listeners:
        return Listeners(self, self.references.append, self.problems.append)


class Engine:
    """A perception of fakes that counts what it embeds."""

    def __init__(self) -> None:
        self.embedder = FakeEmbedder()
        self.perception = Perception(
            detector=FakeDetector(),
            face_detector=FakeFaceDetector(),
            embedder=self.embedder,
            embedder_id=EMBEDDER_ID,
            calibration=CALIBRATION,
            new_face_tracker=new_tracker,
            new_object_tracker=new_tracker,
            models=(ModelRef(role="embedder", id="fake", sha256="0" * 64),),
            preprocessing="none",
            providers=(),
        )


@pytest.fixture(autouse=True)
def _every_painted_face_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.build.measure", fake_quality)


@pytest.fixture
def watchlist(tmp_path: Path) -> Path:
    write_reference(tmp_path / "list", "ann", ANN)
    write_reference(tmp_path / "list", "bea", BEA)
    return tmp_path / "list"


def clip(path: Path, *people: int, seconds: float = 1.0) -> Path:
    """Everybody stands side by side."""
    shot = [standing(person, 20 + 90 * place) for place, person in enumerate(people)]
    return write_video(path, [shot] * round(seconds * 10))


def run(
    watchlist: Path,
    inputs: Sequence[Path],
    *,
    options: AnalyzeOptions | None = None,
    out: Path | None = None,
    engine: Engine | None = None,
    told: Told | None = None,
) -> RunResult:
    request = AnalyzeRequest(tuple(inputs), watchlist, options or AnalyzeOptions(), out, "a test")
    return run_analysis(request, (engine or Engine()).perception, (told or Told()).listeners)


def test_finds_the_listed_and_nobody_else(tmp_path: Path, watchlist: Path) -> None:
    result = run(watchlist, [clip(tmp_path / "a.mkv", ANN, STRANGER)])
    (candidate,) = result.analysis.candidates
    assert (candidate.subject_id, candidate.number, candidate.status) == ("ann", 1, "unconfirmed")
    assert candidate.similarity >= candidate.threshold
    assert candidate.input.endswith("a.mkv")
    assert candidate.observed_at is None
    assert [item.kind for item in candidate.evidence] == ["input_frame"]
    assert candidate.evidence[0].path is None
    assert (result.failures, result.inputs_searched) == ((), 1)


def test_totals_are_the_sum_of_the_inputs(tmp_path: Path, watchlist: Path) -> None:
    inputs = [clip(tmp_path / "a.mkv", ANN), clip(tmp_path / "b.mkv", BEA, seconds=2)]
    analysis = run(watchlist, inputs).analysis
    assert [c.input for c in analysis.candidates] == [str(path) for path in inputs]
    assert [c.number for c in analysis.candidates] == [1, 1]
    assert analysis.frame_accounting.read == analysis.frame_accounting.inferred == 30
    assert analysis.media_seconds == pytest.approx(3.0)
    assert [summary.status for summary in analysis.inputs] == ["done", "done"]


def test_the_document_has_what_it_promises(tmp_path: Path, watchlist: Path) -> None:
    analysis = run(watchlist, [clip(tmp_path / "a.mkv", ANN)]).analysis
    document = json.loads(json.dumps(analysis.document()))
    assert document["schema"] == "aiqyn.analysis/1"
    assert {"candidates", "frame_accounting", "media_seconds", "elapsed_seconds"} <= document.keys()
    assert "tracks" not in document
    assert "signature" not in json.dumps(document)
    assert Analysis.model_validate(document).candidates == analysis.candidates


@pytest.mark.parametrize("threads", [2, 5])
def test_any_number_of_threads_writes_the_same_document_and_folder(
    tmp_path: Path, watchlist: Path, threads: int
) -> None:
    inputs = [clip(tmp_path / "a.mkv", ANN, STRANGER, seconds=2), clip(tmp_path / "b.mkv", BEA, ANN)]
    said, written = [], []
    for number in (1, threads):
        out = tmp_path / f"out-{number}"
        options = AnalyzeOptions(explain=True, threads=number)
        document = run(watchlist, inputs, options=options, out=out).analysis.document()
        said.append(without_times(document))
        files = (path for path in out.rglob("*") if path.is_file() and path.suffix in {".jpg", ".png"})
        written.append({str(path.relative_to(out)): path.read_bytes() for path in files})
    assert said[0] == said[1]
    assert written[0] == written[1]
    assert len(said[0]["candidates"]) == 3


def without_times(document: Any) -> Any:
    """What an analysis says but how long it took."""
    if isinstance(document, dict):
        return {name: without_times(value) for name, value in document.items() if name != "elapsed_seconds"}
    return [without_times(each) for each in document] if isinstance(document, list | tuple) else document


def test_explain_tells_whom_every_track_resembled(tmp_path: Path, watchlist: Path) -> None:
    options = AnalyzeOptions(explain=True)
    analysis = run(watchlist, [clip(tmp_path / "a.mkv", ANN, STRANGER)], options=options).analysis
    assert len(analysis.document()["tracks"]) == 2
    tracks = {track.track_id: track for track in analysis.tracks or ()}
    found = analysis.candidates[0].track_id
    assert tracks[found].best[0].subject_id == "ann"
    (other,) = (track for track in tracks.values() if track.track_id != found)
    assert {resemblance.subject_id for resemblance in other.best} == {"ann", "bea"}
    assert other.best[0].similarity < analysis.thresholds.threshold
    assert other.frames_seen == 10


def test_recorded_at_gives_every_candidate_its_time(tmp_path: Path, watchlist: Path) -> None:
    moment = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
    path = write_video(tmp_path / "a.mkv", [[]] * 20 + [[standing(ANN)]] * 5)
    (candidate,) = run(watchlist, [path], options=AnalyzeOptions(recorded_at=moment)).analysis.candidates
    assert candidate.observed_at is not None
    assert (candidate.observed_at - moment).total_seconds() == pytest.approx(candidate.pts_seconds)
    assert candidate.observed_at_source == "recorded_at"


def test_a_broken_input_costs_the_others_nothing(tmp_path: Path, watchlist: Path) -> None:
    text, cut = tmp_path / "text.mp4", tmp_path / "cut.mkv"
    text.write_text("this is no video\n" * 100)
    whole = clip(tmp_path / "whole.mkv", ANN, seconds=3)
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    told = Told()
    inputs = [text, tmp_path / "nowhere.mp4", cut, whole]
    result = run(watchlist, inputs, told=told)
    assert [s.status for s in result.analysis.inputs][:2] == ["failed", "failed"]
    assert result.analysis.inputs[3].status == "done"
    assert result.analysis.candidates[-1].input == str(whole)
    for path in inputs[:2]:
        (line,) = (line for line in told.problems if str(path) in line)
        assert "\n" not in line
    assert list(result.failures) == told.problems
    assert result.analysis.frame_accounting.unaccounted == 0


def test_bad_references_are_told_and_the_rest_goes_on(tmp_path: Path, watchlist: Path) -> None:
    (watchlist / "cleo").mkdir()
    (watchlist / "cleo" / "1.png").write_bytes(b"")
    (watchlist / "dora").mkdir()
    told = Told()
    result = run(watchlist, [clip(tmp_path / "a.mkv", ANN)], told=told)
    assert len(result.analysis.candidates) == 1
    assert len(told.problems) == 2
    assert "cleo" in told.problems[0] or "cleo" in told.problems[1]
    assert result.analysis.watchlist.subjects == 2
    assert [r.path for r in result.analysis.watchlist.refused] == [str(watchlist / "cleo" / "1.png")]


def test_a_list_without_a_usable_reference_is_an_error(tmp_path: Path) -> None:
    path = write_reference(tmp_path / "list", "ann", ANN)
    path.write_bytes(b"")
    with pytest.raises(EnrolError, match="none of its 1 pictures can be used"):
        run(tmp_path / "list", [clip(tmp_path / "a.mkv", ANN)])


def test_out_holds_evidence_video_results_and_manifest(tmp_path: Path, watchlist: Path) -> None:
    out = tmp_path / "out"
    analysis = run(watchlist, [clip(tmp_path / "a.mkv", ANN, STRANGER)], out=out).analysis
    (candidate,) = analysis.candidates
    assert [item.kind for item in candidate.evidence] == ["input_frame", "frame_redacted", "probe"]
    for item in candidate.evidence[1:]:
        assert item.path is not None
        content = (out / item.path).read_bytes()
        assert hashlib.sha256(content).hexdigest() == item.sha256
    assert json.loads((out / "analysis.json").read_text())["candidates"][0]["subject_id"] == "ann"
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["purpose"] == "a test"
    assert manifest["inputs"][0]["sha256"] == candidate.input_sha256
    assert not any(f'"{name}"' in json.dumps(manifest) for name in ("ann", "bea"))
    written = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert {record["path"] for record in manifest["outputs"]} == written - {"manifest.json"}
    for record in manifest["outputs"]:
        assert hashlib.sha256((out / record["path"]).read_bytes()).hexdigest() == record["sha256"]


def test_the_redacted_frame_and_the_probe_show_nobody_else(tmp_path: Path, watchlist: Path) -> None:
    out = tmp_path / "out"
    # Within the portrait's margin, and smaller than a block: a painted face that fills one keeps its colour.
    shot = [standing(ANN, 20), Painted(STRANGER, square(62, 68, 24))]
    (candidate,) = run(watchlist, [write_video(tmp_path / "a.mkv", [shot] * 5)], out=out).analysis.candidates
    for item in candidate.evidence[1:]:
        assert item.path is not None
        picture = read_image(out / item.path)
        # JPEG blurs the edge of a painted face; what is inside it stays within a few levels.
        assert pixels_like(picture, ANN) > 500
        assert pixels_like(picture, STRANGER) < 5


def pixels_like(picture: Image, person: int) -> int:
    """Pixels that could be of this person's painted face."""
    colour = np.array([person, 251, 253])
    return int((np.abs(picture.astype(int) - colour).max(axis=2) < 12).sum())


def test_a_finished_input_is_not_searched_again(tmp_path: Path, watchlist: Path) -> None:
    out, path = tmp_path / "out", clip(tmp_path / "a.mkv", ANN)
    first = run(watchlist, [path], out=out).analysis
    engine, told = Engine(), Told()
    second = run(watchlist, [path], out=out, engine=engine, told=told).analysis
    assert [summary.status for summary in second.inputs] == ["reused"]
    assert second.candidates == first.candidates
    assert engine.embedder.faces_embedded == 2  # the references alone
    assert second.frame_accounting == first.frame_accounting


def test_a_copy_under_another_name_is_not_searched_twice(tmp_path: Path, watchlist: Path) -> None:
    path = clip(tmp_path / "a.mkv", ANN)
    copy = shutil.copy(path, tmp_path / "b.mkv")
    analysis = run(watchlist, [path, Path(copy)], out=tmp_path / "out").analysis
    assert [summary.status for summary in analysis.inputs] == ["done", "reused"]
    assert [candidate.input for candidate in analysis.candidates] == [str(path), str(copy)]


@pytest.mark.parametrize("change", ["settings", "list", "result"])
def test_what_changes_the_result_is_searched_again(tmp_path: Path, watchlist: Path, change: str) -> None:
    out, path = tmp_path / "out", clip(tmp_path / "a.mkv", ANN)
    run(watchlist, [path], out=out)
    options = AnalyzeOptions()
    if change == "settings":
        options = AnalyzeOptions(explain=True)
    elif change == "list":
        write_reference(watchlist, "cleo", 160)
    else:
        (result,) = (out / "results").iterdir()
        result.write_text(result.read_text()[:-40])
    analysis = run(watchlist, [path], out=out, options=options).analysis
    assert [summary.status for summary in analysis.inputs] == ["done"]
    assert len(analysis.candidates) == 1


def test_an_incomplete_input_is_searched_again(tmp_path: Path, watchlist: Path) -> None:
    whole = clip(tmp_path / "whole.mkv", ANN, seconds=3)
    cut = tmp_path / "text.mkv"
    cut.write_text("no video")
    for _ in range(2):
        analysis = run(watchlist, [cut, whole], out=tmp_path / "out").analysis
        assert analysis.inputs[0].status == "failed"
    assert analysis.inputs[1].status == "reused"


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path, watchlist: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(EvidenceError, match="out: cannot be created"):
        run(watchlist, [clip(tmp_path / "a.mkv", ANN)], out=tmp_path / "out")


def test_folders_stand_for_their_videos_or_are_one_input_of_pictures(tmp_path: Path) -> None:
    videos, pictures, empty = tmp_path / "videos", tmp_path / "pictures", tmp_path / "empty"
    for path in (videos / "b10.mp4", videos / "b2.MP4", videos / "deep" / "a.mkv", videos / "notes.txt"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    write_reference(pictures, ".", ANN)
    empty.mkdir()
    found = find_inputs([videos, pictures, empty, tmp_path / "named.bin", videos / "b2.MP4"])
    assert found.paths == (
        videos / "b2.MP4",
        videos / "b10.mp4",
        videos / "deep" / "a.mkv",
        pictures,
        tmp_path / "named.bin",
    )
    assert [path for path, _ in found.problems] == [empty]


def test_what_may_never_end_or_is_no_path_is_no_input(tmp_path: Path) -> None:
    pipe, too_long = tmp_path / "pipe.mp4", tmp_path / ("a" * 300)
    os.mkfifo(pipe)
    found = find_inputs([pipe, Path("rtsp://viewer:hunter2@192.0.2.1/stream"), too_long])
    assert found.paths == ()
    reasons = {str(path): reason for path, reason in found.problems}
    assert reasons[str(pipe)] == "is neither a file nor a folder"
    assert "is an address" in reasons["rtsp:/***@192.0.2.1/stream"]
    assert reasons[str(too_long)] == "File name too long"


def test_a_folder_of_pictures_is_searched_like_a_video(tmp_path: Path, watchlist: Path) -> None:
    write_reference(tmp_path, "pictures", ANN)
    (candidate,) = run(watchlist, [tmp_path / "pictures"]).analysis.candidates
    assert (candidate.subject_id, candidate.single_look) == ("ann", True)


def test_adding_up_keeps_every_reason() -> None:
    one = FrameAccounting(read=3, decoded=3, inferred=1, dropped={"stopped": 2})
    two = FrameAccounting(read=2, decoded=1, undecodable=1, dropped={"stopped": 1})
    assert total_accounting((one, two)).dropped == {"stopped": 3}
    assert total_accounting((one, two)).read == 5
    assert total_accounting(()) == FrameAccounting()
