"""Token ids to logits: an ONNX graph run over batches of like length."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from cybersecqwen.core.cancellation import checkpoint
from cybersecqwen.core.errors import ModelError
from cybersecqwen.core.resources import usable_cores
from cybersecqwen.specialists.tokenize import TokenIds

BATCH_TOKENS = 512
"""Padded tokens in a batch at most (one text may have more). Larger batches are no faster on a
core, and each running one holds its activations: some 20 MB at this size."""

_MAX_THREADS = 16

Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PendingLogits:
    """Logits of a window of texts, on their way.

    Attributes:
        count: Texts in the window.
        parts: For each batch, which texts it holds, shape (B,), and its logits-to-be, (B, C).
    """

    count: int
    parts: list[tuple[NDArray[np.int64], Future[Logits]]]

    def result(self) -> Logits:
        """Wait for and return the logits, shape (count, C), in the order of the texts."""
        try:
            first = self.parts[0][1].result()
            logits = np.empty((self.count, first.shape[1]), dtype=np.float32)
            for places, part in self.parts:
                checkpoint()
                logits[places] = part.result()
        except BaseException:
            self.cancel()
            raise
        return logits

    def cancel(self) -> None:
        """Drop what has not been begun."""
        for _, part in self.parts:
            part.cancel()


class Network:
    """An ONNX graph shared by a pool of threads, each running a batch on one core.

    One thread a batch, many batches: no thread ever waits for another inside an operator, and
    the cores stay busy while the caller reads and tokenises the next texts.

    Args:
        graph: Content of the ONNX file; see ``core.model_folder`` for its inputs and output.
        shape: Labellers and labels, (L, C), that its output must have.
        threads: Batches to run at once; None for one a core, 16 at most.

    Raises:
        ModelError: The graph cannot be loaded or has other inputs or outputs.
    """

    def __init__(self, graph: bytes, shape: tuple[int, int], threads: int | None = None) -> None:
        self._session = open_graph(graph)
        inputs = {item.name for item in self._session.get_inputs()}
        outputs = {item.name: item.shape for item in self._session.get_outputs()}
        if inputs != {"input_ids", "attention_mask"} or "logits" not in outputs:
            raise ModelError(f"the graph has inputs {sorted(inputs)} and outputs {list(outputs)}")
        # A dimension that the exporter could not name is a string or None; it is let through.
        given = outputs["logits"][1:]
        if len(given) != 2 or any(
            isinstance(found, int) and found != wanted
            for found, wanted in zip(given, shape, strict=True)
        ):
            raise ModelError(
                f"the graph gives logits of shape {outputs['logits']}, "
                f"but the configuration names {shape[0]} labellers and {shape[1]} labels"
            )
        workers = threads or min(usable_cores(), _MAX_THREADS)
        self._pool = ThreadPoolExecutor(workers, "specialist")

    def submit(self, texts: Sequence[TokenIds], labeller: int) -> PendingLogits:
        """Start on a window of at least one text; ``labeller`` is its place on the L axis."""
        return PendingLogits(
            len(texts),
            [
                (places, self._pool.submit(self._run, [texts[i] for i in places], labeller))
                for places in plan_batches([len(ids) for ids in texts])
            ],
        )

    def run(self, text: TokenIds, labeller: int) -> Logits:
        """Return the logits of one text, shape (1, C), computed on the calling thread."""
        return self._run([text], labeller)

    def _run(self, batch: list[TokenIds], labeller: int) -> Logits:
        logits: Logits
        (logits,) = self._session.run(["logits"], padded(batch))
        return logits[:, labeller]  # (B, L, C) -> (B, C)


def open_graph(graph: bytes) -> onnxruntime.InferenceSession:
    """Return a session that runs one batch on one core.

    Raises:
        ModelError: The graph cannot be loaded.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # A memory pattern is kept per input shape, and here nearly every batch has its own.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(
            graph,
            options,
            providers=["CPUExecutionProvider"],
            # On a CPU the fused kernel takes five times as long as its two parts.
            disabled_optimizers=["SkipLayerNormFusion"],
        )
    except Exception as error:  # ONNX Runtime's exceptions share no base of their own
        raise ModelError(f"ONNX Runtime cannot load the graph: {error}") from error


def padded(batch: Sequence[TokenIds]) -> dict[str, TokenIds]:
    """Return a batch of texts as a graph takes them: ids and mask, (B, T), padded on the right."""
    ids = np.zeros((len(batch), max(map(len, batch))), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, text in enumerate(batch):
        ids[row, : len(text)] = text
        mask[row, : len(text)] = 1
    return {"input_ids": ids, "attention_mask": mask}


class GraphPool:
    """An ONNX graph with any outputs, shared by threads that each run a batch on one core.

    Args:
        graph: Content of the ONNX file; it takes ``input_ids`` and ``attention_mask``.
        outputs: What to read of it, each with one row a text.
        threads: Batches to run at once; None for one a core, 16 at most.

    Raises:
        ModelError: The graph cannot be loaded, or lacks an output.
    """

    def __init__(self, graph: bytes, outputs: Sequence[str], threads: int | None = None) -> None:
        self._session = open_graph(graph)
        self._outputs = list(outputs)
        found = {item.name for item in self._session.get_outputs()}
        if missing := set(outputs) - found:
            raise ModelError(f"the graph has no output {', '.join(sorted(missing))}")
        self._pool = ThreadPoolExecutor(threads or min(usable_cores(), _MAX_THREADS), "specialist")

    def run(self, texts: Sequence[TokenIds]) -> list[list[NDArray[np.float32]]]:
        """Return each output of each text, in the order of the texts.

        Where an output has a row a token, what stands for padding is cut off.
        """
        answers: list[list[NDArray[np.float32]]] = [[] for _ in texts]
        plans = plan_batches([len(ids) for ids in texts])
        if len(plans) == 1:
            found: Iterable[list[NDArray[np.float32]]] = map(self._run, plans, [texts])
        else:
            found = self._pool.map(self._run, plans, [texts] * len(plans))
        for places, outputs in zip(plans, found, strict=True):
            for row, place in enumerate(places):
                tokens = len(texts[place])
                answers[place] = [
                    out[row][:tokens] if out.ndim == 3 else out[row] for out in outputs
                ]
        return answers

    def _run(
        self, places: NDArray[np.int64], texts: Sequence[TokenIds]
    ) -> list[NDArray[np.float32]]:
        made: list[NDArray[np.float32]] = self._session.run(
            self._outputs, padded([texts[place] for place in places])
        )
        return made


def plan_batches(lengths: Sequence[int], budget: int = BATCH_TOKENS) -> list[NDArray[np.int64]]:
    """Group texts of like length, longest first, into batches of at most ``budget`` padded tokens.

    The plan depends on nothing but the lengths, so that the same window always meets the same
    batches: where activations are quantised per batch, a text's logits depend on its company.

    Args:
        lengths: Tokens of each text.
        budget: Texts times longest text, in tokens; a longer text is a batch of its own.

    Returns:
        The places of each batch's texts; together, every place once.
    """
    order = np.argsort(-np.asarray(lengths), kind="stable")
    batches = []
    start = 0
    while start < len(order):
        size = max(1, budget // max(1, lengths[order[start]]))
        batches.append(order[start : start + size])
        start += size
    return batches
