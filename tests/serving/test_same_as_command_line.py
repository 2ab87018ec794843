"""A file over the service and over the command line: the same rows, problems and refusals."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from cybersecqwen.cli.main import main

TEXT = "The login form concatenates the user name into the SQL query, so anyone can read it."
ROW = json.dumps({"id": "CVE-2099-0001", "description": TEXT})
RECORD = {"cveMetadata": {"cveId": "CVE-2099-0002"}, "containers": {"cna": {}}}
FILES = {
    "rows.jsonl": f"{ROW}\n{{broken\n\n{ROW}\n".encode(),
    "table.csv": f"Report\n\nCVE ID;Description\nCVE-2099-0001;{TEXT}\nCVE-2099-2;N/A\n".encode(),
    "bad.csv": b"host,finding\na,b\n",
    "ids.csv": b"CVE,Host\nCVE-2099-0001,h1\n",
    "page.json": b"<!DOCTYPE html><html><body>Forbidden</body></html>",
    "error.json": b'{"message": "Not Found", "status": 404}',
    "advisory.yaml": b"package: a\ndetails: words\n",
    "pointer.json": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
    "empty.txt": b"",
    "nothing.json": b'{"vulns": []}',
    "wrapped.json": json.dumps({"data": {"items": [RECORD]}}).encode(),
    "packed.json.gz.gz": gzip.compress(gzip.compress(ROW.encode())),
    "cut.json": json.dumps([{"id": "a", "description": TEXT}] * 3).encode()[:-60],
    "mac.txt": f"{TEXT}\r{TEXT}\r".encode(),
    "16.csv": f"cve,description\nCVE-2099-0001,{TEXT}\n".encode("utf-16-le"),
    "noise.bin": bytes(range(256)) * 9,
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_gives_the_same(
    name: str,
    client: TestClient,
    files: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    monkeypatch.setenv("CYBERSECQWEN_STORE", str(tmp_path / "none.sqlite"))
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes(FILES[name])
    command = ["map", "--input", name, "--to", "jsonl", "--model", files["specialist"]]
    status = main(command)
    out, said = capfdbinary.readouterr()
    rows = [json.loads(line) for line in out.decode().split("\n") if line]
    answer = client.post("/api/map/file", params={"name": name}, content=FILES[name])
    if status == 2:
        assert rows == []
        assert answer.status_code == 400
        assert said.decode() == f"cybersecqwen: {answer.json()['error']['message']}\n"
        return
    lines = [json.loads(line) for line in answer.content.decode().split("\n") if line]
    assert [line for line in lines if "cwe" in line] == rows
    problems = [line["problem"] for line in lines if "problem" in line]
    failed = [problem for problem in problems if problem["kind"] in {"failed", "no_description"}]
    assert status == (1 if failed else 0)
    for problem in problems:
        assert problem["reason"] in said.decode()
