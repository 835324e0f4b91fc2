"""Our tracking figures against TrackEval's own evaluator, run from files as its authors run it."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
import trackeval

from pipelines.evaluate.mot import MotBoxes, read_ground_truth, read_mot
from pipelines.evaluate.tracking import score_tracks

TOLERANCE = 1e-3


def write_mot(path: Path, boxes: MotBoxes, with_class: bool) -> None:
    """A MOTChallenge file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for row in range(len(boxes)):
        x1, y1, x2, y2 = boxes.xyxy[row].tolist()
        values = [boxes.frame[row], boxes.track_id[row], x1, y1, x2 - x1, y2 - y1, boxes.confidence[row]]
        values += [boxes.class_id[row], 1.0] if with_class else [-1, -1, -1]
        lines.append(",".join(str(value) for value in values))
    path.write_text("\n".join(lines) + "\n")


def official(
    folder: Path, ground_truth: MotBoxes, tracks: MotBoxes, frames: int, benchmark: str
) -> dict[str, float]:
    """HOTA, IDF1, MOTA and switches of TrackEval's evaluator."""
    write_mot(folder / "gt" / "seq" / "gt" / "gt.txt", ground_truth, benchmark != "MOT15")
    write_mot(folder / "trackers" / "ours" / "data" / "seq.txt", tracks, with_class=False)
    dataset = {
        "GT_FOLDER": str(folder / "gt"),
        "TRACKERS_FOLDER": str(folder / "trackers"),
        "OUTPUT_FOLDER": str(folder / "out"),
        "BENCHMARK": benchmark,
        "SKIP_SPLIT_FOL": True,
        "SEQ_INFO": {"seq": frames},
        "PRINT_CONFIG": False,
    }
    quiet = {"PRINT_RESULTS": False, "PRINT_CONFIG": False, "TIME_PROGRESS": False, "OUTPUT_SUMMARY": False}
    quiet |= {"OUTPUT_DETAILED": False, "PLOT_CURVES": False, "BREAK_ON_ERROR": True}
    with contextlib.redirect_stdout(io.StringIO()):
        metrics = [trackeval.metrics.HOTA(), trackeval.metrics.CLEAR(), trackeval.metrics.Identity()]
        evaluator = trackeval.Evaluator(quiet)
        results, _ = evaluator.evaluate([trackeval.datasets.MotChallenge2DBox(dataset)], metrics)
    found = results["MotChallenge2DBox"]["ours"]["seq"]["pedestrian"]
    return {
        "hota": float(np.mean(found["HOTA"]["HOTA"])),
        "idf1": float(found["Identity"]["IDF1"]),
        "mota": float(found["CLEAR"]["MOTA"]),
        "switches": float(found["CLEAR"]["IDSW"]),
    }


def imperfect(ground_truth: MotBoxes, seed: int) -> MotBoxes:
    """Tracks like the ground truth's: shaken, with gaps, swaps, false boxes and changing ids."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[float, ...]] = []
    for row in np.flatnonzero(rng.random(len(ground_truth)) < 0.85):
        x1, y1, x2, y2 = ground_truth.xyxy[row] + rng.normal(0, 5, 4)
        track_id = int(ground_truth.track_id[row]) + (
            20 if ground_truth.frame[row] > 30 + 3 * row % 20 else 0
        )
        rows.append(
            (int(ground_truth.frame[row]), track_id, x1, y1, max(x2 - x1, 1), max(y2 - y1, 1), 1.0, -1)
        )
    rows += [(frame, 900, 10.0 + frame, 20.0, 60.0, 120.0, 1.0, -1) for frame in range(1, 60, 2)]
    return MotBoxes.of_rows(rows)


def made_up_mot17(frames: int = 60) -> MotBoxes:
    """Pedestrians, distractors and boxes to be ignored, as MOT17's ground truth mixes them."""
    rows: list[tuple[float, ...]] = []
    for number, (class_id, flag) in enumerate(
        [(1, 1), (1, 1), (1, 0), (2, 1), (7, 1), (8, 0), (12, 0), (3, 1), (1, 1)], 1
    ):
        rows += [
            (frame, number, 90.0 * number + 2 * frame, 50.0 + 10 * number, 40, 100, flag, class_id)
            for frame in range(1, frames + 1)
        ]
    return MotBoxes.of_rows(rows)


def assert_agrees(
    folder: Path, ground_truth: MotBoxes, tracks: MotBoxes, frames: int, benchmark: str
) -> None:
    theirs = official(folder, ground_truth, tracks, frames, benchmark)
    score = score_tracks(ground_truth, tracks, frames)
    assert score.hota == pytest.approx(theirs["hota"], abs=TOLERANCE)
    assert score.idf1 == pytest.approx(theirs["idf1"], abs=TOLERANCE)
    assert score.mota == pytest.approx(theirs["mota"], abs=TOLERANCE)
    assert score.switches == theirs["switches"]


@pytest.mark.evaldata
@pytest.mark.parametrize("seed", range(3))
def test_tud_campus(tmp_path: Path, eval_data: Path, seed: int) -> None:
    ground_truth = read_ground_truth(eval_data / "tracking" / "TUD-Campus")
    assert_agrees(tmp_path, ground_truth, imperfect(ground_truth, seed), 71, "MOT15")


@pytest.mark.parametrize("seed", range(3))
def test_classes_and_distractors(tmp_path: Path, seed: int) -> None:
    ground_truth = made_up_mot17()
    assert_agrees(tmp_path, ground_truth, imperfect(ground_truth, seed), 60, "MOT17")


def test_without_the_distractor_rule_it_would_not_agree(tmp_path: Path) -> None:
    ground_truth = made_up_mot17()
    tracks = imperfect(ground_truth, 0)
    theirs = official(tmp_path, ground_truth, tracks, 60, "MOT17")
    people_only = ground_truth[(ground_truth.class_id == 1) & (ground_truth.confidence != 0)]
    assert abs(score_tracks(people_only, tracks, 60).mota - theirs["mota"]) > 10 * TOLERANCE


def test_no_tracks_at_all(tmp_path: Path) -> None:
    ground_truth = made_up_mot17()
    tracks = MotBoxes.of_rows([(1, 1, 5000.0, 5000.0, 10, 10, 1, -1)])
    assert_agrees(tmp_path, ground_truth, tracks, 60, "MOT17")


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    ground_truth = made_up_mot17()
    write_mot(tmp_path / "gt.txt", ground_truth, with_class=True)
    again = read_mot(tmp_path / "gt.txt")
    np.testing.assert_allclose(again.xyxy, ground_truth.xyxy)
    np.testing.assert_array_equal(again.class_id, ground_truth.class_id)
