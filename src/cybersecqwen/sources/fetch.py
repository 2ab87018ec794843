"""What NVD, the CVE Program and MITRE publish, and where."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

import msgspec

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import RecordProblem
from cybersecqwen.sources.io.download import (
    Downloader,
    DownloadError,
    Expected,
    Outcome,
    UnreachableError,
)

Feed = Literal["nvd", "cve", "cwe", "attack", "capec"]
FEEDS: tuple[Feed, ...] = get_args(Feed)

FIRST_NVD_YEAR = 2002
"""NVD's first yearly feed, which also holds the CVEs of 1999 to 2001."""

BASE_URLS: dict[Feed, str] = {
    "nvd": "https://nvd.nist.gov/feeds/json/cve/2.0",
    "cve": "https://api.github.com/repos/CVEProject/cvelistV5/releases",
    "cwe": "https://cwe.mitre.org/data/xml",
    "attack": "https://raw.githubusercontent.com/mitre-attack/attack-stix-data/master",
    "capec": "https://raw.githubusercontent.com/mitre/cti/master/capec/2.1",
}
_FILE_NAME = re.compile(r"\w[\w.-]*")
_ATTACK_DOMAINS = ("enterprise-attack", "mobile-attack", "ics-attack")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that is on disk, whole and verified.

    Attributes:
        path: File that it is saved as.
        url: Its address.
        outcome: ``new``, or ``unchanged`` since it was last fetched.
    """

    path: Path
    url: str
    outcome: Outcome


def nvd_years(spans: Iterable[str]) -> list[int]:
    """Return the years that ``2024`` or ``2002-2024`` name; without any, all there are.

    Raises:
        InputError: One is no year that NVD has a feed for.
    """
    last = datetime.now(UTC).year
    years: set[int] = set()
    for span in spans:
        first, _, end = span.partition("-")
        if not (first.isdigit() and (end or first).isdigit()):
            raise InputError(f"{span!r} is no year and no span of years such as 2020-2024")
        years.update(range(int(first), int(end or first) + 1))
        if not (FIRST_NVD_YEAR <= int(first) <= int(end or first) <= last):
            raise InputError(f"{span}: NVD's yearly feeds are {FIRST_NVD_YEAR} to {last}")
    return sorted(years) or list(range(FIRST_NVD_YEAR, last + 1))


def fetch_feed(
    feed: Feed,
    out: Path,
    *,
    years: Iterable[int] = (),
    base_url: str = "",
    downloader: Downloader | None = None,
) -> Iterator[Fetched | RecordProblem]:
    """Bring the files of a feed up to date in a folder, one after the other.

    Args:
        feed: Whose data.
        out: The folder.
        years: NVD's feeds to fetch; the other feeds have no years.
        base_url: A mirror to fetch from, in place of the publisher.
        downloader: What fetches.

    Yields:
        Each file as it is done, or the problem of one that cannot be had.

    Raises:
        UnreachableError: The server is not to be reached.
    """
    get = downloader or Downloader()
    base = (base_url or BASE_URLS[feed]).rstrip("/")
    if feed == "nvd":
        names = [f"nvdcve-2.0-{year}" for year in years]
        for name in names:
            yield _nvd_feed(get, f"{base}/{name}.json.gz", out, f"{base}/{name}.meta")
    elif feed == "cve":
        yield _cve_list(get, f"{base}/latest", out)
    elif feed == "cwe":
        yield _file(get, f"{base}/cwec_latest.xml.zip", out, Expected("zip"))
    elif feed == "attack":
        for domain in _ATTACK_DOMAINS:
            yield _file(get, f"{base}/{domain}/{domain}.json", out, Expected("json"))
    else:
        yield _file(get, f"{base}/stix-capec.json", out, Expected("json"))


def _file(get: Downloader, url: str, out: Path, expected: Expected) -> Fetched | RecordProblem:
    name = url.rsplit("/", 1)[-1]
    if not _FILE_NAME.fullmatch(name):
        # The CVE List's address comes from a server, and may not name a place outside the folder.
        return RecordProblem(url, "", f"{name!r} is no name for a file")
    path = out / name
    try:
        return Fetched(path, url, get.fetch(url, path, expected))
    except DownloadError as error:
        return _problem(url, error)


def _problem(url: str, error: DownloadError) -> RecordProblem:
    if isinstance(error, UnreachableError):
        raise error  # so is whatever else the feed has
    return RecordProblem(url, "", str(error).removeprefix(f"{url}: "))


def _nvd_feed(get: Downloader, url: str, out: Path, meta_url: str) -> Fetched | RecordProblem:
    """Fetch an NVD feed against its ``.meta`` file."""
    try:
        expected = parse_meta(get.page(meta_url), meta_url)
    except DownloadError as error:
        return _problem(meta_url, error)
    return _file(get, url, out, expected)


def parse_meta(content: bytes, url: str) -> Expected:
    """Read NVD's ``.meta`` file: ``name:value`` lines, of which ``gzSize`` and ``sha256`` count.

    The hash is that of the JSON inside, in upper case.

    Raises:
        DownloadError: It has no hash.
    """
    lines = content.decode("ascii", "replace").splitlines()
    fields = dict(line.strip().split(":", 1) for line in lines if ":" in line)
    digest = fields.get("sha256", "").strip().lower()
    if len(digest) != 64:
        raise DownloadError(f"{url}: no sha256 in the feed's .meta file")
    size = fields.get("gzSize", "").strip()
    return Expected("gzip", int(size) if size.isdigit() else None, content_sha256=digest)


class _Asset(msgspec.Struct):
    name: str
    browser_download_url: str
    size: int | None = None
    digest: str | None = None


class _Release(msgspec.Struct):
    assets: list[_Asset] = []


def _cve_list(get: Downloader, url: str, out: Path) -> Fetched | RecordProblem:
    """Fetch the whole CVE List from its latest release; the day's midnight archive has it all."""
    try:
        release = msgspec.json.decode(get.page(url), type=_Release)
    except DownloadError as error:
        return _problem(url, error)
    except msgspec.DecodeError as error:
        return RecordProblem(url, "", f"not the description of a release: {error}")
    for asset in release.assets:
        if "_all_CVEs_at_midnight.zip" in asset.name:
            # GitHub publishes "sha256:..." for each asset since 2025.
            kind, _, digest = (asset.digest or "").partition(":")
            sha256 = digest if kind == "sha256" else ""
            expected = Expected("zip", asset.size, sha256=sha256)
            return _file(get, asset.browser_download_url, out, expected)
    return RecordProblem(url, "", "the release has no archive of all CVEs")
