"""An authority of a house: nobody believes its certificates who was not told to."""

import ssl
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_ec_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_FROM, _UNTIL = datetime(2020, 1, 1), datetime(2099, 1, 1)


def believe_another_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this machine believe an authority of its own, and nobody else."""
    monkeypatch.setenv("SSL_CERT_FILE", str(HouseCa(folder, "another house").file))
    monkeypatch.setenv("SSL_CERT_DIR", str(folder / "none"))
    monkeypatch.delenv("SSLKEYLOGFILE", raising=False)


class HouseCa:
    """Signs certificates of servers on this machine."""

    def __init__(self, folder: Path, name: str = "a house") -> None:
        self._folder = folder
        self._key: Final = new_ec_key(SECP256R1())
        self._name: Final = _name(name)
        self.file: Final = folder / f"{name}.pem"
        """Its own certificate, as programs are given it to believe in."""
        made = _unsigned(self._name, self._name, self._key.public_key())
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self._certificate: Final = made.sign(self._key, SHA256()).public_bytes(Encoding.PEM)
        self.file.write_bytes(self._certificate)

    def server(self, address: str = "127.0.0.1") -> ssl.SSLContext:
        """Of a server at an address, which shows the authority's certificate too."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.identity(address))
        return context

    def identity(self, address: str = "127.0.0.1") -> Path:
        """A file with a key, its certificate for a machine at an address, and that of the authority."""
        key = new_ec_key(SECP256R1())
        made = _unsigned(_name(address), self._name, key.public_key())
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
        signed = made.add_extension(names, critical=False).sign(self._key, SHA256())
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path = self._folder / f"{address}.pem"
        path.write_bytes(secret + signed.public_bytes(Encoding.PEM) + self._certificate)
        return path

    def revoked(self) -> Path:
        """A file with a list of revoked certificates, and none that could be believed."""
        made = x509.CertificateRevocationListBuilder(self._name, _FROM, _UNTIL)
        path = self._folder / "revoked.pem"
        path.write_bytes(made.sign(self._key, SHA256()).public_bytes(Encoding.PEM))
        return path


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _unsigned(subject: x509.Name, issuer: x509.Name, key: EllipticCurvePublicKey) -> x509.CertificateBuilder:
    made = x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
    return made.not_valid_before(_FROM).not_valid_after(_UNTIL)
