from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from cybersecqwen.core.errors import InputError
from cybersecqwen.sources.benchmarks.reference_results import CUT_CHARACTERS, read_results


def results(*rows: int) -> dict[str, Any]:
    answers = [
        {"idx": n, "gold": "CWE-79", "pred_raw": "CWE-79", "pred": "CWE-79", "correct": True}
        for n in rows
    ]
    first = {"n": 2, "correct": 1, "accuracy_total": 0.5}
    last = {"n": 2, "correct": 2, "accuracy_total": 1.0, "predictions": answers}
    return {"model": "m", "subsets": {"cti-rcm": {"trials": [first, last]}}}


def test_plain_and_compressed_read_alike(tmp_path: Path) -> None:
    plain, packed = tmp_path / "r.json", tmp_path / "r.json.gz"
    text = json.dumps(results(0, 1)).encode()
    plain.write_bytes(text)
    packed.write_bytes(gzip.compress(text))
    assert read_results(plain) == read_results(packed)
    assert [a.idx for a in read_results(plain).subsets["cti-rcm"].trials[-1].predictions] == [0, 1]


def test_a_text_of_the_full_length_may_lack_its_end(tmp_path: Path) -> None:
    content = results(0)
    content["subsets"]["cti-rcm"]["trials"][1]["predictions"][0]["pred_raw"] = "x" * CUT_CHARACTERS
    (tmp_path / "r.json").write_text(json.dumps(content))
    (answer,) = read_results(tmp_path / "r.json").subsets["cti-rcm"].trials[-1].predictions
    assert answer.cut


def test_unusable_files_say_why(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    file.write_text(json.dumps(results(0, 0)))
    with pytest.raises(InputError, match="idx 0 occurs twice"):
        read_results(file)
    file.write_text(json.dumps(results()))
    with pytest.raises(InputError, match="no predictions"):
        read_results(file)
    file.write_bytes(gzip.compress(json.dumps(results(0)).encode())[:-20])
    with pytest.raises(InputError, match=r"r\.json: not a file of released results"):
        read_results(file)
