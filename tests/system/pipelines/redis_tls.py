"""Certificates, and a Redis that speaks TLS and nothing else."""

from __future__ import annotations

import ipaddress
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from aiqyn.embedded.stack import free_port
from pipelines.events import utc_now
from tests.waiting import wait_until

VALID_FOR = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """Vouches for others, in one folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        made = _builder(self._name, self._name, self._key.public_key(), timedelta(0)).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.certificate = folder / f"{name}.pem"
        self.certificate.write_bytes(_pem(made.sign(self._key, hashes.SHA256())))

    def vouch(self, name: str, *hosts: str, age: timedelta = timedelta(0)) -> Pair:
        """A certificate for these host names and addresses, for a server or a client.

        Args:
            name: of its files.
            hosts: what it is for.
            age: how long ago it was made; it holds for a day.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = _builder(subject, self._name, key.public_key(), age).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
            critical=False,
        )
        if hosts:
            made = made.add_extension(x509.SubjectAlternativeName(map(_name_of, hosts)), critical=False)
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        pair.certificate.write_bytes(_pem(made.sign(self._key, hashes.SHA256())))
        pair.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return pair


@contextmanager
def tls_redis(program: Path, pair: Pair, authority: Path, *, ask_clients: bool) -> Iterator[int]:
    """A server on a port of the loopback address, TLS only; the port.

    Args:
        program: of a Redis built with TLS.
        pair: its own certificate.
        authority: whom it believes about clients.
        ask_clients: whether it asks them for a certificate.
    """
    port = free_port(0)
    settings = {
        "port": "0",
        "tls-port": str(port),
        "bind": "127.0.0.1",
        "tls-cert-file": pair.certificate,
        "tls-key-file": pair.key,
        "tls-ca-cert-file": authority,
        "tls-auth-clients": "yes" if ask_clients else "no",
        "dir": pair.certificate.parent,
        "save": '""',
    }
    text = "".join(f"{name} {value}\n" for name, value in settings.items())
    log = pair.certificate.parent / "redis.log"
    with (
        log.open("wb") as said,
        subprocess.Popen([program, "-"], stdin=subprocess.PIPE, stdout=said, stderr=said) as process,
    ):
        assert process.stdin is not None
        process.stdin.write(text.encode())
        process.stdin.close()
        try:
            wait_until(lambda: b"Ready to accept" in log.read_bytes())
            yield port
        finally:
            process.terminate()


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, age: timedelta
) -> x509.CertificateBuilder:
    begins = utc_now() - age - timedelta(minutes=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + VALID_FOR)
    )


def _name_of(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
