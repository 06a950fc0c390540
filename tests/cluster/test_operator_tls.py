"""The operator in a cluster whose certificates have no key identifiers.

From 3.13 on Python refuses these unless it is told otherwise (RFC 5280 4.2.1.1 and 4.2.1.2), while
client-go takes them: older managed clusters and home-made authorities have them. The program here
is as strict as that whatever Python runs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from harness.build import programs
from harness.certificates import Authority
from harness.cluster import Cluster
from harness.operatorsite import OperatorSite
from harness.plane import ADMINISTRATOR, Plane

STRICT = """
import ssl

create = ssl.create_default_context


def strict(*arguments, **options):
    context = create(*arguments, **options)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


ssl.create_default_context = strict
"""
IDENTIFIERS = (x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier)


class PlainAuthority(Authority):
    """Issues certificates without key identifiers, and has none in its own."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.certificate = self._plain(self.certificate)

    def _issue(self, *arguments: object) -> object:  # type: ignore[override]
        pair = super()._issue(*arguments)  # type: ignore[arg-type]
        return replace(pair, certificate=self._plain(pair.certificate))

    def _plain(self, certificate: bytes) -> bytes:
        found = x509.load_pem_x509_certificate(certificate)
        builder = (
            x509.CertificateBuilder()
            .subject_name(found.subject)
            .issuer_name(found.issuer)
            .public_key(found.public_key())  # type: ignore[arg-type]
            .serial_number(found.serial_number)
            .not_valid_before(found.not_valid_before_utc)
            .not_valid_after(found.not_valid_after_utc)
        )
        for extension in found.extensions:
            if not isinstance(extension.value, IDENTIFIERS):
                builder = builder.add_extension(extension.value, critical=extension.critical)
        signed = builder.sign(self._key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def plain_plane() -> Iterator[Plane]:
    """Return one that the ledger does not know: before its roles are read it refuses everything."""
    plane = Plane(programs())
    plane.authority = authority = PlainAuthority("no identifiers")
    pair = authority.client(ADMINISTRATOR, groups=["system:masters"])
    plane.admin = replace(plane.admin, authority=authority.certificate, pair=pair)
    try:
        plane.start()
        yield plane
    finally:
        plane.stop()


@pytest.fixture
def site(plain_plane: Plane) -> Iterator[OperatorSite]:
    with closing(Cluster(plain_plane)) as cluster, closing(OperatorSite(cluster)) as mine:
        yield mine


def test_passes_and_watches_work_without_key_identifiers(
    site: OperatorSite, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(STRICT)
    site.add("ana")
    site.start(PYTHONPATH=str(tmp_path)).until_ready()
    # Both the list and the watch that follows it are needed to see all of these in time.
    site.until_people("ana")
    site.add("bob")
    site.until_people("ana", "bob")
    site.remove("ana")
    site.until_people("bob")
