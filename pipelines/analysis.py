"""What `aiqyn analyze` prints and writes: one JSON document, `aiqyn.analysis/1`.

It is read by people and programs, never by the service: nothing in it is signed, every candidate is
`unconfirmed`, and no field of it can enter a stream.
"""

from __future__ import annotations

import uuid
from typing import Any, Literal

from pydantic import Field

from pipelines.accounting import FrameAccounting
from pipelines.events import ModelRef, Point, Quality, Sha256, Software, UtcDatetime, WireModel, Xyxy

ANALYSIS_SCHEMA = "aiqyn.analysis/1"

InputStatus = Literal["done", "reused", "incomplete", "failed"]


class Resemblance(WireModel):
    """A subject and how similar it is; `subject_id` is the name of the reference's sub-folder."""

    subject_id: str
    similarity: float


class EvidenceFile(WireModel):
    """A picture a candidate rests on."""

    kind: Literal["input_frame", "frame_redacted", "probe"] = Field(
        description="input_frame: where to look in the input itself, which is not copied"
    )
    path: str | None = Field(description="relative to the output folder; null for what is not written")
    sha256: Sha256 | None = Field(description="of that file; of the input for an input_frame")
    frame_index: int = Field(ge=0)
    pts_seconds: float
    width: int = Field(ge=1)
    height: int = Field(ge=1)


class AnalyzedCandidate(WireModel):
    """A face in a file resembles a listed subject: a lead for two people to judge."""

    number: int = Field(ge=1, description="within its input; what terminal and video show")
    candidate_id: uuid.UUID
    revision: int = Field(default=1, ge=1, description="how often it was told; the last of it stands here")
    status: Literal["unconfirmed"] = "unconfirmed"
    input: str
    input_sha256: Sha256
    subject_id: str
    similarity: float
    threshold: float
    single_look: bool
    frames_fused: int
    expected_false_alerts_per_1000_faces: float | None
    calibration: str
    alternatives: tuple[Resemblance, ...]
    pts_seconds: float = Field(description="of the best look, on the file's own clock")
    decided_pts_seconds: float = Field(description="when the evidence sufficed")
    observed_at: UtcDatetime | None = Field(description="null without --recorded-at")
    observed_at_source: Literal["recorded_at", "unknown"]
    frame_index: int = Field(ge=0)
    track_id: int = Field(ge=1)
    track_start_pts_seconds: float
    quality: Quality
    face_xyxy: Xyxy
    person_xyxy: Xyxy | None
    landmarks: tuple[Point, ...]
    evidence: tuple[EvidenceFile, ...]


class ExplainedTrack(WireModel):
    """A face track and whom it resembles most, found or not."""

    input: str
    track_id: int = Field(ge=1)
    pts_seconds: float = Field(description="of its first frame")
    end_pts_seconds: float
    frames_seen: int
    frames_fused: int = Field(description="0: no look was good enough to be compared")
    continues_track_id: int | None = Field(
        default=None, description="an earlier track that it seems to go on from, by motion alone"
    )
    best: tuple[Resemblance, ...]


class InputAnalysis(WireModel):
    """One input: what became of it and what was found in it."""

    input: str
    sha256: Sha256 | None = Field(description="null where it could not be read")
    status: InputStatus
    error: str | None = None
    media_seconds: float = 0.0
    elapsed_seconds: float = 0.0
    withdrawn: int = Field(default=0, description="candidates that later looks did not bear out")
    frame_accounting: FrameAccounting = FrameAccounting()
    annotated: str | None = Field(default=None, description="video, relative to the output folder")


class AnalyzedInput(WireModel):
    """One input with all that was found in it; what an output folder keeps, to go on from."""

    summary: InputAnalysis
    candidates: tuple[AnalyzedCandidate, ...] = ()
    tracks: tuple[ExplainedTrack, ...] = ()

    def renamed(self, shown_as: str) -> AnalyzedInput:
        """The same under another name: a copy of a file is not searched twice."""
        return AnalyzedInput(
            summary=self.summary.model_copy(update={"input": shown_as, "status": "reused"}),
            candidates=tuple(c.model_copy(update={"input": shown_as}) for c in self.candidates),
            tracks=tuple(t.model_copy(update={"input": shown_as}) for t in self.tracks),
        )


class Thresholds(WireModel):
    """What the list was searched with."""

    threshold: float
    single_look_threshold: float | None = Field(
        description="null: the measurement cannot support so low a rate, one look decides nothing"
    )
    wanted_false_alerts_per_1000_faces: float
    expected_false_alerts_per_1000_faces: float | None
    calibration: str
    expected_interval_95: tuple[float, float] | None = Field(
        default=None, description="of the expected rate; null: nothing is known of it"
    )


class RefusedReference(WireModel):
    """A reference that could not be used."""

    path: str
    reason: str


class WatchlistUsed(WireModel):
    """The references searched for."""

    path: str
    sha256: Sha256
    subjects: int
    templates: int
    refused: tuple[RefusedReference, ...]


class Analysis(WireModel):
    """A whole run."""

    schema_: Literal["aiqyn.analysis/1"] = Field(default="aiqyn.analysis/1", alias="schema")
    candidates: tuple[AnalyzedCandidate, ...]
    frame_accounting: FrameAccounting
    media_seconds: float
    elapsed_seconds: float
    inputs: tuple[InputAnalysis, ...]
    watchlist: WatchlistUsed
    thresholds: Thresholds
    settings: dict[str, Any]
    models: tuple[ModelRef, ...]
    preprocessing: str
    software: Software
    tracks: tuple[ExplainedTrack, ...] | None = Field(default=None, description="with --explain")

    model_config = WireModel.model_config | {"populate_by_name": True, "serialize_by_alias": True}

    def document(self) -> dict[str, Any]:
        """As JSON values; `tracks` only where they were asked for."""
        leave_out = {"tracks"} if self.tracks is None else set()
        return self.model_dump(mode="json", exclude=leave_out)


def total_accounting(parts: tuple[FrameAccounting, ...]) -> FrameAccounting:
    """The sum of several inputs' frames."""
    dropped: dict[str, int] = {}
    for part in parts:
        for reason, frames in part.dropped.items():
            dropped[reason] = dropped.get(reason, 0) + frames
    return FrameAccounting(
        read=sum(part.read for part in parts),
        decoded=sum(part.decoded for part in parts),
        undecodable=sum(part.undecodable for part in parts),
        not_sampled=sum(part.not_sampled for part in parts),
        gated=sum(part.gated for part in parts),
        inferred=sum(part.inferred for part in parts),
        dropped=dropped,
    )
