"""``doctor``: whether this installation works, and what it could use."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cybersecqwen.cli.common import EXIT_DONE, EXIT_SOME_FAILED, print_json, printable
from cybersecqwen.core import telemetry
from cybersecqwen.core.resources import total_memory, usable_cores

if TYPE_CHECKING:
    from cybersecqwen.core.freshness import PartAge

HELP = "check this installation: packages, model, processor, memory, GPU"
EXAMPLES = ("doctor",)

PACKAGE = "cybersecqwen"
_DEVELOPERS = frozenset({"dev", "docs"})  # extras that no user of the package wants
_PROCESSOR_FEATURES = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "asimddp", "i8mm")


class Extra(msgspec.Struct, frozen=True):
    """An optional part of the package.

    Attributes:
        installed: Whether all it needs is there.
        missing: What is not.
        command: What installs it.
    """

    installed: bool
    missing: list[str]
    command: str


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """What ``doctor`` found.

    Attributes:
        works: Whether the base function, mapping text to CWE ids, works.
        problems: What is wrong with it, each with what to do.
        version: Version of this package.
        python: Version of Python.
        system: Operating system and machine.
        packages: Version of each base dependency, or None where it is missing.
        extras: The optional parts, by name.
        model: Name and version of the shipped model; empty when it does not load.
        answer: What the model says of a test sentence.
        processor: Instruction sets that speed up int8 arithmetic, of those this machine has;
            None where the system does not say.
        cores: Processor cores that this process may use.
        memory_bytes: Main memory; None where the system does not say.
        gpus: Graphics processors that torch can use; None without torch.
        knowledge: Folder of the knowledge base that is used.
        knowledge_built: Whether there is one.
        knowledge_shipped: Whether it is the one that ships with the package.
        switched_off: Environment variables by which the usage reporting of dependencies is off.
        left_behind: Folders with a device id and events for ONNX Runtime's maker, from runs before
            the reporting was switched off or from other programs; they can be deleted.
        serving: What ``serve`` would lack; empty when all of it would work.
        cache: Folder for temporary files.
        cache_writable: Whether it can be written.
        parts: How old each part is that answers rest on, and which are missing.
    """

    works: bool
    problems: list[str]
    version: str
    python: str
    system: str
    packages: dict[str, str | None]
    extras: dict[str, Extra]
    model: str
    answer: str
    processor: list[str] | None
    cores: int
    memory_bytes: int | None
    gpus: list[str] | None
    knowledge: str
    knowledge_built: bool
    knowledge_shipped: bool
    switched_off: list[str]
    left_behind: list[str]
    serving: list[str]
    cache: str
    cache_writable: bool
    parts: list[PartAge]


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Diagnose the installation: 0 if the base function works, else 1."""
    diagnosis = diagnose()
    if arguments.json:
        print_json(diagnosis)
    else:
        print(_describe(diagnosis))
    return EXIT_DONE if diagnosis.works else EXIT_SOME_FAILED


def diagnose() -> Diagnosis:
    """Look at everything; nothing is raised for what is merely missing."""
    import tempfile

    from cybersecqwen import __version__
    from cybersecqwen.apps.freshness import installed_parts
    from cybersecqwen.core.install_command import install_command
    from cybersecqwen.knowledge.location import default_folder, shipped_folder

    packages, extras = _requirements()
    problems = [
        f"{name} is missing: {install_command()} --force-reinstall"
        for name, version in packages.items()
        if version is None
    ]
    model = answer = ""
    if not problems:
        model, answer, failure = _try_model()
        problems += [failure] if failure else []
    cache = tempfile.gettempdir()
    knowledge = default_folder()
    return Diagnosis(
        works=not problems,
        problems=problems,
        version=__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        packages=packages,
        extras=extras,
        model=model,
        answer=answer,
        processor=_processor(),
        cores=usable_cores(),
        memory_bytes=total_memory(),
        gpus=_gpus(),
        knowledge=str(knowledge),
        knowledge_built=(knowledge / "manifest.json").is_file(),
        knowledge_shipped=knowledge == shipped_folder(),
        switched_off=[name for name in telemetry.SWITCHES if name in os.environ],
        left_behind=[str(folder) for folder in telemetry.leftovers()],
        serving=_serving(extras, knowledge),
        cache=cache,
        cache_writable=os.access(cache, os.W_OK),
        parts=[] if problems else installed_parts(),
    )


def _installed(name: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _requirements() -> tuple[dict[str, str | None], dict[str, Extra]]:
    """Return the base dependencies' versions and the extras, as the package's metadata has them."""
    import re
    from importlib import metadata

    from cybersecqwen.core.install_command import install_command

    try:
        required = metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:  # run from a source tree
        return {}, {}
    packages: dict[str, str | None] = {}
    wanted: dict[str, list[str]] = {}
    for line in required:
        requirement, _, marker = line.partition(";")
        name = re.split(r"[\s<>=!~(\[]", requirement.strip(), maxsplit=1)[0]
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", marker)
        if extra and extra[1] not in _DEVELOPERS:
            wanted.setdefault(extra[1], []).append(name)
        elif not marker:
            packages[name] = _installed(name)
    extras = {}
    for extra_name, names in sorted(wanted.items()):
        missing = [name for name in names if _installed(name) is None]
        extras[extra_name] = Extra(not missing, missing, install_command(extra_name))
    return packages, extras


def _serving(extras: dict[str, Extra], knowledge: Path) -> list[str]:
    """Say what ``serve`` lacks, each with what to do."""
    lacks = []
    serve, llm = extras.get("serve"), extras.get("llm")
    if serve and serve.missing:
        lacks.append(f"it cannot start without {', '.join(serve.missing)}: {serve.command}")
    if not (knowledge / "manifest.json").is_file():
        lacks.append("no knowledge base, so questions and searches are refused: see kb info")
    if llm and llm.missing:
        lacks.append(f"no language model of its own can run: {llm.command}")
    return lacks


def _try_model() -> tuple[str, str, str]:
    """Load the shipped model and ask it; return its name, its answer and what went wrong."""
    from cybersecqwen.core.errors import CyberSecQwenError

    try:
        from cybersecqwen.specialists import CweMapper

        mapper = CweMapper.load()
        prediction = mapper.map("A stack-based buffer overflow allows remote code execution.")
    except (CyberSecQwenError, ImportError, OSError) as error:
        return "", "", f"the shipped model does not answer: {error}"
    return mapper.name, f"{prediction.cwe} {prediction.confidence:.2f}", ""


def _processor() -> list[str] | None:
    """Return the features of ``_PROCESSOR_FEATURES`` that Linux reports, or None elsewhere."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return None
    flags = {
        flag
        for line in text.splitlines()
        if line.lower().startswith(("flags", "features"))
        for flag in line.split(":", 1)[-1].split()
    }
    return [feature for feature in _PROCESSOR_FEATURES if feature in flags]


def _gpus() -> list[str] | None:
    if _installed("torch") is None:
        return None
    import torch

    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]


def _whose(found: Diagnosis) -> str:
    if not found.knowledge_built:
        return "NOT there"
    return "shipped with the package" if found.knowledge_shipped else "your own"


def _describe(found: Diagnosis) -> str:
    memory = "unknown" if found.memory_bytes is None else f"{found.memory_bytes / 2**30:.1f} GiB"
    features = "unknown" if found.processor is None else ", ".join(found.processor) or "none known"
    gpus = "no torch to ask" if found.gpus is None else ", ".join(found.gpus) or "none"
    lines = [
        f"cybersecqwen {found.version}, Python {found.python}, {found.system}",
        f"model      {found.model or 'none'}" + (f": {found.answer}" if found.answer else ""),
        f"processor  {found.cores} cores, int8 helped by: {features}",
        f"memory     {memory}",
        f"GPU        {gpus}",
        f"temporary  {found.cache} ({'' if found.cache_writable else 'NOT '}writable)",
        *(f"age        {part}" for part in found.parts),
        f"knowledge  {found.knowledge} ({_whose(found)})",
        f"reporting  of dependencies is switched off: {', '.join(found.switched_off)}",
        *(
            f"reporting  {folder} was left by an earlier run or another program: delete it"
            for folder in found.left_behind
        ),
        *(f"serve      {lack}" for lack in found.serving or ["has all it needs"]),
        *(f"package    {name} {version or 'MISSING'}" for name, version in found.packages.items()),
        *(
            f"extra      {name}: "
            + ("installed" if e.installed else f"lacks {', '.join(e.missing)}: {e.command}")
            for name, e in found.extras.items()
        ),
        *(f"PROBLEM    {problem}" for problem in found.problems),
        "map works" if found.works else f"map does NOT work ({sys.executable})",
    ]
    return "\n".join(map(printable, lines))
