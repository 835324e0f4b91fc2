"""The key store: a folder outside the database and its backups, one pair per purpose.

    keys_dir/                           every folder 0700, every file 0600; refused when wider
      api/                              the service's own
        receipts.pem                    Ed25519, signs receipts
        receipts.jwks.json              its public half with its dates, published as it stands
        galleries.pem  galleries.jwks.json      Ed25519, signs galleries
        evidence.pem   evidence.jwks.json       X25519, opens evidence
        workers.jwks.json               public halves of every worker's candidate keys, by owner
        worker-seals.jwks.json          public halves of every worker's gallery keys, by owner
        redis.password                  of the Redis user `api`
        subjects/<SHA-256 of subject_id>        32 bytes, the data key of one subject
      workers/<worker_id>/              all that worker is given (pipelines.worker_keys)

`docs/keys.md` says what each is for, what to back up and what destroying one does.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from pipelines import worker_keys as files
from pipelines.acl import API_USER, worker_user
from pipelines.errors import SealingError
from pipelines.key_files import (
    check_private_folder,
    destroy_all,
    make_private_folder,
    read_json,
    read_private,
    write_json,
    write_private,
)
from pipelines.sealing import DataKey, sealing_key_from_pem, sealing_key_to_pem
from pipelines.sealing_keys import SealingPublicKey, sealing_jwks
from pipelines.signing import OWNER_MEMBER, SigningKey, VerifyingKey, VerifyingKeys

SIGNING_KEY_VALIDITY = timedelta(days=3 * 365)
"""Long enough that nobody is locked out, short enough that a rotation is planned for."""


class KeyStore:
    """Every key of the service; made by `init`, read by `open`. Reads files anew at each call."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def init(cls, folder: Path, *, data_dir: Path | None = None, now: datetime | None = None) -> KeyStore:
        """Makes what is missing of a key store; what exists is left as it is.

        Args:
            folder: `paths.keys_dir`.
            data_dir: `paths.data_dir`, which must not contain the folder.
            now: from when the new keys count; the clock's by default.

        Raises:
            SealingError: the folder lies inside `data_dir`, is open to others, or cannot be written.
        """
        if data_dir is not None and folder.resolve().is_relative_to(data_dir.resolve()):
            raise SealingError(
                f"{folder}: lies inside the data folder {data_dir}; keys and data must lie apart, so that a "
                "backup of one lacks the other: name another folder with --keys-dir or paths.keys_dir"
            )
        store = cls(folder)
        start = (now or datetime.now(UTC)).replace(microsecond=0)
        for part in (folder, store._api, store._api / "subjects", folder / "workers"):
            make_private_folder(part)
        for purpose in ("receipts", "galleries"):
            store._make_signing_pair(purpose, start)
        store._make_evidence_pair(start)
        for name in ("workers", "worker-seals"):
            if not (store._api / f"{name}.jwks.json").exists():
                write_json(store._api / f"{name}.jwks.json", {"keys": []})
        if not (store._api / files.REDIS_PASSWORD_FILE).exists():
            write_private(store._api / files.REDIS_PASSWORD_FILE, _new_password())
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> KeyStore:
        """A key store that exists.

        Raises:
            SealingError: missing, incomplete, or a folder or file in it is open to others.
        """
        store = cls(folder)
        for part in (folder, store._api, store._api / "subjects", folder / "workers"):
            check_private_folder(part)
        for name in ("receipts.pem", "galleries.pem", "evidence.pem", "workers.jwks.json"):
            read_private(store._api / name)
        return store

    @property
    def folder(self) -> Path:
        """Where the store lies."""
        return self._folder

    @property
    def _api(self) -> Path:
        return self._folder / "api"

    # The service's own pairs.

    def receipts_key(self) -> SigningKey:
        """Signs receipts."""
        return SigningKey.from_pem(read_private(self._api / "receipts.pem"))

    def galleries_key(self) -> SigningKey:
        """Signs galleries."""
        return SigningKey.from_pem(read_private(self._api / "galleries.pem"))

    def evidence_private(self) -> X25519PrivateKey:
        """Opens evidence."""
        return sealing_key_from_pem(read_private(self._api / "evidence.pem"))

    def evidence_public(self) -> X25519PublicKey:
        """What evidence is sealed to."""
        return self.evidence_private().public_key()

    def jwks(self) -> dict[str, Any]:
        """The JWK set of the receipts keys, to be published at `/.well-known/jwks.json`.

        Each key has `kid` (RFC 7638 thumbprint), `use`, `alg`, and its dates in seconds since 1970: `nbf`, from
        when on it signs, and `exp`, from when on it no longer does. Keys stay listed after `exp`: receipts from
        before go on verifying.
        """
        return VerifyingKeys.from_jwks(read_json(self._api / "receipts.jwks.json")).to_jwks()

    def redis_passwords(self) -> dict[str, str]:
        """Passwords of the Redis users of the service and of every worker, by user."""
        passwords = {API_USER: files.read_password(self._api / files.REDIS_PASSWORD_FILE)}
        for worker_id in self.worker_ids():
            folder = self._folder / "workers" / worker_id
            # A folder that was moved to the worker's own machine has left only its public keys here.
            if folder.exists():
                passwords[worker_user(worker_id)] = files.read_password(folder / files.REDIS_PASSWORD_FILE)
        return passwords

    # Workers.

    def create_worker(self, worker_id: str, *, now: datetime | None = None) -> Path:
        """The folder with all a worker is given; made and registered unless it exists.

        Raises:
            SealingError: an id that is not fit for a folder and a Redis user, or the folder is incomplete.
        """
        files.checked_account_name(worker_id, "worker")
        folder = self._folder / "workers" / worker_id
        if not (folder / files.WORKER_FILE).exists():
            self._make_worker(worker_id, folder, (now or datetime.now(UTC)).replace(microsecond=0))
        return folder

    def worker_ids(self) -> tuple[str, ...]:
        """Every registered worker."""
        return tuple(sorted({key.owner for key in self.worker_verifying_keys() if key.owner is not None}))

    def worker_verifying_keys(self) -> VerifyingKeys:
        """Public keys candidates may be signed with; the owner of each is the only worker it speaks for."""
        return VerifyingKeys.from_jwks(read_json(self._api / "workers.jwks.json"))

    def worker_sealing_key(self, worker_id: str) -> X25519PublicKey:
        """What that worker's galleries are sealed to.

        Raises:
            SealingError: no such worker.
        """
        return self._worker_seal(worker_id).public

    # Subjects.

    def create_subject_key(self, subject_id: str) -> DataKey:
        """A fresh data key for a subject that has none.

        Raises:
            SealingError: it has one, or the file cannot be written.
        """
        key = DataKey.generate()
        write_private(self._subject_path(subject_id), key.to_bytes())
        return key

    def subject_key(self, subject_id: str) -> DataKey:
        """The data key of a subject.

        Raises:
            SealingError: there is none, or it was destroyed; what it encrypted cannot be read any more.
        """
        path = self._subject_path(subject_id)
        if not path.exists():
            raise SealingError("the subject has no data key: it was never made, or has been destroyed")
        return DataKey(read_private(path))

    def has_subject_key(self, subject_id: str) -> bool:
        """Whether the subject has a data key."""
        return self._subject_path(subject_id).exists()

    def destroy_subject_key(self, subject_id: str) -> bool:
        """Overwrites and removes the data key of a subject; False where there was none.

        From then on nothing it encrypted can be read, in older backups of the database neither.
        """
        return self.destroy_subject_keys([subject_id]) == 1

    def destroy_subject_keys(self, subject_ids: Collection[str]) -> int:
        """Destroys the keys of several subjects; returns how many there were."""
        paths = [self._subject_path(subject_id) for subject_id in subject_ids]
        return destroy_all(self._api / "subjects", {path.name for path in paths})

    def _subject_path(self, subject_id: str) -> Path:
        # A digest, because an id may be longer than a file name, and must never be taken for a path.
        return self._api / "subjects" / hashlib.sha256(subject_id.encode()).hexdigest()

    def _make_signing_pair(self, purpose: str, start: datetime) -> None:
        private, public = self._api / f"{purpose}.pem", self._api / f"{purpose}.jwks.json"
        if not private.exists():
            write_private(private, SigningKey.generate().to_pem())
        if not public.exists():
            key = SigningKey.from_pem(read_private(private))
            write_json(public, VerifyingKeys([_dated(key, start)]).to_jwks())

    def _make_evidence_pair(self, start: datetime) -> None:
        private, public = self._api / "evidence.pem", self._api / "evidence.jwks.json"
        if not private.exists():
            write_private(private, sealing_key_to_pem(X25519PrivateKey.generate()))
        if not public.exists():
            write_json(public, sealing_jwks([SealingPublicKey.of(self.evidence_public(), not_before=start)]))

    def _make_worker(self, worker_id: str, folder: Path, start: datetime) -> None:
        make_private_folder(folder)
        signing, sealing = SigningKey.generate(), X25519PrivateKey.generate()
        public = SealingPublicKey.of(sealing.public_key(), owner=worker_id, not_before=start)
        write_private(folder / files.CANDIDATES_FILE, signing.to_pem(), replace=True)
        write_private(folder / files.GALLERIES_FILE, sealing_key_to_pem(sealing), replace=True)
        write_private(folder / files.REDIS_PASSWORD_FILE, _new_password(), replace=True)
        for source, target in (
            ("galleries.jwks.json", files.GALLERY_SIGNERS_FILE),
            ("evidence.jwks.json", files.EVIDENCE_FILE),
        ):
            write_json(folder / target, read_json(self._api / source), replace=True)
        self._register("workers", _dated(signing, start, owner=worker_id).to_jwk())
        self._register("worker-seals", public.to_jwk())
        # Last, so that a folder left half made is made anew.
        write_json(folder / files.WORKER_FILE, {"schema": "aiqyn.worker/1", "worker_id": worker_id})

    def _register(self, name: str, jwk: dict[str, Any]) -> None:
        """Adds a worker's key in the place of the one it had: a half-made worker never signed anything."""
        path = self._api / f"{name}.jwks.json"
        others = [key for key in read_json(path)["keys"] if key.get(OWNER_MEMBER) != jwk[OWNER_MEMBER]]
        write_json(path, {"keys": [*others, jwk]}, replace=True)

    def _worker_seal(self, worker_id: str) -> SealingPublicKey:
        for members in self._worker_seals():
            if members.get(OWNER_MEMBER) == worker_id:
                return SealingPublicKey.from_jwk(members)
        raise SealingError(
            f"worker {worker_id[:80]!r} is not registered; run: aiqyn keys init --worker {worker_id[:80]}"
        )

    def _worker_seals(self) -> Iterator[dict[str, Any]]:
        yield from read_json(self._api / "worker-seals.jwks.json")["keys"]

    def __repr__(self) -> str:
        return f"KeyStore({str(self._folder)!r})"


def _new_password() -> bytes:
    return secrets.token_urlsafe(32).encode("ascii")


def _dated(key: SigningKey, start: datetime, owner: str | None = None) -> VerifyingKey:
    public = key.verifying_key
    return VerifyingKey(public.jwk, public.key_id, owner, start, start + SIGNING_KEY_VALIDITY)
