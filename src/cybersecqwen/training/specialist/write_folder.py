"""The files of a model folder, written the same way for every kind of specialist."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from cybersecqwen import __version__
from cybersecqwen.core.code_state import code_state, hardware
from cybersecqwen.core.files import sha256_file, write_json, write_text
from cybersecqwen.core.model_folder import (
    CARD_FILE,
    CONFIG_FILE,
    GRAPH_FILE,
    RESULTS_FILE,
    TOKENIZER_FILE,
)


def write_network(out: Path, graph: Path, tokenizer: Tokenizer) -> dict[str, str]:
    """Write the graph and the tokenizer, and return their SHA-256 by file name.

    Args:
        out: The model folder; made where it is not there.
        graph: The int8 graph.
        tokenizer: Its tokenizer; truncation and padding are taken off it.
    """
    out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(graph, out / GRAPH_FILE)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    write_text(out / TOKENIZER_FILE, tokenizer.to_str())
    return {name: sha256_file(out / name) for name in (GRAPH_FILE, TOKENIZER_FILE)}


def provenance(base: str, teachers: Iterable[str], hashes: Mapping[str, str]) -> dict[str, str]:
    """Return where a model comes from: what it learnt from, by which code, where and when.

    Args:
        base: Its base encoder.
        teachers: The bases of its teachers.
        hashes: SHA-256 of each corpus file.
    """
    state = code_state()
    return {
        "base": base,
        "teachers": ", ".join(teachers) or "none",
        "cybersecqwen": __version__,
        "date": datetime.now(UTC).date().isoformat(),
        "commit": f"{state.commit}{' with changes' if state.dirty else ''}",
        "hardware": hardware(),
        **{f"sha256 of {name}": digest for name, digest in hashes.items()},
    }


def write_description(out: Path, *, results: Mapping[str, Any], card: str, config: Any) -> None:
    """Write what is said of the network; the configuration, which makes a model of it, last.

    Args:
        out: The model folder.
        results: Recipe and measurements.
        card: Markdown.
        config: What a loader reads.
    """
    write_json(out / RESULTS_FILE, results)
    write_text(out / CARD_FILE, card)
    write_json(out / CONFIG_FILE, config)
