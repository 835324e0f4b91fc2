"""The tables, one file per group of records."""

from api.store.models.after import (
    Complaint,
    ComplaintCandidate,
    ContactOutcome,
    Reexamination,
    Retraction,
)
from api.store.models.base import Base
from api.store.models.cameras import CameraDay, CameraGap, CameraReport
from api.store.models.claims import JudgementWithdrawal, ReviewClaim
from api.store.models.duty import Shift, UnderstaffedPeriod
from api.store.models.evidence import EvidenceRecord, LegalHold
from api.store.models.given_cameras import CameraSetting
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
from api.store.models.people import (
    Account,
    AccountRequest,
    CameraGroup,
    CameraGroupMember,
    Grant,
    Installation,
    LoginCount,
    LoginSession,
    OidcFlow,
    RefreshToken,
)
from api.store.models.requests import ListImport, ListRequest, RequestPicture
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
    "AccountRequest",
    "Base",
    "CameraDay",
    "CameraGap",
    "CameraGroup",
    "CameraGroupMember",
    "CameraReport",
    "CameraSetting",
    "CandidateRecord",
    "Complaint",
    "ComplaintCandidate",
    "ContactOutcome",
    "ControlItem",
    "Deployment",
    "DeploymentCamera",
    "Disclosure",
    "EvidenceRecord",
    "GalleryVersion",
    "Grant",
    "IdempotentResult",
    "Installation",
    "JudgementRecord",
    "JudgementWithdrawal",
    "LedgerEntry",
    "LedgerHead",
    "LegalHold",
    "ListImport",
    "ListRequest",
    "LoginCount",
    "LoginSession",
    "OidcFlow",
    "OutboxEvent",
    "Overlay",
    "Passkey",
    "PresentedEvidence",
    "Receipt",
    "Reexamination",
    "ReferenceTemplate",
    "RefreshToken",
    "RequestPicture",
    "ResolutionRecord",
    "Retraction",
    "Review",
    "ReviewClaim",
    "ReviewListing",
    "Shift",
    "Subject",
    "SubjectReference",
    "UnderstaffedPeriod",
    "Watchlist",
    "WebAuthnChallenge",
]
