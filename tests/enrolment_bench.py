"""What enrolling needs in tests: perception that reads painted faces, and a shelf in place of the bus."""

from __future__ import annotations

from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from api.galleries import GalleryService
from api.services import Services
from pipelines.build import Perception
from pipelines.events import ModelRef
from pipelines.galleries import GalleryPackage
from tests.api_client import FakeClock
from tests.fake_engine import FakeEmbedder, fake_engines

ENGINES = fake_engines()
PERCEPTION = Perception(
    detector=None,
    face_detector=ENGINES.face_detector,
    embedder=ENGINES.embedder,
    embedder_id=ENGINES.embedder_id,
    calibration=ENGINES.calibration,
    new_face_tracker=ENGINES.new_face_tracker,
    new_object_tracker=ENGINES.new_object_tracker,
    models=(ModelRef(role="embedder", id=ENGINES.embedder_id, sha256="e" * 64),),
    preprocessing="embedder:fake",
    providers=(),
)


class Shelf:
    """Keeps what would go to the workers."""

    def __init__(self) -> None:
        self.published: list[GalleryPackage] = []
        self.withdrawn: list[tuple[str, str]] = []

    def publish(self, package: GalleryPackage, worker_public: X25519PublicKey) -> None:
        """Keeps a gallery."""
        assert isinstance(worker_public, X25519PublicKey)
        self.published.append(package)

    def withdraw(self, deployment_id: str, worker_id: str) -> None:
        """Notes a withdrawal."""
        self.withdrawn.append((deployment_id, worker_id))


def other_perception() -> Perception:
    """The same eyes with another embedder: another file of the model, whose templates differ."""
    model = ModelRef(role="embedder", id=ENGINES.embedder_id, sha256="f" * 64)
    return replace(PERCEPTION, embedder=FakeEmbedder(noise=0.1), models=(model,))


def shelved(services: Services, shelf: Shelf, clock: FakeClock) -> GalleryService:
    return GalleryService(services.database, services.records, services.keys, clock, shelf)
