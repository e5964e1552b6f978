"""Certificates for servers on loopback and for clients that show one, as PEM files."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LOOPBACK = ipaddress.ip_address("127.0.0.1")
PEM = serialization.Encoding.PEM


class Certified(NamedTuple):
    """A certificate, its key, and a file with both."""

    certificate: Path
    key: Path
    both: Path


class Authority:
    """Signs what is trusted by whoever trusts `own.certificate`, which is also good for a server on loopback."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self.own = self._signed(name, self._name, self._key, can_sign=True)

    def issue(self, name: str) -> Certified:
        """A certificate for a client called `name`."""
        return self._signed(name, _name(name), ec.generate_private_key(ec.SECP256R1()), can_sign=False)

    def _signed(self, file: str, name: x509.Name, key: ec.EllipticCurvePrivateKey, *, can_sign: bool) -> Certified:
        now = dt.datetime.now(dt.UTC)
        certificate = (
            x509.CertificateBuilder(self._name, name, key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(LOOPBACK)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=can_sign, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
            .public_bytes(PEM)
        )
        secret = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        made = Certified(*(self._directory / f"{file}.{end}" for end in ("crt", "key", "pem")))
        for path, content in zip(made, (certificate, secret, certificate + secret), strict=True):
            path.write_bytes(content)
        return made


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
