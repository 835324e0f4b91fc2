"""One finding per track and subject: when it is told, told again, and taken back.

A subject a track was decided for is not told about again and again. It is revised where something material
changed, at most once a second and so many times, and withdrawn where later looks bring the similarity clearly
below the threshold. What is material is measured by the embedder's own scale, between the similarity under which
two looks disagree and the threshold: a quarter of that is about a factor of three in the rate of false matches.
"""

from __future__ import annotations

from dataclasses import dataclass

from vision.identify.fusion import Decision


@dataclass(frozen=True, slots=True)
class RevisionRules:
    """When a finding is revised.

    Attributes:
        min_interval_seconds: between two revisions; a withdrawal does not wait.
        max_revisions: tellings at most, the first included; one withdrawal may come on top.
        material_share: a change of similarity of so much of the way from disagreement to the threshold is
            material, and a similarity so far below the threshold is clearly below it.
        better_picture: a picture whose quality is so many times that of the one told is material.
    """

    min_interval_seconds: float = 1.0
    max_revisions: int = 8
    material_share: float = 0.25
    better_picture: float = 1.2


@dataclass(frozen=True, slots=True)
class Telling:
    """What is to be told.

    Attributes:
        decision: of whom, and how similar now.
        revision: from 1.
        withdrawn: whether it is taken back.
    """

    decision: Decision
    revision: int
    withdrawn: bool = False


@dataclass(slots=True)
class _Told:
    revision: int
    similarity: float
    single_look: bool
    picture_score: float
    pts_seconds: float
    withdrawn: bool = False


class Tellings:
    """What one track's findings have said so far.

    Args:
        rules: when they are revised.
        floor_similarity: similarity under which two looks are hardly of one face, of the embedder in use.
    """

    __slots__ = ("_floor", "_rules", "_told")

    def __init__(self, rules: RevisionRules, floor_similarity: float) -> None:
        self._rules = rules
        self._floor = floor_similarity
        self._told: dict[str, _Told] = {}

    def decided(self, decision: Decision, picture_score: float, pts_seconds: float) -> Telling | None:
        """A track was decided for a subject, for the first time or after a withdrawal.

        Returns:
            None where it was told and taken back often enough, or one look contradicts those that took it back.
        """
        told = self._told.get(decision.subject_id)
        if told is None:
            return self._tell(decision, picture_score, pts_seconds)
        if decision.single_look or told.revision >= self._rules.max_revisions:
            return None
        return self._tell(decision, picture_score, pts_seconds)

    def looked_again(self, standing: Decision, picture_score: float, pts_seconds: float) -> Telling | None:
        """Another look at a track that was decided for this subject; None mostly.

        Args:
            standing: what the fused looks say of the subject now.
            picture_score: quality of the best picture so far.
            pts_seconds: of the look.
        """
        told = self._told.get(standing.subject_id)
        if told is None or told.withdrawn:
            return None
        margin = self._rules.material_share * max(0.0, standing.threshold - self._floor)
        if standing.similarity < standing.threshold - margin:
            return self._tell(standing, picture_score, pts_seconds, withdrawn=True)
        waits = pts_seconds - told.pts_seconds < self._rules.min_interval_seconds
        # Between clearly below and the threshold what was said stands: nothing below it is ever told as a match.
        if waits or told.revision >= self._rules.max_revisions or standing.similarity < standing.threshold:
            return None
        material = (
            told.single_look
            or abs(standing.similarity - told.similarity) > margin
            or picture_score >= self._rules.better_picture * told.picture_score
        )
        return self._tell(standing, picture_score, pts_seconds) if material else None

    def forget(self) -> None:
        """As new: the track is somebody else's now."""
        self._told.clear()

    def _tell(
        self, decision: Decision, picture_score: float, pts_seconds: float, *, withdrawn: bool = False
    ) -> Telling:
        before = self._told.get(decision.subject_id)
        revision = before.revision + 1 if before else 1
        self._told[decision.subject_id] = _Told(
            revision, decision.similarity, decision.single_look, picture_score, pts_seconds, withdrawn
        )
        return Telling(decision, revision, withdrawn)
