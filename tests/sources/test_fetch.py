from __future__ import annotations

import gzip
import hashlib
import io
import json
import socket
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from cybersecqwen.cli.main import main
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import RecordProblem
from cybersecqwen.sources import fetch
from cybersecqwen.sources.fetch import Fetched, fetch_feed, nvd_years, parse_meta
from cybersecqwen.sources.io.download import (
    Downloader,
    DownloadError,
    Expected,
    FetchPolicy,
    UnreachableError,
)

JSON = json.dumps({"format": "NVD_CVE", "vulnerabilities": [], "pad": list(range(9000))}).encode()


@dataclass
class Site:
    """A server that can be told to behave badly.

    ``faults`` are used up, one a request for a file in ``faulty``: a status to answer with, or
    ``cut`` to send half.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    faults: list[int | str] = field(default_factory=list)
    faulty: str = ""
    ranges: bool = True
    validators: bool = True
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str], int]] = field(default_factory=list)

    def count(self, ending: str) -> int:
        return sum(path.endswith(ending) for path, _, _ in self.requests)

    def statuses(self, ending: str) -> list[int]:
        return [status for path, _, status in self.requests if path.endswith(ending)]


class Handler(BaseHTTPRequestHandler):
    site: Site

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        content = self.site.files.get(self.path)
        fault: int | str | None = None
        if self.path.endswith(self.site.faulty) and self.site.faults:
            fault = self.site.faults.pop(0)
        if isinstance(fault, int):
            self.answer(fault, b"", self.site.headers)
        elif content is None:
            self.answer(404, b"", {})
        else:
            self.send(content, cut=fault == "cut")

    def send(self, content: bytes, *, cut: bool) -> None:
        etag = f'"{hashlib.sha256(content).hexdigest()}"'
        headers = {"ETag": etag} if self.site.validators else {}
        if self.headers.get("If-None-Match") == etag:
            self.answer(304, None, headers)
            return
        start = 0
        asked = self.headers.get("Range")
        if asked and self.site.ranges and self.headers.get("If-Range") == etag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        body = content[start:]
        sent = body[: len(body) // 2] if cut else body
        self.answer(206 if start else 200, sent, headers, len(body))

    def answer(
        self, status: int, body: bytes | None, headers: dict[str, str], size: int | None = None
    ) -> None:
        self.site.requests.append((self.path, dict(self.headers), status))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if body is not None:
            self.send_header("Content-Length", str(len(body) if size is None else size))
        self.end_headers()
        self.wfile.write(body or b"")


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    server = HTTPServer(("127.0.0.1", 0), type("SiteHandler", (Handler,), {"site": site}))
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield site
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def get(waits: list[float]) -> Downloader:
    return Downloader(
        FetchPolicy(attempts=4, wait_s=2.0, pause_s=0.5, timeout_s=5, sleep=waits.append)
    )


def meta(content: bytes, packed: bytes) -> bytes:
    return (
        "lastModifiedDate:2026-01-02T03:00:01-04:00\r\n"
        f"size:{len(content)}\r\nzipSize:1\r\ngzSize:{len(packed)}\r\n"
        f"sha256:{hashlib.sha256(content).hexdigest().upper()}\r\n"
    ).encode()


def publish_nvd(site: Site, year: int, content: bytes = JSON) -> bytes:
    packed = gzip.compress(content, mtime=0)
    site.files[f"/nvdcve-2.0-{year}.json.gz"] = packed
    site.files[f"/nvdcve-2.0-{year}.meta"] = meta(content, packed)
    return packed


def nvd(site: Site, out: Path, get: Downloader, *years: int) -> list[Fetched | RecordProblem]:
    return list(fetch_feed("nvd", out, years=years, base_url=site.url, downloader=get))


def outcome(found: list[Fetched | RecordProblem]) -> list[str]:
    return [item.outcome if isinstance(item, Fetched) else item.reason for item in found]


def test_fetches_verifies_and_does_not_fetch_again(
    site: Site, tmp_path: Path, get: Downloader, waits: list[float]
) -> None:
    packed = publish_nvd(site, 2003)
    publish_nvd(site, 2004)
    assert outcome(nvd(site, tmp_path, get, 2003, 2004)) == ["new", "new"]
    assert (tmp_path / "nvdcve-2.0-2003.json.gz").read_bytes() == packed
    assert all("cybersecqwen" in headers["User-Agent"] for _, headers, _ in site.requests)
    assert waits == [0.5, 0.5, 0.5]  # a pause before each request but the first
    assert outcome(nvd(site, tmp_path, get, 2003, 2004)) == ["unchanged", "unchanged"]
    assert site.count(".gz") == 2
    publish_nvd(site, 2003, JSON + b" ")
    assert outcome(nvd(site, tmp_path, get, 2003, 2004)) == ["new", "unchanged"]
    assert not list(tmp_path.glob("*.part"))


def test_a_changed_or_missing_file_on_disk_is_fetched_again(
    site: Site, tmp_path: Path, get: Downloader
) -> None:
    packed = publish_nvd(site, 2003)
    nvd(site, tmp_path, get, 2003)
    file = tmp_path / "nvdcve-2.0-2003.json.gz"
    file.write_bytes(b"short")
    assert outcome(nvd(site, tmp_path, get, 2003)) == ["new"]
    assert file.read_bytes() == packed


def test_resumes_where_it_broke_off(site: Site, tmp_path: Path, get: Downloader) -> None:
    packed = publish_nvd(site, 2003)
    site.faulty, site.faults = ".gz", ["cut", "cut"]
    assert outcome(nvd(site, tmp_path, get, 2003)) == ["new"]
    assert site.statuses(".gz") == [200, 206, 206]
    half, quarter = len(packed) // 2, (len(packed) - len(packed) // 2) // 2
    asked = [headers.get("Range") for path, headers, _ in site.requests if path.endswith(".gz")]
    assert asked == [None, f"bytes={half}-", f"bytes={half + quarter}-"]
    assert (tmp_path / "nvdcve-2.0-2003.json.gz").read_bytes() == packed


def test_a_later_call_resumes_too(site: Site, tmp_path: Path, waits: list[float]) -> None:
    packed = publish_nvd(site, 2003)
    once = Downloader(FetchPolicy(attempts=1, sleep=waits.append))
    site.faulty, site.faults = ".gz", ["cut"]
    [problem] = nvd(site, tmp_path, once, 2003)
    assert isinstance(problem, RecordProblem)
    assert "broke off at" in problem.reason
    assert problem.where.endswith(".gz")
    assert not (tmp_path / "nvdcve-2.0-2003.json.gz").exists()
    assert outcome(nvd(site, tmp_path, once, 2003)) == ["new"]
    assert site.statuses(".gz") == [200, 206]
    assert (tmp_path / "nvdcve-2.0-2003.json.gz").read_bytes() == packed


def test_a_new_version_is_not_glued_to_an_old_part(
    site: Site, tmp_path: Path, waits: list[float]
) -> None:
    publish_nvd(site, 2003)
    once = Downloader(FetchPolicy(attempts=1, sleep=waits.append))
    site.faulty, site.faults = ".gz", ["cut"]
    nvd(site, tmp_path, once, 2003)
    packed = publish_nvd(site, 2003, JSON[::-1])
    assert outcome(nvd(site, tmp_path, once, 2003)) == ["new"]
    assert site.statuses(".gz") == [200, 200]
    assert (tmp_path / "nvdcve-2.0-2003.json.gz").read_bytes() == packed


@pytest.mark.parametrize("lacking", ["ranges", "validators"])
def test_servers_that_cannot_resume(
    site: Site, tmp_path: Path, get: Downloader, lacking: str
) -> None:
    packed = publish_nvd(site, 2003)
    setattr(site, lacking, False)
    site.faulty, site.faults = ".gz", ["cut"]
    assert outcome(nvd(site, tmp_path, get, 2003)) == ["new"]
    assert site.statuses(".gz") == [200, 200]
    assert (tmp_path / "nvdcve-2.0-2003.json.gz").read_bytes() == packed


def test_a_busy_server_is_waited_for(
    site: Site, tmp_path: Path, get: Downloader, waits: list[float]
) -> None:
    publish_nvd(site, 2003)
    site.faulty, site.faults = ".meta", [500, 503]
    assert outcome(nvd(site, tmp_path, get, 2003)) == ["new"]
    assert [wait for wait in waits if wait != 0.5] == [2.0, 4.0]
    waits.clear()
    site.faults, site.headers = [429], {"Retry-After": "7"}
    nvd(site, tmp_path, get, 2003)
    assert 7.0 in waits
    waits.clear()
    site.faults, site.headers = [429], {"Retry-After": formatdate(4e9)}
    nvd(site, tmp_path, get, 2003)
    assert 600.0 in waits  # no server makes us wait for longer


def test_patience_ends(site: Site, tmp_path: Path, get: Downloader) -> None:
    publish_nvd(site, 2003)
    publish_nvd(site, 2004)
    site.faulty, site.faults = "2003.json.gz", [500] * 4
    first, second = nvd(site, tmp_path, get, 2003, 2004)
    assert isinstance(first, RecordProblem)
    assert "500" in first.reason
    assert "tried 4 times" in first.reason
    assert isinstance(second, Fetched)


def test_a_refusal_is_not_repeated(site: Site, tmp_path: Path, get: Downloader) -> None:
    [problem] = nvd(site, tmp_path, get, 2003)
    assert isinstance(problem, RecordProblem)
    assert "404" in problem.reason
    assert site.count(".meta") == 1


def test_a_wrong_hash_is_never_kept(site: Site, tmp_path: Path, get: Downloader) -> None:
    packed = publish_nvd(site, 2003)
    site.files["/nvdcve-2.0-2003.meta"] = meta(JSON + b"x", packed)
    [problem] = nvd(site, tmp_path, get, 2003)
    assert isinstance(problem, RecordProblem)
    assert "SHA-256 of its content" in problem.reason
    assert [file for file in tmp_path.iterdir() if not file.name.startswith(".")] == []


def test_a_wrong_size_is_never_kept(site: Site, tmp_path: Path, get: Downloader) -> None:
    site.files["/x.json"] = b"{}"
    with pytest.raises(DownloadError, match="2 bytes arrived, 3 are published"):
        get.fetch(f"{site.url}/x.json", tmp_path / "x.json", Expected("json", size=3))


@pytest.mark.parametrize("kind", ["zip", "gzip", "json"])
def test_what_does_not_open_is_never_kept(
    site: Site, tmp_path: Path, get: Downloader, kind: str
) -> None:
    site.files["/x"] = b"<html>we are down for maintenance</html>"
    expected = Expected(kind, content_sha256="0" * 64)  # type: ignore[arg-type]
    with pytest.raises(DownloadError, match=f"does not open as {kind}|not a gzip"):
        get.fetch(f"{site.url}/x", tmp_path / "x", expected)
    assert not (tmp_path / "x").exists()


def test_meta_without_a_hash() -> None:
    with pytest.raises(DownloadError, match="no sha256"):
        parse_meta(b"<html>", "http://example.org/x.meta")


def zipped(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, content)
    return out.getvalue()


def test_the_cve_list(site: Site, tmp_path: Path, get: Downloader) -> None:
    content = zipped("cves.zip", zipped("CVE-2024-1.json", b"{}"))
    name = "2026-01-02_all_CVEs_at_midnight.zip.zip"
    asset = {
        "name": name,
        "browser_download_url": f"{site.url}/download/{name}",
        "size": len(content),
        "digest": f"sha256:{hashlib.sha256(content).hexdigest()}",
    }
    other = {"name": "2026-01-02_delta_CVEs_at_0100Z.zip", "browser_download_url": "http://x"}
    site.files["/latest"] = json.dumps({"assets": [other, asset]}).encode()
    site.files[f"/download/{name}"] = content

    def fetch() -> list[Fetched | RecordProblem]:
        return list(fetch_feed("cve", tmp_path, base_url=site.url, downloader=get))

    assert outcome(fetch()) == ["new"]
    assert (tmp_path / name).read_bytes() == content
    assert outcome(fetch()) == ["unchanged"]
    asset["browser_download_url"] = f"{site.url}/.."
    site.files["/latest"] = json.dumps({"assets": [asset]}).encode()
    assert outcome(fetch()) == ["'..' is no name for a file"]
    site.files["/latest"] = json.dumps({"assets": [other]}).encode()
    assert outcome(fetch()) == ["the release has no archive of all CVEs"]
    site.files["/latest"] = b"[]"
    assert "not the description of a release" in outcome(fetch())[0]


def test_mitre_feeds_are_asked_for_once(site: Site, tmp_path: Path, get: Downloader) -> None:
    bundle = b'{"type": "bundle", "objects": []}'
    for domain in ("enterprise-attack", "mobile-attack", "ics-attack"):
        site.files[f"/{domain}/{domain}.json"] = bundle
    site.files["/stix-capec.json"] = bundle
    site.files["/cwec_latest.xml.zip"] = zipped("cwec.xml", b"<x/>")
    for _ in range(2):
        for feed, files in (("attack", 3), ("capec", 1), ("cwe", 1)):
            found = list(fetch_feed(feed, tmp_path, base_url=site.url, downloader=get))  # type: ignore[arg-type]
            assert len(found) == files
            assert all(isinstance(item, Fetched) for item in found)
    assert [status for _, _, status in site.requests] == [200] * 5 + [304] * 5


def test_years() -> None:
    assert nvd_years(["2003", "2005-2007", "2006"]) == [2003, 2005, 2006, 2007]
    assert nvd_years([])[0] == 2002
    for wrong in ("x", "1999", "2005-2003", "9999"):
        with pytest.raises(InputError, match=wrong):
            nvd_years([wrong])


def test_only_http(tmp_path: Path, get: Downloader) -> None:
    with pytest.raises(DownloadError, match="only http"):
        get.fetch("file:///etc/passwd", tmp_path / "x", Expected("json"))


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


def test_without_a_network_the_whole_call_ends_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    nobody = f"http://127.0.0.1:{free_port()}"
    start = time.monotonic()
    assert main(["data", "fetch", "nvd", "--out", str(tmp_path), "--base-url", nobody]) == 2
    assert time.monotonic() - start < 5
    (line,) = capsys.readouterr().err.splitlines()
    assert "127.0.0.1 is not reached, is there a network? (Connection refused)" in line


def test_a_name_that_is_looked_up_for_ever_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def hang(*_: object) -> None:
        ended.wait(30)
        raise OSError("gave up")

    monkeypatch.setattr("socket.create_connection", hang)
    start = time.monotonic()
    with pytest.raises(UnreachableError, match=r"no answer within 0\.2 s"):
        Downloader(FetchPolicy(reach_s=0.2)).page("https://feeds.example/x")
    assert time.monotonic() - start < 5
    ended.set()


def test_a_proxy_is_what_must_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1 is not reached"):
        Downloader().page("https://feeds.example/x")


def test_several_feeds_in_one_call(
    site: Site,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(fetch, "BASE_URLS", dict.fromkeys(fetch.BASE_URLS, site.url))
    monkeypatch.setattr(fetch, "Downloader", lambda: Downloader(FetchPolicy(pause_s=0)))
    site.files["/stix-capec.json"] = b"{}"
    for domain in ("enterprise-attack", "mobile-attack", "ics-attack"):
        site.files[f"/{domain}/{domain}.json"] = b"{}"
    assert main(["data", "fetch", "capec", "attack", "capec"]) == 0
    folder = tmp_path / "cybersecqwen" / "feeds"
    assert sorted(p.name for p in folder.glob("*.json")) == [
        "enterprise-attack.json",
        "ics-attack.json",
        "mobile-attack.json",
        "stix-capec.json",
    ]
    assert len(capsys.readouterr().out.splitlines()) == 4
    assert main(["data", "fetch", "capec", "cwe", "--base-url", site.url]) == 2
    assert "one by one" in capsys.readouterr().err


def test_command_line(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site.files["/stix-capec.json"] = b"{}"
    call = ["data", "fetch", "capec", "--out", str(tmp_path), "--base-url", site.url]
    assert main(call) == 0
    assert capsys.readouterr().out.split() == ["new", str(tmp_path / "stix-capec.json")]
    assert main([*call, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [file["outcome"] for file in printed["files"]] == ["unchanged"]
    del site.files["/stix-capec.json"]
    assert main(call) == 2
    assert "404" in capsys.readouterr().err
    assert main([*call, "--years", "2003"]) == 2
    assert "--years goes with nvd" in capsys.readouterr().err


def test_command_line_cwe_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    catalogue = tmp_path / "c.json"
    page = {"ID": "79", "Name": "XSS", "Abstraction": "Base", "MappingNotes": {"Usage": "Allowed"}}
    document = {"ContentVersion": "1", "ContentDate": "2030-01-02", "Weaknesses": [page]}
    catalogue.write_text(json.dumps(document))
    out = tmp_path / "table.json"
    assert main(["data", "cwe-table", str(catalogue), "--out", str(out)]) == 0
    assert capsys.readouterr().out == "CWE 1 of 2030-01-02: 1 entries\n"
    assert json.loads(out.read_bytes())["entries"][0]["id"] == "CWE-79"
    assert main(["data", "cwe-table", str(tmp_path / "absent"), "--out", str(out)]) == 2
