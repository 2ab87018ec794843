"""Scenarios of one ATT&CK technique each, made of held-out sentences in other words.

    cybersecqwen corpus techniques --data DIR --out techniques
    python benchmarks/technique_scenarios.py --corpus techniques [--count 500]

A scenario joins up to three sentences on one technique that stand on different pages and reports,
none of which the shipped model learnt from: somebody else acts, words give way to others of the
same sense, clauses change places, and a sentence that tells nothing goes before. Printed is how
often the likeliest technique is the right one (and its parent, and one of five), and which share
of the scenarios' runs of five words still stands in ATT&CK's and TRAM 2's own sentences.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections import defaultdict
from pathlib import Path

from cybersecqwen.specialists.technique import TechniqueClassifier

_ACTORS = ("the intruders", "the crew", "whoever was behind it", "the tool", "the operators")
_OPENINGS = (
    "The incident was noticed on a Monday and lasted for some days.",
    "A partner of the company asked for help with what had been found.",
    "What follows was put together from the notes of the people on duty.",
    "The matter concerned two offices and a site abroad.",
)
_OTHER_WORDS = {
    "has used": "relied on",
    "have used": "relied on",
    "used": "turned to",
    "uses": "makes use of",
    "using": "by means of",
    "has the ability to": "is able to",
    "has": "had",
    "can": "may",
    "execute": "run",
    "executed": "ran",
    "execution": "running",
    "collect": "gather",
    "collected": "gathered",
    "download": "fetch",
    "downloaded": "fetched",
    "obtain": "get hold of",
    "obtained": "got hold of",
    "victim": "target",
    "victims": "targets",
    "compromised": "taken-over",
    "adversaries": "attackers",
    "malicious": "harmful",
    "communicate": "talk",
    "communications": "traffic",
    "leveraged": "put to work",
    "utilized": "employed",
    "attempted to": "tried to",
    "information": "details",
    "identify": "find out",
    "multiple": "several",
    "various": "all kinds of",
    "establish": "set up",
    "established": "set up",
    "deploy": "place",
    "deployed": "placed",
    "machine": "computer",
    "contains": "holds",
    "gain": "win",
    "gained": "won",
    "such as": "for instance",
    "in order to": "so as to",
}
_LONGEST_FIRST = sorted(_OTHER_WORDS, key=len, reverse=True)
_WORDS = re.compile(rf"\b({'|'.join(_LONGEST_FIRST)})\b", re.IGNORECASE)


def main() -> None:
    """Make the scenarios, ask, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, required=True, help="folder of corpus techniques")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--model", help="a technique model's folder (the shipped one)")
    parser.add_argument("--output", type=Path, help="writes the scenarios as JSON lines")
    arguments = parser.parse_args()
    held_out = rows_of(arguments.corpus / "validation.jsonl")
    made = scenarios(held_out, arguments.count, random.Random(1))
    if arguments.output:
        lines = [json.dumps({"text": text, "technique": right}) for text, right in made]
        arguments.output.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    classifier = TechniqueClassifier.from_pretrained(arguments.model)
    print(classifier.name)
    measure(classifier, "of held-out sentences", made, {row["text"] for row in held_out})
    written = arguments.corpus / "scenarios.jsonl"
    if written.exists():
        rows = list(map(json.loads, written.read_text(encoding="utf-8").splitlines()))
        descriptions = (arguments.corpus / "techniques.jsonl").read_text(encoding="utf-8")
        known = {json.loads(line)["text"] for line in descriptions.splitlines()}
        told = [(row["text"], row["technique"]) for row in rows]
        measure(classifier, "written by a language model", told, known)


def measure(
    classifier: TechniqueClassifier, name: str, made: list[tuple[str, str]], known: set[str]
) -> None:
    """Print what the classifier and plain retrieval reach, and how new the wording is.

    Args:
        classifier: The model.
        name: What the scenarios are.
        made: Texts and their techniques.
        known: Sentences, or descriptions, that the scenarios were made of.
    """
    if not made:
        return
    exact = parent = among = plain = 0
    for text, right in made:
        found = [one.id for one in classifier.classify(text, top_k=5)]
        exact += found[0] == right
        parent += found[0].split(".")[0] == right.split(".")[0]
        among += right in found
        words = classifier.scenario_terms(text)[1]
        plain += classifier.config.techniques[int(words.argmax())] == right
    total = len(made)
    print(f"{total} scenarios {name}, of {len({right for _, right in made})} techniques")
    print(
        f"  first {exact / total:.3f}, its parent {parent / total:.3f}, of five "
        f"{among / total:.3f}; plain retrieval {plain / total:.3f}"
    )
    told = {run for text in known for run in runs(text)}
    cut = [runs(text) for text, _ in made]
    shared = sum(len(part & told) for part in cut) / max(1, sum(map(len, cut)))
    print(f"  runs of five words that stand in what they were made of: {shared:.0%}")


def rows_of(file: Path) -> list[dict[str, str]]:
    """Return procedures and sentences of reports."""
    rows = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return [row for row in rows if row["kind"] in ("procedure", "report")]


def scenarios(rows: list[dict[str, str]], count: int, draw: random.Random) -> list[tuple[str, str]]:
    """Return texts and their techniques; every technique as often as any other, while it lasts."""
    by_technique: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in draw.sample(rows, len(rows)):
        by_technique[row["technique"]].append(row)
    made: list[tuple[str, str]] = []
    while len(made) < count and by_technique:
        for technique in sorted(by_technique):
            left = by_technique[technique]
            wanted = draw.randint(1, 3)
            chosen: dict[str, dict[str, str]] = {}
            while left and len(chosen) < wanted:
                row = left.pop()
                chosen.setdefault(row["group"], row)
            if not left:
                del by_technique[technique]
            sentences = [reworded(row["text"], draw) for row in chosen.values()]
            made.append((" ".join((draw.choice(_OPENINGS), *sentences)), technique))
    return draw.sample(made, min(count, len(made)))


def reworded(sentence: str, draw: random.Random) -> str:
    """Return a sentence in other words: another actor, other verbs, clauses changed about."""
    text = sentence.replace("{actor}", draw.choice(_ACTORS))
    text = _WORDS.sub(lambda found: _OTHER_WORDS[found[0].lower()], text).rstrip(". ")
    first, mark, rest = text.partition(" to ")
    if mark and 3 <= len(rest.split()) <= 14 and "," not in rest:
        text = f"to {rest}, {first}"
    return text[0].upper() + text[1:] + "."


def runs(text: str, size: int = 5) -> set[tuple[str, ...]]:
    """Return the runs of so many words of a text."""
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[at : at + size]) for at in range(len(words) - size + 1)}


if __name__ == "__main__":
    main()
