"""What ``assess`` prints for a person."""

from __future__ import annotations

import pytest

from cybersecqwen.cli.main import main

TEXT = "SQL injection in the id parameter of list.php lets anyone read the database."


@pytest.mark.parametrize("columns", [60, 80])
def test_an_assessment_fits_the_terminal(
    columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["assess", TEXT]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("CWE-89 ")
    assert max(map(len, lines)) <= max(columns, len("Severity 10.0 critical: ") + 44)
    shown = "\n".join(lines)
    for words in ("Severity", "Attack Vector", "Network", "Techniques", "Mitigations", "[CWE-89#"):
        assert words in shown
