"""The tables, one file per group of records."""

from api.store.models.base import Base
from api.store.models.cameras import CameraDay, CameraGap, CameraReport
from api.store.models.evidence import EvidenceRecord, LegalHold
from api.store.models.lists import (
    Deployment,
    DeploymentCamera,
    GalleryVersion,
    ReferenceTemplate,
    Subject,
    SubjectReference,
    Watchlist,
)
from api.store.models.log import IdempotentResult, LedgerEntry, LedgerHead, OutboxEvent, Receipt
from api.store.models.overlays import Overlay
from api.store.models.passkeys import Passkey, WebAuthnChallenge
from api.store.models.people import Account, LoginSession
from api.store.models.reviews import (
    CandidateRecord,
    ControlItem,
    Disclosure,
    JudgementRecord,
    PresentedEvidence,
    ResolutionRecord,
    Review,
    ReviewListing,
)

__all__ = [
    "Account",
    "Base",
    "CameraDay",
    "CameraGap",
    "CameraReport",
    "CandidateRecord",
    "ControlItem",
    "Deployment",
    "DeploymentCamera",
    "Disclosure",
    "EvidenceRecord",
    "GalleryVersion",
    "IdempotentResult",
    "JudgementRecord",
    "LedgerEntry",
    "LedgerHead",
    "LegalHold",
    "LoginSession",
    "OutboxEvent",
    "Overlay",
    "Passkey",
    "PresentedEvidence",
    "Receipt",
    "ReferenceTemplate",
    "ResolutionRecord",
    "Review",
    "ReviewListing",
    "Subject",
    "SubjectReference",
    "Watchlist",
    "WebAuthnChallenge",
]
