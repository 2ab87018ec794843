"""How much confidence a clear description loses when neutral prose stands around it.

    python benchmarks/neutral_text.py --input FEED [--texts 200] [--characters 1000]

The texts are the first records of FEED of which the model is sure (its ``sure`` band) on the
description alone, at most five of one weakness. Neutral prose is put before, after and on both
sides: what a product is, who uses it, how it is supported, drawn anew for each text from sentences
that the training does not use. Printed is the mean loss of the confidence in the answer that the
bare description got, and how often that answer changes.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from cybersecqwen import CweMapper
from cybersecqwen.core.records import Advisory, Labeller
from cybersecqwen.sources import read_advisories

_MOST_OF_ONE = 5
_LOOKED_AT = 5000  # records of the feed at most
_WHAT = ("archive", "booking desk", "camera line", "ledger", "mail room", "museum guide", "planner")
_WHO = ("ferry operators", "libraries", "orchards", "theatres", "town halls", "veterinarians")
_PROSE = (
    "The {what} was introduced in {year} and has since been adopted by {who} and {who}.",
    "Its makers describe the {what} as a calm place in which {who} find what they look for.",
    "A printed handbook of {number} pages accompanies the {what} and is revised every spring.",
    "In {year} the office moved to a larger building, where {number} people now work.",
    "Opening hours of the help desk are from eight to five on working days.",
    "Besides the {what}, the firm offers courses for {who} in three towns.",
    "The colours of the {what} follow the seasons, which {who} have praised in a survey.",
    "Spare parts are kept for {number} months after the last sale.",
    "The {what} comes in {number} sizes and is packed in recycled board.",
    "A yearly meeting brings {who} together with those who draw the screens of the {what}.",
    "Since {year} the {what} has been available in Welsh, Basque and Frisian.",
    "The series is named after a river that passes the town where it is made.",
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", type=Path, required=True, help="records, as for map --input")
    parser.add_argument("--texts", type=int, default=200)
    parser.add_argument("--characters", type=int, default=1000)
    parser.add_argument("--labeller", default="nvd", choices=("nvd", "cna", "adp"))
    parser.add_argument("--model", help="a model folder (the shipped one)")
    arguments = parser.parse_args()
    mapper = CweMapper.load(arguments.model)
    texts = list(clear_texts(mapper, arguments.input, arguments.texts, arguments.labeller))
    if not texts:
        raise SystemExit(f"{arguments.input}: the model is sure of none of its records")
    draw = random.Random(1)
    size = arguments.characters
    print(f"{mapper.name}: {len(texts)} texts, {size} neutral characters, {arguments.labeller}")
    for name, before, after in (("before", 1, 0), ("after", 0, 1), ("around", 0.5, 0.5)):
        padded = [
            f"{neutral(draw, int(size * before))} {text} {neutral(draw, int(size * after))}".strip()
            for text in texts
        ]
        losses, changed = losses_of(mapper, texts, padded, arguments.labeller)
        print(
            f"{name:7s} mean loss {sum(losses) / len(losses):.3f}, "
            f"worst {max(losses):.3f}, other answer {changed} of {len(texts)}"
        )


def clear_texts(mapper: CweMapper, file: Path, most: int, labeller: Labeller) -> Iterator[str]:
    """Yield descriptions of which the model is sure, few of one weakness."""
    seen: Counter[str] = Counter()
    records = (r for r in read_advisories(file) if isinstance(r, Advisory))
    short = (r.description for r in records if 40 <= len(r.description) <= 500)
    texts = list(islice(short, _LOOKED_AT))
    for text, found in zip(texts, mapper.map_many(texts, labeller=labeller), strict=True):
        if found.band == "sure" and seen[found.cwe] < _MOST_OF_ONE:
            seen[found.cwe] += 1
            yield text
            if seen.total() == most:
                return


def neutral(draw: random.Random, characters: int) -> str:
    """Return at least so many characters of prose that tells of no weakness; none for 0."""
    said: list[str] = []
    while sum(map(len, said)) + len(said) < characters:
        form = draw.choice(_PROSE)
        said.append(
            form.replace("{who}", draw.choice(_WHO), 1)
            .replace("{who}", draw.choice(_WHO))
            .format(
                what=draw.choice(_WHAT),
                year=draw.randint(1990, 2025),
                number=draw.randint(3, 90),
            )
        )
    return " ".join(said)


def losses_of(
    mapper: CweMapper, plain: list[str], padded: list[str], labeller: Labeller
) -> tuple[list[float], int]:
    """Return the loss of confidence in each bare text's answer, and how many answers change."""
    bare = mapper.probabilities(plain, labeller=labeller)
    among = mapper.probabilities(padded, labeller=labeller)
    best = bare.argmax(1)
    places = range(len(plain))
    losses = bare[places, best] - among[places, best]
    return losses.tolist(), int((among.argmax(1) != best).sum())


if __name__ == "__main__":
    main()
