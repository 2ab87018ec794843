"""How many records of the held-out weeks are answered, and how many of those answers are right.

    python benchmarks/answered.py --data DATA [--recipe recipes/corpus/specialist.yaml]

The weeks are those that the corpus recipe holds out; of them every record that NVD or the CNA
labelled is taken, as the feeds have it: validation rows proper lack what resembles a benchmark's
item, and with it most of the easy templates. Only the benchmarks' own ids are left out. Nothing is
fitted here: threshold and bands are the model's. Right is the labeller's first id alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from cybersecqwen import CweMapper
from cybersecqwen.core.config import load_recipe
from cybersecqwen.core.records import Advisory, Labeller
from cybersecqwen.core.rows import CVE_ID, CorpusRow
from cybersecqwen.corpus.cleaning.split import is_held_out
from cybersecqwen.corpus.records.recipe import CorpusRecipe, Split
from cybersecqwen.sources import read_advisories

_PRECISIONS = (0.95, 0.9, 0.85)


def main() -> None:
    """Read, ask and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the recipe's sources")
    parser.add_argument("--recipe", type=Path, default=Path("recipes/corpus/specialist.yaml"))
    parser.add_argument("--model", help="a model folder (the shipped one)")
    arguments = parser.parse_args()
    recipe = load_recipe(arguments.recipe, CorpusRecipe)
    benchmarks = {
        found.upper()
        for name in recipe.benchmarks
        for found in _ids((arguments.data / name).read_text("utf-8"))
    }
    records = [
        record for record in held_out_records(arguments.data, recipe) if record.id not in benchmarks
    ]
    mapper = CweMapper.load(arguments.model)
    print(f"{mapper.name}: {len(records):,} labelled records of held-out weeks")
    for labeller in ("nvd", "cna"):
        mine = [record for record in records if record.cwes(labeller)]
        for view in ("description", "record"):
            print(_line(mapper, mine, labeller, view))


def held_out_records(data: Path, recipe: CorpusRecipe) -> Iterator[Advisory]:
    """Yield the labelled records of the weeks that a corpus recipe holds out.

    A record that stands in several sources comes once, with the labels of all and the rest of the
    earliest, and with the date of whichever has one.
    """
    merged: dict[str, Advisory] = {}
    for source in recipe.sources:
        read = read_advisories(
            data / source.path, source.format, labels_from=source.labels_from or "other"
        )
        for record in read:
            if not isinstance(record, Advisory):
                continue
            known = merged.get(record.id)
            if known is None:
                if _maybe_held_out(record, recipe.split):
                    merged[record.id] = record
                continue
            merged[record.id] = replace(
                known if known.affected or not record.affected else record,
                description=known.description,
                labels=known.labels + record.labels,
                published=known.published or record.published,
            )
    for record in merged.values():
        if record.labels and is_held_out(_dated(record), recipe.split):
            yield record


def _maybe_held_out(record: Advisory, split: Split) -> bool:
    """Whether a record may be held out, as far as this source dates it."""
    return not record.published or is_held_out(_dated(record), split)


def _dated(record: Advisory) -> CorpusRow:
    return CorpusRow(record.id, "", record.published[:10], {})


def _ids(text: str) -> Iterator[str]:
    return (match[0] for match in CVE_ID.finditer(text))


def _line(mapper: CweMapper, records: list[Advisory], labeller: Labeller, view: str) -> str:
    texts = [record.description if view == "description" else record for record in records]
    answers = list(mapper.map_many(texts, labeller=labeller))
    right = np.array(
        [a.cwe == r.cwes(labeller)[0] for a, r in zip(answers, records, strict=True)], float
    )
    given = np.array([not answer.abstained for answer in answers])
    order = np.argsort([-answer.confidence for answer in answers], kind="stable")
    reached = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    best = [
        f"{precision} of {(np.flatnonzero(reached >= precision)[-1] + 1) / len(order):.3f}"
        if (reached >= precision).any()
        else f"{precision} of none"
        for precision in _PRECISIONS
    ]
    return (
        f"{labeller} from the {view}: {len(records):,} records, right {right.mean():.3f}; answered "
        f"by default {given.mean():.3f}, right among those {right[given].mean():.3f}; with the "
        f"threshold that these records themselves would set: {', '.join(best)}"
    )


if __name__ == "__main__":
    main()
