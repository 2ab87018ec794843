"""Which files hold no records, by their names."""

from __future__ import annotations

from collections.abc import Iterator

from cybersecqwen.sources.io.streams import NotRecordsError


def passed_over_by_name(passed_over: list[str], where: str) -> Iterator[NotRecordsError]:
    """Say in one line what was passed over by its name; hidden files need no word."""
    shown = [name for name in passed_over if not _is_hidden(name)]
    if shown:
        more = f" and {len(shown) - 3:,} more" if len(shown) > 3 else ""
        files = "1 file" if len(shown) == 1 else f"{len(shown):,} files"
        reason = f"passed over {files} that hold no records by name: {', '.join(shown[:3])}{more}"
        yield NotRecordsError(where, reason)


def _is_hidden(name: str) -> bool:
    parts = (part for part in name.split("/") if part not in {".", ".."})
    return any(part.startswith((".", "__MACOSX")) for part in parts)


README_NAMES = (
    "readme",
    "license",
    "licence",
    "notice",
    "changelog",
    "contributing",
    "copying",
    "security.md",
)
"""Beginnings of the names of files about other files, in lower case."""

_DATA_ENDINGS = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".xlsx", ".yaml", ".yml")
_CHANGE_LOGS = frozenset(("delta.json", "deltalog.json", "recent_activities.json"))
"""Which the CVE List ships beside its records."""
_OTHER_ENDINGS = (
    *(".py", ".js", ".ts", ".go", ".rs", ".sh", ".css", ".toml", ".lock", ".cfg", ".ini", ".asc"),
    *(".sig", ".sha256", ".sha512", ".md5", ".meta", ".png", ".jpg", ".gif", ".svg", ".ico"),
)


def may_hold_records(name: str) -> bool:
    """Whether a file in a folder or an archive may hold records, by its name."""
    base = name.rsplit("/", 1)[-1].lower()
    if _is_hidden(name) or base in _CHANGE_LOGS:
        return False
    # A vendor may call its advisories notices.
    if base.startswith(README_NAMES) and not base.endswith(_DATA_ENDINGS):
        return False
    return not base.endswith(_OTHER_ENDINGS)
