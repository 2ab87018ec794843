"""One script out of the view's modules, for a page that may load nothing."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable

VIEW: Traversable = files("cybersecqwen.apps.report") / "view"
"""Modules and styles that the report and the server's page share."""

ENTRY = "report.js"

_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const|let) (\w+)|)", re.MULTILINE)
_NAME = re.compile(r"^export (?:async )?(?:function\*?|class|const|let) (\w+)", re.MULTILINE)


@lru_cache(maxsize=1)
def report_script() -> str:
    """Return the report's script: each module a function of its own, those it imports before it."""
    made: list[str] = []
    done: set[str] = set()
    _append(ENTRY, made, done)
    return "\n".join(['"use strict";', *made])


@lru_cache(maxsize=1)
def report_style() -> str:
    """Return the report's style sheet."""
    return "".join((VIEW / name).read_text("utf-8") for name in ("base.css", "view.css"))


def _append(name: str, made: list[str], done: set[str]) -> None:
    if name in done:
        return
    done.add(name)
    text = (VIEW / name).read_text("utf-8")
    for _, wanted in _IMPORT.findall(text):
        _append(wanted, made, done)
    body = _IMPORT.sub(lambda match: f"const {{{match[1]}}} = {_variable(match[2])};\n", text)
    names = ", ".join(_NAME.findall(text))
    body = _EXPORT.sub("", body)
    made.append(f"const {_variable(name)} = (() => {{\n{body}\nreturn {{ {names} }};\n}})();")


def _variable(name: str) -> str:
    return f"module_{name.removesuffix('.js')}"
