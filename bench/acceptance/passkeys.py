"""Line 4 of issue 4: a judgement by password alone, with another's key, replayed, or over another hash is refused."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from webauthn.helpers import base64url_to_bytes, parse_attestation_object

from aiqyn.demo.authenticator import SoftwareAuthenticator
from api.ledger.assertions import Assertion, verify_assertion
from bench.acceptance.lines import Figure, at_most
from bench.acceptance.tests_run import tests_pass

ROUNDS = 300
MOST_MS = 5.0
"""A tenth of what a judgement may take."""


def measure() -> Iterator[Figure]:
    """Every refusal, in Chromium with its virtual authenticator and through HTTP, on both databases."""
    yield from tests_pass(
        "Chromium's virtual authenticator: password alone, another's key, replayed, over another hash",
        "-m",
        "system",
        "tests/system/test_console_passkeys.py",
    )
    yield from tests_pass(
        "every way a proof can fail, and builds without a step caught (SQLite)",
        "tests/unit/api/test_proofs.py",
        "tests/unit/api/test_passkeys.py",
        "tests/e2e/test_passkey_guards.py",
    )
    yield from tests_pass(
        "the same on PostgreSQL", "-m", "system", "tests/system/api/test_postgres_passkeys.py"
    )
    yield from tests_pass(
        "judgements and receipts checked with the public keys alone",
        "tests/unit/api/ledger/test_assertions.py",
    )
    yield at_most("checking an assertion, median ms", checking_ms(), MOST_MS)


def checking_ms() -> float:
    """Milliseconds one check takes, median."""
    authenticator, challenge = SoftwareAuthenticator("http://localhost:8750"), "A" * 43
    made = authenticator.create({"rp": {"id": "localhost"}, "challenge": challenge})
    attested = parse_attestation_object(base64url_to_bytes(made["response"]["attestationObject"]))
    data = attested.auth_data.attested_credential_data
    if data is None:
        raise ValueError("the authenticator made no passkey")
    given = authenticator.sign(made["id"], "localhost", challenge)["response"]
    parts = (given["authenticatorData"], given["clientDataJSON"], given["signature"])
    assertion, expected = Assertion(made["id"], *parts), base64url_to_bytes(challenge)
    taken = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        verify_assertion(assertion, expected, data.credential_public_key, rp_id="localhost")
        taken.append(1000 * (time.perf_counter() - started))
    return statistics.median(taken)
