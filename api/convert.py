"""From the service's own objects to the shapes on the wire: the only place that does it."""

from __future__ import annotations

from datetime import datetime
from typing import Final, cast

from api.desk import Revealed
from api.ledger.chain import Entry
from api.logins import Login
from api.oversight import CandidateView, ReceiptView
from api.principals import Principal
from api.review.cases import State
from api.review.presentation import Picture, Presentation
from api.schemas import (
    CandidateOut,
    ClipOut,
    EndState,
    FrameAccountingOut,
    FrameOut,
    JudgementView,
    LedgerEntryOut,
    LoginOut,
    Me,
    ProbeOut,
    ReceiptOut,
    ReferenceOut,
    RevealOut,
    ReviewOut,
)
from pipelines.events import EvidenceItem

_CONTROLS: Final = frozenset({State.CONTROL_PASSED, State.CONTROL_FAILED})


def login_out(login: Login) -> LoginOut:
    """A login, token included, to its owner."""
    return LoginOut(
        access_token=login.token,
        expires_at=login.expires_at,
        refresh_token=login.refresh_token,
        ends_at=login.ends_at,
        must_change_password=login.must_change_password,
    )


def me_out(principal: Principal) -> Me:
    """Who one is."""
    return Me(account_id=principal.account_id, username=principal.username, role=principal.role)


def review_out(shown: Presentation) -> ReviewOut:
    """A review. Everything here is seen before an answer: add nothing that tells.

    Nothing is told more exactly than a judge needs it. A real candidate shows up a moment after its `queued_at`, when it
    is committed; a control exactly then: so it is told in whole seconds. What a control's times and sizes were computed
    from leaves traces in the last digits: so those are cut off.
    """
    frame, probe, sighting = shown.frame, shown.probe, shown.sighting
    left, top, right, bottom = sighting.face_xyxy
    return ReviewOut(
        review_id=shown.review_id,
        camera_id=sighting.camera_id,
        observed_at=None if sighting.observed_at is None else _milliseconds(sighting.observed_at),
        pts_seconds=round(sighting.pts_seconds, 3),
        queued_at=shown.queued_at.replace(microsecond=0),
        frame=FrameOut(
            evidence_id=frame.evidence_id,
            width=frame.source.width,
            height=frame.source.height,
            face_xyxy=(round(left, 1), round(top, 1), round(right, 1), round(bottom, 1)),
        ),
        probe=ProbeOut(
            evidence_id=probe.evidence_id,
            width=probe.source.width,
            height=probe.source.height,
            face_size_px=round(sighting.face_size_px, 1),
        ),
        references=[
            ReferenceOut(evidence_id=item.evidence_id, width=item.source.width, height=item.source.height)
            for item in shown.references
        ],
        clip=_clip_out(shown.clip),
        frame_accounting=FrameAccountingOut(**sighting.frame_accounting),
    )


def _clip_out(clip: Picture | None) -> ClipOut | None:
    if clip is None:
        return None
    item = EvidenceItem.model_validate(clip.source.sealed)
    return ClipOut(
        evidence_id=clip.evidence_id,
        width=clip.source.width,
        height=clip.source.height,
        began_pts_seconds=round(item.began_pts_seconds or 0.0, 3),
        duration_seconds=round(item.duration_seconds or 0.0, 3),
    )


def _milliseconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def reveal_out(told: Revealed) -> RevealOut:
    """What a judge is told after her answer."""
    return RevealOut(
        review_id=told.review_id,
        name=told.name,
        watchlist=told.watchlist,
        similarity=told.similarity,
        threshold=told.threshold,
        outcome="control" if told.outcome in _CONTROLS else cast("EndState | None", told.outcome),
    )


def candidate_out(view: CandidateView) -> CandidateOut:
    """A candidate to a supervisor or auditor."""
    return CandidateOut(
        candidate_id=view.candidate_id,
        state=view.state,
        round=view.round,
        camera_id=view.camera_id,
        deployment_id=view.deployment_id,
        watchlist_id=view.watchlist_id,
        subject_id=view.subject_id,
        name=view.name,
        similarity=view.similarity,
        threshold=view.threshold,
        observed_at=view.observed_at,
        created_at=view.created_at,
        judgements=[
            JudgementView(
                account_id=item.account_id,
                round=item.round,
                answer=item.answer,
                reason=item.reason,
                reason_code=item.reason_code,
                answered_at=item.answered_at,
                withdrawn_at=item.withdrawn_at,
            )
            for item in view.judgements
        ],
        is_control=view.is_control,
        event=view.event,
        retracted_at=view.retracted_at,
    )


def receipt_out(view: ReceiptView) -> ReceiptOut:
    """A receipt."""
    return ReceiptOut(
        receipt_id=view.receipt_id,
        candidate_id=view.candidate_id,
        issued_at=view.issued_at,
        act_before=view.act_before,
        receipt=view.jws,
    )


def ledger_entry_out(entry: Entry) -> LedgerEntryOut:
    """A ledger entry with the exact text its hash covers."""
    return LedgerEntryOut(
        sequence=entry.sequence,
        kind=entry.kind,
        document=entry.document,
        previous_sha256=entry.previous_sha256,
        entry_sha256=entry.entry_sha256,
    )
