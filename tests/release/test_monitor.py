"""Drift, feedback and the page about them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from cybersecqwen.apps import monitor
from cybersecqwen.cli.main import main
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.taxonomy import shipped_taxonomy
from cybersecqwen.release.feedback import read_corrections, summarise_feedback, training_rows
from cybersecqwen.release.results_profile import ResultRow, make_profile

MODEL = "model 1"
_WORDS = [
    a + b for a in ("net", "web", "file", "log", "mail") for b in ("app", "kit", "hub", "box")
]


def write_weeks(path: Path, weeks: range, seed: int, **shift: float) -> Path:
    """Write a site's results: 200 records a week, alike but for a shift of their shares."""
    draw = random.Random(seed)
    rows = []
    for week in weeks:
        for number in range(200):
            strange = draw.random() < shift.get("strange", 0.0)
            words = [f"zq{draw.randrange(9999):04}ab".translate(_LETTERS) for _ in range(9)]
            text = " ".join(words if strange else draw.choices(_WORDS, k=9))
            certain = draw.betavariate(8, 2) * (1 - shift.get("doubt", 0.0))
            first = draw.random() < 0.4 + shift.get("labels", 0.0)
            rows.append(
                {
                    "id": f"X-{week}-{number}",
                    "cwe": "CWE-79" if first else draw.choice(["CWE-89", "CWE-787", "CWE-22"]),
                    "confidence": certain,
                    "abstained": certain < 0.6,
                    "published": f"2026-{1 + week // 4:02}-{1 + week % 4 * 7:02}",
                    "description": text,
                    "model": MODEL,
                }
            )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


_LETTERS = str.maketrans("0123456789", "abcdefghij")


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("profile")
    results = write_weeks(folder / "good.jsonl", range(16), seed=1)
    monitor.save_profile([results], folder / "profile.json")
    return folder / "profile.json"


def test_no_alarm_without_a_shift(profile: Path, tmp_path: Path) -> None:
    results = write_weeks(tmp_path / "results.jsonl", range(20), seed=2)
    report = monitor.watch([results], profile=profile)
    assert len(report.weeks) == 20
    assert all(len(week.comparisons) == 4 for week in report.weeks)
    assert len(report.alarms) <= 1


@pytest.mark.parametrize(
    ("shift", "measure"),
    [("labels", "labels"), ("strange", "unfamiliar"), ("doubt", "confidence")],
)
def test_each_shift_is_found_by_its_measure(
    profile: Path, tmp_path: Path, shift: str, measure: str
) -> None:
    before = write_weeks(tmp_path / "before.jsonl", range(4), seed=3)
    after = write_weeks(tmp_path / "after.jsonl", range(4, 6), seed=4, **{shift: 0.3})
    report = monitor.watch([before, after], profile=profile)
    found = {c.measure for week in report.weeks[-2:] for c in week.comparisons if c.alarm}
    assert measure in found
    assert not any(week.alarm for week in report.weeks[:-2])


def test_one_unusual_week_is_no_drift_but_two_are(profile: Path, tmp_path: Path) -> None:
    def alarms(*shifted: int) -> tuple[list[str], list[str]]:
        """Return the weeks with an alarm, and those that are unusual."""
        for week in range(6):
            share = 0.3 if week in shifted else 0.0
            write_weeks(tmp_path / f"{week}.jsonl", range(week, week + 1), seed=week, labels=share)
        found = monitor.watch([tmp_path], profile=profile)
        return found.alarms, [week.week for week in found.weeks if week.unusual]

    assert alarms(3) == ([], ["2026-W04"])
    assert alarms(3, 4) == (["2026-W05"], ["2026-W04", "2026-W05"])


def test_records_that_come_again_do_not_make_their_words_familiar() -> None:
    def row(number: int) -> ResultRow:
        own = f"zq{number:04}".translate(_LETTERS)
        return ResultRow("CWE-79", 0.9, id=f"X-{number}", description=f"web file {own}a {own}b")

    again = [(f"w{week}", row(number)) for week in range(4) for number in range(60)]
    anew = [(f"w{week}", row(100 * week + number)) for week in range(4) for number in range(60)]
    profiles = [make_profile(rows, "m", "rows") for rows in (again, anew)]
    assert [profile.unfamiliar_above for profile in profiles] == [1.0, 0.5]


def test_what_cannot_be_watched_is_said(profile: Path, tmp_path: Path) -> None:
    results = write_weeks(tmp_path / "r.jsonl", range(2), seed=1)
    text = results.read_text()
    with pytest.raises(InputError, match="no reference ships for model 1"):
        monitor.watch([results])
    results.write_text(text.replace(MODEL, "model 2"))
    with pytest.raises(InputError, match="results of model 2, a reference of model 1"):
        monitor.watch([results], profile=profile)
    results.write_text(text + text.replace(MODEL, "model 2"))
    with pytest.raises(InputError, match=r"several models.*model 1 \(400\), model 2 \(400\)"):
        monitor.watch([results], profile=profile)
    results.write_text("[]\n")
    with pytest.raises(InputError, match=r"r\.jsonl:1: not a row that map wrote"):
        monitor.watch([results], profile=profile)
    few = write_weeks(tmp_path / "f.jsonl", range(2), seed=1)
    with pytest.raises(InputError, match="results of 2 weeks; a reference needs four"):
        monitor.save_profile([few], tmp_path / "p.json")


def test_dates_come_from_the_records_or_the_file_name(profile: Path, tmp_path: Path) -> None:
    results = write_weeks(tmp_path / "map-2026-05-04.jsonl", range(3), seed=5)
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    records = tmp_path / "feed.jsonl"
    feed = [{k: row[k] for k in ("id", "description", "published")} for row in rows]
    records.write_text("".join(json.dumps(row) + "\n" for row in feed))
    bare = [{k: v for k, v in row.items() if k not in ("description", "published")} for row in rows]
    results.write_text("".join(json.dumps(row) + "\n" for row in bare))
    assert [w.week for w in monitor.watch([results], profile=profile).weeks] == ["2026-W19"]
    joined = monitor.watch([results], profile=profile, records=records)
    assert [week.week for week in joined.weeks] == ["2026-W01", "2026-W02", "2026-W03"]
    undated = results.rename(tmp_path / "map.jsonl")
    assert monitor.watch([undated], profile=profile).undated == 600


@pytest.fixture
def corrections(tmp_path: Path) -> Path:
    path = tmp_path / "corrections.jsonl"
    lines = [
        ("CVE-1", "CWE-79", "CWE-79", 0.9, "2026-11-01T10:00:00Z"),
        ("CVE-2", "CWE-89", "CWE-79", 0.6, "2026-11-02T10:00:00Z"),
        ("CVE-2", "CWE-564", "CWE-79", 0.6, "2026-11-03T10:00:00Z"),
        ("CVE-3", "CWE-2", "CWE-79", 0.3, "2026-11-04T10:00:00Z"),
        ("CVE-4", "CWE-999999", "CWE-79", 0.3, "2026-11-05T10:00:00Z"),
    ]
    path.write_text(
        "".join(
            json.dumps(
                {
                    "id": id_,
                    "description": f"text of {id_}",
                    "labels": {"cna": [meant]},
                    "predicted": {"cna": {"cwe": said, "confidence": sure, "model": MODEL}},
                    "saved": {"cna": when},
                }
            )
            + "\n"
            for id_, meant, said, sure, when in lines
        )
    )
    return path


def test_feedback_is_summed_up(corrections: Path) -> None:
    given = read_corrections([corrections])
    summary = summarise_feedback(given)
    assert (summary.answers, summary.right) == (4, 1)
    assert ("CWE-79", "CWE-564", 1) in summary.confusions  # the later correction of CVE-2
    assert [band.answers for band in summary.bands] == [2, 1, 1]
    rows, left_out = training_rows(given, shipped_taxonomy())
    assert [row["id"] for row in rows] == ["CVE-1", "CVE-2"]
    assert rows[1]["labels"] == {"cna": ["CWE-564"]}
    assert left_out == [
        "CVE-3: CWE-2 may not be mapped to",
        "CVE-4: CWE-999999 is not in the catalogue",
    ]


def test_training_rows_are_read_as_records(
    profile: Path, corrections: Path, tmp_path: Path
) -> None:
    from cybersecqwen.sources.detect import read_advisories

    results = write_weeks(tmp_path / "r.jsonl", range(2), seed=1)
    out = tmp_path / "rows.jsonl"
    monitor.watch([results], profile=profile, corrections=[corrections], rows=out)
    records = list(read_advisories(out, "jsonl"))
    assert [record.cwes("cna") for record in records] == [("CWE-79",), ("CWE-564",)]  # type: ignore[union-attr]


def test_page_and_command(
    profile: Path, corrections: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = write_weeks(tmp_path / "before.jsonl", range(4), seed=3)
    after = write_weeks(tmp_path / "after.jsonl", range(4, 6), seed=4, labels=0.4)
    page = tmp_path / "page.html"
    words = ["monitor", str(before), str(after), "--profile", str(profile), "--page", str(page)]
    assert main([*words, "--corrections", str(corrections), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["alarms"]
    assert said["feedback"]["answers"] == 4
    text = page.read_text("utf-8")
    assert "Something has changed in the last two weeks: mix of weaknesses" in text
    assert "src=" not in text
    assert "http" not in text.replace("http-equiv", "")
    assert main(["monitor", str(before), "--profile", str(profile)]) == 0
    assert "as usual" in capsys.readouterr().out
