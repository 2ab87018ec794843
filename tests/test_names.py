"""A class name stands for one thing in the whole package."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "cybersecqwen"


def test_class_names_are_unique() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{path.relative_to(PACKAGE)}:{node.lineno}")
    assert len(places) > 200, "the package was read"
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_modules_import_each_other_in_one_direction() -> None:
    """No circle of imports, not even for type checking; those inside functions left out."""
    imports = {_module(path): _imported(path) for path in PACKAGE.rglob("*.py")}
    left = {module: found & imports.keys() - {module} for module, found in imports.items()}
    while free := {module for module, found in left.items() if not found & left.keys()}:
        left = {module: found for module, found in left.items() if module not in free}
    assert sorted(left) == []


def _module(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(path: Path) -> set[str]:
    """Return the modules of ours that are imported when a module is."""
    found: set[str] = set()
    package = _module(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    body = ast.parse(path.read_text("utf-8")).body
    for node in [
        *body,
        *(inner for part in body if isinstance(part, ast.If) for inner in part.body),
    ]:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            found |= {name, *(f"{name}.{alias.name}" for alias in node.names)}
    # Every package imports its parents, which are reached whoever asks.
    return {name for name in found if not _module(path).startswith(f"{name}.")}
