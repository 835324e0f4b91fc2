"""The evidence store of one worker, as its configuration describes it."""

from __future__ import annotations

from pipelines.config import Config
from pipelines.evidence import EvidenceStore
from pipelines.evidence_access import access_of
from pipelines.worker_keys import WorkerKeys


def open_worker_evidence(config: Config, keys: WorkerKeys) -> EvidenceStore:
    """A store that keeps the disk's reserve free, and never has a camera wait for a server.

    Raises:
        EvidenceError: the place cannot be reached or used.
        ConfigError: a secret is missing.
    """
    store = EvidenceStore(config.evidence_address(), keys.evidence_public, access_of(config.evidence))
    store.queue_in(
        config.paths.data_dir / "evidence-waiting" / keys.worker_id,
        limit_bytes=config.evidence.waiting_limit_bytes,
        min_free_bytes=config.evidence.min_free_bytes,
    )
    return store
