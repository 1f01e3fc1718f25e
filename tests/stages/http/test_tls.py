"""TLS contexts that read the system's authorities late, and believe the same servers."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from penstock.stages.http.tls import LazyTrustContext, load_authorities_lazily

KNOWN = "known.test"
# Its own authority, of no use anywhere else: openssl req -x509 -newkey ec -nodes -days 36500 ...
KEY = """-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgLKEe1cXufD7j8kao
ZRmCENrsR9UHSji2SzsqbXR1gz6hRANCAAQffqaL1buGaioGeCGX2sPJHZLIcHWq
r7RpuBbewWBL6mNDnX+lx6gnWZFJ69zHXMBLTm8VTKlUaYfJWtqRZA8a
-----END PRIVATE KEY-----
"""
CERTIFICATE = """-----BEGIN CERTIFICATE-----
MIIBmDCCAT6gAwIBAgIUSgVCAn8lw9N8wUWzVSmTqxTZSBIwCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKa25vd24udGVzdDAgFw0yNjExMjExNjU0NDZaGA8yMTI2MTAy
ODE2NTQ0NlowFTETMBEGA1UEAwwKa25vd24udGVzdDBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABB9+povVu4ZqKgZ4IZfaw8kdkshwdaqvtGm4Ft7BYEvqY0Odf6XH
qCdZkUnr3MdcwEtObxVMqVRph8la2pFkDxqjajBoMB0GA1UdDgQWBBSkj0/HlKl9
VtyPhwp6Wz5dZo2ilzAfBgNVHSMEGDAWgBSkj0/HlKl9VtyPhwp6Wz5dZo2ilzAP
BgNVHRMBAf8EBTADAQH/MBUGA1UdEQQOMAyCCmtub3duLnRlc3QwCgYIKoZIzj0E
AwIDSAAwRQIgcPc1s8+0OgYENXJ015fr59BBFSEBuKrOO2HRFCxXWHcCIQDfFv7y
P2Mtg6TrwI89SISUV13U6SoC1lm7+rmRzFGB+w==
-----END CERTIFICATE-----
"""


@pytest.fixture
def server(tmp_path: Path) -> ssl.SSLContext:
    (tmp_path / "key.pem").write_text(KEY)
    (tmp_path / "known.pem").write_text(CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "known.pem", tmp_path / "key.pem")
    return context


def late() -> ssl.SSLContext:
    with load_authorities_lazily():
        return ssl.create_default_context()


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> None:
    """In memory, to the end. Raises what the client has against the server."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(to_client, to_server, server_hostname=name)
    answering = server.wrap_bio(to_server, to_client, server_side=True)
    for side in (asking, answering, asking, answering):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue


class TestLazyAuthorities:
    def test_nothing_is_read_before_a_connection_is_made(self) -> None:
        assert late().cert_store_stats()["x509"] == 0

    def test_a_server_with_a_known_authority_is_trusted(
        self, tmp_path: Path, server: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = late()
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "known.pem"))

        shake_hands(client, server, KNOWN)

        assert type(client) is ssl.SSLContext

    @pytest.mark.parametrize(("file", "name"), [("known.pem", "other.test"), ("nothing.pem", KNOWN)])
    def test_a_server_with_another_name_or_authority_is_not_trusted(
        self, tmp_path: Path, server: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, file: str, name: str
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / file))
        monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))

        with pytest.raises(ssl.SSLCertVerificationError):
            shake_hands(late(), server, name)

    def test_contexts_that_are_made_later_are_ordinary_ones(self) -> None:
        late()

        assert type(ssl.create_default_context()) is ssl.SSLContext
        assert isinstance(late(), LazyTrustContext)
