"""Certificate chains for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.now(UTC)
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


class Holder:
    """A certificate and its key."""

    def __init__(
        self,
        name: str,
        issuer: Holder | None = None,
        *,
        key: PrivateKey | None = None,
        days: tuple[int, int] = (-10, 300),
        authority: bool = False,
        path_length: int | None = None,
        use: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.CODE_SIGNING,
        signs: bool = True,
        unknown: bool = False,
    ) -> None:
        self.key: PrivateKey = key or ec.generate_private_key(ec.SECP256R1())
        own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = issuer or self
        builder = (
            x509.CertificateBuilder()
            .subject_name(own)
            .issuer_name(issuer.certificate.subject if issuer else own)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW + timedelta(days=days[0]))
            .not_valid_after(NOW + timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(authority, path_length), critical=True)
        )
        usage = dict.fromkeys(
            (
                *("digital_signature", "content_commitment", "key_encipherment"),
                *("data_encipherment", "key_agreement", "key_cert_sign", "crl_sign"),
                *("encipher_only", "decipher_only"),
            ),
            False,
        )
        usage["digital_signature"], usage["key_cert_sign"] = signs, authority
        builder = builder.add_extension(x509.KeyUsage(**usage), critical=True)
        if use and not authority:
            builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        if unknown:
            strange = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\5\0")
            builder = builder.add_extension(strange, critical=True)
        self.certificate = builder.sign(signer.key, hashes.SHA256())

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write key and certificate; return their paths."""
        folder.mkdir(exist_ok=True)
        key, certificate = folder / "key.pem", folder / "certificate.pem"
        key.write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        certificate.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return key, certificate
