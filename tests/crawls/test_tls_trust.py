"""TLS: a private authority is trusted on request, and every failure of a handshake has its cause."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from penstock.crawler.errors import BadConfig
from penstock.stages.http.trust import load_trust
from tests.support.crawls import crawl, rows, run_command
from tests.support.raw_server import html

PAGES = "SELECT title, error FROM pages ORDER BY title"
PASSWORD = "pass word"

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="makes certificates with openssl")


class Certificates:
    """Certificates of a private authority for 127.0.0.1, made once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._run("req", "-x509", *self._new_key("ca"), "-subj", "/CN=Private authority", "-days", "30")
        self.make("server", "IP:127.0.0.1")
        self.make("other", "DNS:other.test")
        self.make("client", "DNS:client")
        self.make("expired", "IP:127.0.0.1", dates=("20200101000000Z", "20200201000000Z"))
        self._run(
            *("req", "-x509", *self._new_key("alone"), "-subj", "/CN=127.0.0.1", "-days", "30"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
        )
        self._run("rsa", "-in", "client.key", "-aes256", "-passout", f"pass:{PASSWORD}", "-out", "locked.key")
        both = self.path("client.pem").read_text() + self.path("client.key").read_text()
        self.path("both.pem").write_text(both)

    def path(self, name: str) -> Path:
        return self.folder / name

    def make(self, name: str, subject: str, *, dates: tuple[str, str] | None = None) -> None:
        self.path("names").write_text(f"subjectAltName={subject}\n")
        self._run("req", *self._new_key(name), "-subj", f"/CN={name}", out="csr")
        if dates:
            self._sign_with_dates(name, dates)
            return
        signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-extfile", "names")
        self._run("x509", "-req", "-in", f"{name}.pem", *signing, "-out", f"{name}.pem")

    def _sign_with_dates(self, name: str, dates: tuple[str, str]) -> None:
        """`openssl ca`, whose dates older versions know too."""
        for file, text in (("index", ""), ("serial", "77\n")):
            self.path(file).write_text(text)
        self.path("ca.cnf").write_text(
            "[ca]\ndefault_ca=own\n[own]\ndatabase=index\nserial=serial\nnew_certs_dir=.\n"
            "default_md=sha256\npolicy=any\n[any]\ncommonName=supplied\n"
        )
        start, end = dates
        self._run(
            *("ca", "-batch", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key", "-notext"),
            *("-startdate", start, "-enddate", end, "-extfile", "names"),
            *("-in", f"{name}.pem", "-out", f"{name}.pem"),
        )

    def _new_key(self, name: str) -> tuple[str, ...]:
        return ("-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.pem")

    def _run(self, *words: str, out: str = "") -> None:
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@asynccontextmanager
async def serving(
    certificates: Certificates, name: str, *, asks: bool = False
) -> AsyncIterator[tuple[str, list[Any]]]:
    """A TLS server with this certificate; the certificates that clients showed it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.path(f"{name}.pem"), certificates.path(f"{name}.key"))
    if asks:
        context.load_verify_locations(certificates.path("ca.pem"))
        context.verify_mode = ssl.CERT_OPTIONAL
    shown: list[Any] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            shown.append((writer.get_extra_info("peercert") or {}).get("subject"))
            writer.write(html("Connection: close", body=b"<title>intranet</title>"))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/", shown


class TestTrust:
    async def test_a_private_authority_is_trusted_on_request(
        self, certificates: Certificates, tmp_path: Path
    ) -> None:
        async with serving(certificates, "server") as (url, shown):
            report = await crawl(seeds=[url], db=tmp_path / "a.db", ca_file=certificates.path("ca.pem"))

            assert rows(tmp_path / "a.db", PAGES) == [("intranet", None)]
            assert (report.exit_code, shown) == (0, [None])

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("server", "tls:unknown_authority"),
            ("alone", "tls:self_signed"),
        ],
    )
    async def test_a_certificate_that_nobody_vouches_for_is_refused_once(
        self, certificates: Certificates, tmp_path: Path, name: str, reason: str
    ) -> None:
        """It will not mend by itself, so it is not asked again."""
        async with serving(certificates, name) as (url, _):
            await crawl(seeds=[url], db=tmp_path / "a.db")

        assert rows(tmp_path / "a.db", "SELECT reason, attempts FROM urls") == [(reason, 1)]

    @pytest.mark.parametrize(("name", "reason"), [("expired", "tls:expired"), ("other", "tls:wrong_name")])
    async def test_a_trusted_authority_does_not_mend_a_wrong_certificate(
        self, certificates: Certificates, tmp_path: Path, name: str, reason: str
    ) -> None:
        async with serving(certificates, name) as (url, _):
            await crawl(seeds=[url], db=tmp_path / "a.db", ca_file=certificates.path("ca.pem"))

        assert rows(tmp_path / "a.db", "SELECT reason, attempts FROM urls") == [(reason, 1)]

    @pytest.mark.parametrize("name", ["server", "alone", "expired", "other"])
    async def test_insecure_takes_any_certificate_and_says_so(
        self, certificates: Certificates, tmp_path: Path, name: str
    ) -> None:
        db = tmp_path / "a.db"
        async with serving(certificates, name) as (url, _):
            finished = await asyncio.to_thread(
                run_command, ["--seed", url, "--db", db, "--no-robots", "--insecure", "--progress", "none"]
            )

        assert (finished.code, rows(db, PAGES)) == (0, [("intranet", None)])
        assert "certificates_not_verified" in finished.stderr
        assert "no TLS certificate was verified: --insecure" in finished.stderr

    async def test_the_robots_table_names_the_cause_too(
        self, certificates: Certificates, tmp_path: Path
    ) -> None:
        async with serving(certificates, "server") as (url, _):
            await crawl(seeds=[url], db=tmp_path / "a.db", no_robots=False, max_time=20)

        assert rows(tmp_path / "a.db", "SELECT error FROM robots") == [("tls:unknown_authority",)]

    async def test_plain_http_on_a_tls_port_and_the_reverse_are_named(
        self, certificates: Certificates, tmp_path: Path
    ) -> None:
        async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(100)
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(plain, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            await crawl(seeds=[f"https://127.0.0.1:{port}/"], db=tmp_path / "a.db")
        async with serving(certificates, "server") as (url, _):
            await crawl(seeds=[url.replace("https:", "http:")], db=tmp_path / "b.db", retries=0)

        assert rows(tmp_path / "a.db", "SELECT reason FROM urls") == [("tls:plain_http",)]
        assert rows(tmp_path / "b.db", "SELECT reason FROM urls")[0][0] in ("tls:https_port", "reset")


class TestClientCertificate:
    @pytest.mark.parametrize(
        "files", [("both.pem", None), ("client.pem", "client.key"), ("client.pem", "locked.key")]
    )
    async def test_the_origins_of_the_seeds_see_it(
        self,
        certificates: Certificates,
        tmp_path: Path,
        files: tuple[str, str | None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("PENSTOCK_CLIENT_KEY_PASSWORD", PASSWORD)
        cert, key = files
        options: dict[str, Any] = {} if key is None else {"client_key": certificates.path(key)}
        async with serving(certificates, "server", asks=True) as (url, shown):
            await crawl(
                seeds=[url],
                db=tmp_path / "a.db",
                ca_file=certificates.path("ca.pem"),
                client_cert=certificates.path(cert),
                **options,
            )

        assert shown == [((("commonName", "client"),),)]

    async def test_another_origin_does_not(self, certificates: Certificates, tmp_path: Path) -> None:
        """It names the operator, like a password."""
        async with (
            serving(certificates, "server", asks=True) as (url, shown),
            serving(certificates, "server", asks=True) as (other, shown_there),
        ):
            await crawl(
                seeds=[url],
                sitemap=[other],
                scope="any",
                db=tmp_path / "a.db",
                ca_file=certificates.path("ca.pem"),
                client_cert=certificates.path("both.pem"),
            )

        assert (len(shown), set(shown_there)) == (1, {None})


class TestFiles:
    @pytest.mark.parametrize(
        "options",
        [
            {"ca_file": "missing.pem"},
            {"ca_file": "client.key"},
            {"client_cert": "missing.pem"},
            {"client_cert": "client.pem"},
            {"client_cert": "ca.pem", "client_key": "client.key"},
            {"client_cert": "client.pem", "client_key": "missing.key"},
            {"client_cert": "client.pem", "client_key": "locked.key"},
        ],
        ids=str,
    )
    def test_a_file_that_cannot_be_used_is_refused_before_the_first_request(
        self, certificates: Certificates, options: dict[str, str]
    ) -> None:
        with pytest.raises(BadConfig) as caught:
            load_trust(**{name: certificates.path(file) for name, file in options.items()})  # type: ignore[arg-type]

        message = str(caught.value)
        assert message.startswith(("--ca-file: ", "--client-cert: "))
        assert "\n" not in message

    def test_on_the_command_line_it_is_one_line_and_exit_2(self, tmp_path: Path) -> None:
        for flags in (["--ca-file", "no.pem"], ["--client-cert", "no.pem"], ["--client-key", "no.key"]):
            finished = run_command(["--seed", "https://127.0.0.1:1/", "--db", tmp_path / "a.db", *flags])

            assert finished.code == 2
            assert flags[0] in finished.stderr
            assert not (tmp_path / "a.db").exists()

    def test_without_options_the_systems_authorities_are_trusted(self) -> None:
        assert load_trust() is None
