"""Exports: a fine-tuned model in the form that another program reads, compared with its source."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from cybersecqwen.apps.corpus import require_clean
from cybersecqwen.apps.progress import JobProgress, OnProgress, ignore
from cybersecqwen.core.atomic_folder import full_disk_told, scratch_folder
from cybersecqwen.core.errors import CyberSecQwenError, InputError
from cybersecqwen.core.files import flush_folder, sha256_file, write_json
from cybersecqwen.llm import open_backend
from cybersecqwen.llm.parity import ParityComparison, compare_backends, require_likeness

if TYPE_CHECKING:
    from cybersecqwen.core.interfaces import Backend

GgufType = Literal["f16", "q8_0", "q4_k_m"]

# The largest mean gap to the source, nats a character. Rounding alone stays under the first; a
# quantisation costs something, which the evaluation has to tell; past the second it is broken.
_ROUNDING = 0.05
_QUANTISED = 0.5


class ExportResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was exported, and how alike it is to its source; written beside it as ``check.json``.

    Attributes:
        output: File or folder that was made.
        bytes: Its size.
        source: SPEC of the model that it was made from.
        comparison: Answers and log-probabilities of both.
        type: Quantisation of a GGUF file.
        tensors: Of a GGUF file: how many tensors have each type.
        importance: Of a GGUF file: text that the importance matrix was measured on, and the
            beginning of its SHA-256.
        scale: Of what was brought nearer its base: how many times what was learnt counts.
        added: Of an adapter with others added: how often each one's product counts.
        kept: Of an adapter cut to a lower rank: share of its products' squared norm. Of one made
            of a fully fine-tuned model: share of the squared norm of all that changed.
        projections: Of such a one: share of it that lies in the matrices that can have adapters.
    """

    output: str
    bytes: int
    source: str
    comparison: ParityComparison
    type: str = ""
    tensors: dict[str, int] = {}
    importance: str = ""
    scale: float = 1.0
    added: dict[str, float] = {}
    kept: float = 1.0
    projections: float = 1.0


def export_merged(
    tuned: Path,
    out: Path,
    *,
    base: str | None = None,
    scale: float = 1.0,
    on_progress: OnProgress = ignore,
) -> ExportResult:
    """Merge a base and its adapter, or average it with a fully fine-tuned model, in one folder.

    Args:
        tuned: Folder of ``train lora``: an adapter's or, with ``scale``, a model's.
        out: Folder to make.
        base: Where the base is; None for where the folder says.
        scale: What was learnt counts so many times as much: under 1, weights are averaged with the
            base's.
        on_progress: Told of each stage.

    Raises:
        InputError: A folder cannot be used, there is nothing to merge, or ``out`` is taken.
        MissingExtraError: The ``train`` extra is not installed.
        ModelError: The export answers unlike its source.
    """
    from cybersecqwen.training.export.merge import merge

    _require_free(out)
    _require_scale(scale)
    moved = {"base": base} if base else {}
    limit = _ROUNDING if scale == 1.0 else _QUANTISED
    with _hidden(out) as part:
        on_progress(JobProgress("merging"))
        merge(tuned, part, base, scale)
        facts = {"scale": scale}
        return _compared(f"hf:{tuned}", "hf", part, out, limit, on_progress, moved, facts=facts)


def _require_scale(scale: float) -> None:
    if not 0 < scale <= 2:
        raise InputError(f"--scale: above 0 and 2 at most, not {scale:g}")


def export_adapter(
    adapter: Path,
    out: Path,
    *,
    numbers: Literal["f32", "bf16"] = "f32",
    base: str | None = None,
    scale: float = 1.0,
    add: Sequence[tuple[Path, float]] = (),
    rank: int | None = None,
    on_progress: OnProgress = ignore,
) -> ExportResult:
    """Write the adapter alone: in other numbers, nearer its base, with others, or at a lower rank.

    Of a fully fine-tuned model, the adapter is made of its difference from its base.

    Args:
        adapter: Folder of ``train lora``: an adapter's or, with ``rank``, a model's.
        out: Folder to make.
        numbers: Type of its numbers.
        base: Where the base is; None for where the adapter says.
        scale: Its product counts so many times as much: under 1, weights are averaged with the
            base's.
        add: Folders of other adapters of the same base, whose products are added so many times
            each: with ``scale``, an average.
        rank: Columns to cut it to, on average; None for as many as it has.
        on_progress: Told of each stage.

    Raises:
        InputError: A folder cannot be used, ``out`` is taken, or an option will not do.
        MissingExtraError: The ``train`` extra is not installed.
        ModelError: The export answers unlike its source, more than such a change explains.
    """
    from cybersecqwen.training.export import merge

    _require_free(out)
    _require_scale(scale)
    moved = {"base": base} if base else {}
    if merge.is_whole_model(adapter):
        if rank is None or add:
            raise InputError(
                f"{adapter}: is a whole model; an adapter of what changed takes --rank, no --add"
            )
        return _export_difference(adapter, out, numbers, base, scale, rank, on_progress)
    changed = scale != 1.0 or rank is not None or bool(add)
    with _hidden(out) as part:
        kept = merge.export_adapter(adapter, part, numbers, base, scale=scale, add=add, rank=rank)
        # How far a sum is from its first part says nothing about the export.
        limit = math.inf if add else _QUANTISED if changed else _ROUNDING
        added = {"added": {str(folder): factor for folder, factor in add}} if add else {}
        facts = {"scale": scale, **added, "kept": kept} if changed else {}
        return _compared(
            *(f"hf:{adapter}", "hf", part, out, limit, on_progress, moved), facts=facts
        )


def _export_difference(
    tuned: Path,
    out: Path,
    numbers: Literal["f32", "bf16"],
    base: str | None,
    scale: float,
    rank: int,
    on_progress: OnProgress,
) -> ExportResult:
    """Write what full fine-tuning changed as an adapter."""
    from cybersecqwen.training.export.merge import export_difference

    with _hidden(out) as part:
        on_progress(JobProgress("taking the difference apart"))
        made = export_difference(tuned, part, numbers, rank, base, scale=scale)
        facts = {"scale": scale, "kept": made.kept, "projections": made.projections}
        # How far it is from the model says how much of the change an adapter holds.
        return _compared(f"hf:{tuned}", "hf", part, out, math.inf, on_progress, facts=facts)


def export_gguf_adapter(
    adapter: Path,
    out: Path,
    beside: Path,
    *,
    base: str | None = None,
    threads: int | None = None,
    on_progress: OnProgress = ignore,
) -> ExportResult:
    """Write the adapter alone as one file for llama.cpp.

    Args:
        adapter: Folder of ``train lora``.
        out: File to make.
        beside: The base as a GGUF file, with which the adapter is tried.
        base: Hub id or folder of the base; None for where the adapter says.
        threads: Threads of the comparison; None for llama.cpp's own choice.
        on_progress: Told of each stage.

    Raises:
        InputError: A file cannot be used, or ``out`` is taken.
        MissingExtraError: The ``train`` or ``llm`` extra is not installed.
        ModelError: The export answers unlike its source.
    """
    from cybersecqwen.training.export.gguf.adapter import write_gguf_adapter
    from cybersecqwen.training.export.merge import adapter_base
    from cybersecqwen.training.lora.model import find_base

    _require_free(out)
    named = base or adapter_base(adapter)
    with _hidden(out) as part:
        on_progress(JobProgress("writing"))
        count = write_gguf_adapter(adapter, find_base(named).config, part)
        made: dict[str, Any] = {"adapter": str(part)} | ({"threads": threads} if threads else {})
        # The base beside it may be quantised, so that more than rounding may lie between them.
        return _compared(
            *(f"hf:{adapter}", "gguf", part, out, _QUANTISED, on_progress, {"base": named}),
            tried=beside,
            made_options=made,
            facts={"type": "f16", "tensors": {"F16": count}},
        )


def export_gguf(
    model: Path,
    out: Path,
    *,
    quantisation: GgufType = "q4_k_m",
    importance_text: Path | None = None,
    against: Sequence[Path] = (),
    threads: int | None = None,
    on_progress: OnProgress = ignore,
) -> ExportResult:
    """Write a model folder as one file for llama.cpp.

    Args:
        model: Folder of ``export_merged``.
        out: File to make.
        quantisation: Type of its large tensors.
        importance_text: Training text (JSONL rows or plain) to measure on which weights matter.
        against: Benchmark files that this text may not overlap.
        threads: Threads of the comparison; None for llama.cpp's own choice.
        on_progress: Told of each stage.

    Raises:
        InputError: A file cannot be used, the text overlaps a benchmark, or ``out`` is taken.
        MissingExtraError: The ``train`` or ``llm`` extra is not installed.
        ModelError: The export answers unlike its source.
    """
    from cybersecqwen.training.export.gguf.write import write_gguf

    _require_free(out)
    importance, told = None, ""
    if importance_text:
        from cybersecqwen.training.export.gguf.importance import measure, read_texts

        texts = read_texts(importance_text)
        require_clean(importance_text, against)
        on_progress(JobProgress("measuring importance"))
        importance = measure(model, texts)
        told = f"{importance_text.name} {sha256_file(importance_text)[:16]}"
    limit = _ROUNDING if quantisation == "f16" else _QUANTISED
    made = {"threads": threads} if threads else {}
    with _hidden(out) as part:
        on_progress(JobProgress("writing"))
        types = write_gguf(model, part, quantisation, importance, told)
        facts = {"type": quantisation, "tensors": dict(types), "importance": told}
        return _compared(
            *(f"hf:{model}", "gguf", part, out, limit, on_progress), made_options=made, facts=facts
        )


def _require_free(out: Path) -> None:
    if out.exists():
        raise InputError(f"{out}: is there already; give another name, or remove it")


@contextmanager
def _hidden(out: Path) -> Iterator[Path]:
    """Give a path beside ``out`` to make an export at, which appears once the block ends well.

    So nothing stands there that has not been compared, whenever the process dies.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(out) as scratch, full_disk_told(out):
        part = scratch / out.name
        try:
            yield part
        except CyberSecQwenError as error:
            told = str(error).replace(str(part), str(out))
            if told == str(error):
                raise
            raise type(error)(told) from error
        _require_free(out)
        for name in (_check_name(part), out.name):
            if (scratch / name).exists():
                (scratch / name).rename(out.with_name(name))
        flush_folder(out.parent)


def _check_name(file: Path) -> str:
    return f"{file.name}.check.json"


def _compared(
    source: str,
    scheme: str,
    part: Path,
    out: Path,
    limit: float,
    on_progress: OnProgress,
    source_options: dict[str, Any] | None = None,
    *,
    tried: Path | None = None,
    made_options: dict[str, Any] | None = None,
    facts: dict[str, Any] | None = None,
) -> ExportResult:
    """Compare an export with its source and write what was found into it, or beside a file.

    Args:
        source: SPEC of its source.
        scheme: ``hf`` or ``gguf``.
        part: Where it is now.
        out: Where it will be.
        limit: The largest mean gap, nats a character.
        on_progress: Told that it is compared.
        source_options: Of the source's backend.
        tried: Model that is opened, where the export is only a part of one; ``part`` by default.
        made_options: Of the export's.
        facts: Of the result.

    Raises:
        ModelError: They are unlike.
    """

    def opened(spec: str, options: dict[str, Any] | None) -> Callable[[], Backend]:
        return lambda: open_backend(spec, **(options or {}))

    on_progress(JobProgress("comparing"))
    found = compare_backends(
        opened(source, source_options), opened(f"{scheme}:{tried or part}", made_options)
    )
    require_likeness(found, limit, f"{scheme}:{out}")
    files = [part] if part.is_file() else [file for file in part.rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files)
    result = ExportResult(str(out), size, source, found, **(facts or {}))
    beside = part.with_name(_check_name(part)) if part.is_file() else part / "check.json"
    write_json(beside, result)
    return result
