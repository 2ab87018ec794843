from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("pydantic_settings")
from cybersecqwen.core.errors import InputError
from cybersecqwen.serving.settings import load_settings

TOKEN = "a-token-of-some-length"


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [n for n in os.environ if n.startswith("CYBERSECQWEN_SERVE_")]:
        monkeypatch.delenv(name)


def test_flags_win_over_the_environment_and_that_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "serve.toml"
    file.write_text('port = 1\nqueue = 7\njobs = 3\nallowed_hosts = ["desk.example"]\n')
    monkeypatch.setenv("CYBERSECQWEN_SERVE_PORT", "2")
    monkeypatch.setenv("CYBERSECQWEN_SERVE_QUEUE", "8")
    found = load_settings({"port": 3}, file)
    assert (found.port, found.queue, found.jobs) == (3, 8, 3)
    assert found.allowed_hosts == ("desk.example",)
    monkeypatch.setenv("CYBERSECQWEN_SERVE_CONFIG", str(file))
    assert load_settings({}).jobs == 3


def test_yaml(tmp_path: Path) -> None:
    file = tmp_path / "serve.yaml"
    file.write_text("port: 9\nlog_texts: true\n")
    assert load_settings({}, file).log_texts


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("colour = 1", "colour"),
        ("port = 'x'", "port"),
        ("port = 70000", "port"),
        ("port =", "settings: "),
        ("model_sha256 = 'ABC'", "model_sha256"),
        ("host = '0.0.0.0'", "0.0.0.0 is no loopback address"),
        ("host = 'example.org'", "no loopback address"),
        ("token = 'short'", "at least 16"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "serve.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=complaint):
        load_settings({}, file)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such settings file"):
        load_settings({}, tmp_path / "none.toml")
    (tmp_path / "serve.ini").write_text("")
    with pytest.raises(InputError, match=r"\.toml"):
        load_settings({}, tmp_path / "serve.ini")


def test_unknown_variables_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CYBERSECQWEN_SERVE_PROT", "1")
    with pytest.raises(InputError, match="CYBERSECQWEN_SERVE_PROT: no such setting"):
        load_settings({})


def test_other_addresses_need_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    found = load_settings({"host": "0.0.0.0", "token_file": file})
    assert found.token is not None
    assert found.token.get_secret_value() == TOKEN
    assert TOKEN not in repr(found)
    monkeypatch.setenv("CYBERSECQWEN_SERVE_TOKEN", TOKEN)
    assert load_settings({"host": "::"}).token is not None
    config = tmp_path / "serve.toml"
    config.write_text(f'host = "::"\ntoken_file = "{file}"\n')
    monkeypatch.delenv("CYBERSECQWEN_SERVE_TOKEN")
    assert load_settings({}, config).token is not None
    with pytest.raises(InputError, match="cannot read the token"):
        load_settings({"token_file": tmp_path / "none"})


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_needs_none(host: str) -> None:
    assert load_settings({"host": host}).on_loopback
