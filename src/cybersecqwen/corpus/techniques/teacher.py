"""What a language model writes for a technique corpus."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence

from cybersecqwen.core.chat import Message, Sampling
from cybersecqwen.core.interfaces import Backend
from cybersecqwen.corpus.journal import Journal, JournalLine
from cybersecqwen.corpus.techniques.rows import TechniqueEntry, TechniqueRow

_SYSTEM = "You are a writer of threat reports."
_SCENARIO = (
    "An attack technique is described below. Write {} from a report on an intrusion in which it "
    "was used, with concrete details of what was done, in other words than the description, "
    "without naming the technique.\n\nTechnique: {}. {}"
)
_LENGTHS = ("one sentence", "two sentences", "three sentences")
_SCENARIOS = 9  # of each technique
_DESCRIPTION = 700  # characters of it that are shown
_LEAST_WORDS = 3
_UNFIT = re.compile(r"T1\d{3}|ATT&CK|^(?:Sure|Here|Certainly|I'm|I |As an AI|Sorry)", re.IGNORECASE)


def written(
    prompts: Sequence[str], sampling: Sampling, teacher: Backend, journal: Journal
) -> Iterator[str]:
    """Yield the answer to each prompt in one line; empty where it is cut off or names techniques.

    What the journal knows is not asked again.
    """
    keys = [_key(teacher.name, place, prompt) for place, prompt in enumerate(prompts)]
    missing = [place for place, key in enumerate(keys) if journal.get(key) is None]
    asked = ((Message("system", _SYSTEM), Message("user", prompts[place])) for place in missing)
    for place, answer in zip(missing, teacher.generate(asked, sampling), strict=True):
        journal.add(JournalLine(keys[place], answer.text, answer.finish))
    for key in keys:
        line = journal.get(key)
        if line is None:
            raise AssertionError("every missing answer was asked for")
        text = " ".join(line.text.split()).strip('" ')
        yield text if line.finish == "stop" and not _UNFIT.search(text) else ""


def written_scenarios(
    techniques: Sequence[TechniqueEntry], teacher: Backend, journal: Journal
) -> Iterator[TechniqueRow]:
    """Yield scenarios of each technique, made of its description.

    ATT&CK has few sentences on most techniques, and words them alike.
    """
    wanted = [
        (technique, _LENGTHS[number % len(_LENGTHS)])
        for technique in techniques
        for number in range(_SCENARIOS)
    ]
    prompts = [_SCENARIO.format(length, t.name, t.text[:_DESCRIPTION]) for t, length in wanted]
    sampling = Sampling(temperature=0.8, top_p=0.95, max_tokens=90)
    texts = written(prompts, sampling, teacher, journal)
    for (technique, _), text in zip(wanted, texts, strict=True):
        if len(text.split()) >= _LEAST_WORDS:
            yield TechniqueRow(text, technique.id, "scenario", technique.id)


def _key(name: str, place: int, prompt: str) -> str:
    # A technique's scenarios are asked for in the same words, so the place tells them apart.
    whole = f"{name}\0{place}\0{prompt}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(whole, digest_size=16).hexdigest()
