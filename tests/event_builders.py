"""Builders of wire events for tests."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from pipelines.accounting import FrameAccounting
from pipelines.events import (
    Alternative,
    Candidate,
    EvidenceItem,
    GalleryRef,
    ModelRef,
    Quality,
    Software,
    candidate_id,
    unsigned_document,
)
from pipelines.signing import SigningKey, sign_event

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_candidate(key: SigningKey | None = None, *, track_id: int = 1, **changes: Any) -> Candidate:
    """A candidate with every field filled; signed where a key is given."""
    fields: dict[str, Any] = {
        "candidate_id": _candidate_id(track_id),
        "revision": 1,
        "worker_id": "w1",
        "camera_id": "gate",
        "deployment_id": "d1",
        "watchlist_id": "missing",
        "subject_id": "s1",
        "observed_at": NOON,
        "observed_at_source": "recorded_at",
        "observed_at_uncertainty_seconds": 1.0,
        "pts_seconds": 3.2,
        "frame_index": 80,
        "track_id": track_id,
        "track_start_pts_seconds": 2.0,
        "similarity": 0.71,
        "threshold": 0.42,
        "alternatives": (Alternative(subject_id="s2", similarity=0.1),),
        "quality": Quality(face_size_px=88.0, confidence=0.93, sharpness=120.0),
        "frames_fused": 4,
        "single_look": False,
        "evidence": (make_evidence_item(),),
        "face_xyxy": (10.0, 20.0, 98.0, 108.0),
        "landmarks": ((30.0, 50.0), (70.0, 50.0), (50.0, 70.0), (35.0, 90.0), (65.0, 90.0)),
        "models": (ModelRef(role="embedder", id="mobilefacenet-faceplugin", sha256="a" * 64),),
        "preprocessing": "arcface-112/1",
        "gallery": GalleryRef(version=1, size=2, templates=3),
        "frame_accounting": FrameAccounting(read=81, decoded=81, not_sampled=64, inferred=17),
        "input_sha256": "f" * 64,
        "software": Software(version="0.1.0"),
    }
    candidate = Candidate(**(fields | changes))
    if key is None:
        return candidate
    return candidate.model_copy(update={"signature": sign_event(unsigned_document(candidate), key)})


def make_evidence_item(**changes: Any) -> EvidenceItem:
    """One sealed picture's reference."""
    sealed = "c" * 64
    fields: dict[str, Any] = {
        "kind": "probe",
        "ref": f"cc/{sealed}.sealed",
        "sha256_plain": "b" * 64,
        "sha256_sealed": sealed,
        "width": 112,
        "height": 112,
    }
    return EvidenceItem(**(fields | changes))


def _candidate_id(track_id: int) -> uuid.UUID:
    return candidate_id(
        source="f" * 64, track_id=track_id, track_start_pts_seconds=2.0, subject_id="s1", deployment_id="d1"
    )
