"""Who was followed by whom: switches as TrackEval counts them, and what lies between."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.evaluate.mot import MotBoxes
from pipelines.evaluate.report.identities import Gap, Span, Switch, follow
from pipelines.evaluate.tracking import score_tracks


def row(
    frame: int, track_id: int, left: float = 10.0, class_id: int = -1, flag: float = 1
) -> tuple[float, ...]:
    return frame, track_id, left, 10.0, 40.0, 100.0, flag, class_id


def boxes(*rows: tuple[float, ...]) -> MotBoxes:
    return MotBoxes.of_rows(list(rows))


def test_a_new_number_after_a_gap() -> None:
    truth = boxes(*(row(frame, 1) for frame in range(1, 11)))
    tracks = boxes(*(row(frame, 5) for frame in range(1, 4)), *(row(frame, 6) for frame in range(7, 11)))
    found = follow(truth, tracks, 10)
    assert found.spans == (Span(1, 5, 1, 3), Span(1, 6, 7, 10))
    assert found.gaps == (Gap(1, 4, 6),)
    assert found.switches == (Switch(1, 5, 6, before=3, frame=7),)
    assert found.present == {1: 10}
    assert (found.gaps[0].middle, found.gaps[0].frames) == (5, 3)


def test_a_pair_that_goes_on_is_kept_before_a_better_one() -> None:
    truth = boxes(row(1, 1), row(2, 1))
    tracks = boxes(row(1, 5), row(2, 5, left=20), row(2, 6))
    assert follow(truth, tracks, 2).switches == ()


def test_only_people_who_count() -> None:
    truth = boxes(row(1, 1, class_id=1), row(1, 2, 200, class_id=3), row(1, 3, 300, class_id=1, flag=0))
    assert set(follow(truth, boxes(row(1, 9)), 1).present) == {1}


@pytest.mark.parametrize("seed", range(6))
def test_as_many_switches_and_misses_as_trackeval_counts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, tracks = [], []
    for person in range(1, 5):
        left = 60.0 * person
        for frame in range(1, 41):
            left += rng.normal(0, 6)
            truth.append(row(frame, person, left))
            if rng.uniform() < 0.8:
                tracks.append(row(frame, 10 * person + int(rng.integers(0, 2)), left + rng.normal(0, 4)))
    score = score_tracks(boxes(*truth), boxes(*tracks), 40)
    found = follow(boxes(*truth), boxes(*tracks), 40)
    assert len(found.switches) == score.switches > 0
    assert sum(gap.frames for gap in found.gaps) == score.misses
    assert sum(span.frames for span in found.spans) == score.ground_truth_boxes - score.misses
