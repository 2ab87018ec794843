"""What a language model writes for a technique corpus."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from cybersecqwen.core.chat import Message, Sampling
from cybersecqwen.core.interfaces import Backend
from cybersecqwen.core.technique_rows import TechniqueEntry, TechniqueRow
from cybersecqwen.core.text.sentences import sentences
from cybersecqwen.corpus.journal import Journal, key_of

_SYSTEM = "You are a writer of threat reports."
_SCENARIO = (
    "Attack technique: {}\n{}{}\n\n{} Give concrete details, in other words than above. Do not "
    "name the technique and do not mention ATT&CK, techniques or mitigations. Tell of this alone. "
    "Answer with the text and nothing else."
)
_REGISTERS = (
    "Write a paragraph of three sentences from the incident report of an intrusion at {}, in "
    "which the attacker did this.",
    "Write a detection alert as a security operations center would raise it, in two sentences: "
    "what was observed, on what kind of system, and why it is suspicious.",
    "Write an analyst's note of two plain sentences on what the intruder did at {}, with the "
    "tools, commands or settings used.",
    "Write a paragraph of four sentences from a threat intelligence report on a campaign against "
    "{}, in which the threat actor did this.",
    "Write in three sentences what a forensic examiner found on the evidence of {}.",
    "Describe in one or two sentences what an attacker did.",
    "Write a short scenario of three sentences: an adversary, what they were after at {}, and "
    "step by step what they did.",
    "Write a help desk ticket of two sentences from {}, in which somebody describes in plain words "
    "what went wrong or looked odd because an attacker did this.",
    "Write two sentences of a malware analysis report: what the sample does, with the functions, "
    "files, keys or commands that it uses.",
    "Write a question of a security course in two sentences: a situation at {} in which an "
    "attacker does this, without asking for a name.",
    "Write the raw alert of an endpoint sensor that saw this: its title, the process with its "
    "parent and command line, user and host, in one or two lines.",
    "Write one to three lines of a log that show this, as the system concerned writes its logs.",
)
_HELD_OUT_REGISTER = (
    "Write a scenario of three to four sentences for a training exercise: who attacked whom, what "
    "exactly was done and how, and what it led to."
)
_PLACES = (
    "a hospital",
    "a bank",
    "a university",
    "a law firm",
    "a logistics company",
    "a government agency",
    "an energy supplier",
    "a software maker",
    "a retailer",
    "a manufacturer",
    "a telecom operator",
    "a research institute",
    "a city administration",
    "a defense contractor",
    "a media company",
)
_WORDINGS = (
    "Say this sentence from a threat report in other words. Use other verbs and another word "
    "order, and keep names of products, protocols and commands. Answer with one sentence and "
    "nothing else.\n\nSentence: {}",
    "Write this sentence down as an analyst would note it, in 5 to 14 plain words of your own, "
    "without the name of any malware or group. Answer with the note and nothing else.\n\n"
    "Sentence: {}",
    "Rewrite this as a part of an incident report about a company, in one or two sentences, in the "
    "past tense and in your own words. Answer with the text and nothing else.\n\nSentence: {}",
)
_SCENARIOS = 21  # of each technique
_HELD_OUT_SCENARIOS = 2
_DESCRIPTION = 750  # characters of it that are shown
_EXAMPLE = 200  # characters of a sentence shown beside it
_OFTEN = 60  # sentences from which on every second one of a technique is reworded
_LEAST_WORDS = 3
_UNFIT = re.compile(
    r"T1\d{3}|ATT&CK|MITRE|\btechnique|\bSentence:|\bNote:"
    r"|^(?:Sure|Here|Certainly|I'm|I |As an AI|Sorry)",
    re.IGNORECASE,
)


def written(
    prompts: Sequence[str], sampling: Sampling, teacher: Backend, journal: Journal
) -> Iterator[str]:
    """Yield the answer to each prompt in one line, up to its last whole sentence where it is cut.

    Empty where nothing is left, or it names techniques. What the journal knows is not asked again.
    """
    # A technique's scenarios are asked for in the same words, so the place tells them apart.
    keys = [key_of(teacher.name, place, prompt) for place, prompt in enumerate(prompts)]
    asked = {
        key: (Message("system", _SYSTEM), Message("user", prompt))
        for key, prompt in zip(keys, prompts, strict=True)
    }
    for line in journal.answers(teacher, asked, sampling).values():
        text = " ".join(line.text.replace("**", "").split()).strip('" ')
        if line.finish != "stop":
            text = " ".join(sentences(text)[:-1])
        yield "" if _UNFIT.search(text) else text


def written_scenarios(
    techniques: Sequence[TechniqueEntry],
    known: Sequence[TechniqueRow],
    teacher: Backend,
    journal: Journal,
    seed: int,
) -> Iterator[TechniqueRow]:
    """Yield scenarios of each technique, made of its description and of sentences known of it.

    ATT&CK has few sentences on most techniques, and words them alike.
    """
    draw = random.Random(seed)
    examples = _by_technique(known)
    registers = [
        (technique, number, _REGISTERS[(number + place) % len(_REGISTERS)])
        for place, technique in enumerate(techniques)
        for number in range(_SCENARIOS)
    ]
    yield from _scenarios(registers, examples, draw, teacher, journal)


def held_out_scenarios(
    techniques: Sequence[TechniqueEntry], teacher: Backend, journal: Journal, seed: int
) -> Iterator[TechniqueRow]:
    """Yield scenarios of each technique in a form that none to learn from has."""
    registers = [(t, 0, _HELD_OUT_REGISTER) for t in techniques for _ in range(_HELD_OUT_SCENARIOS)]
    yield from _scenarios(registers, {}, random.Random(seed), teacher, journal)


def written_wordings(
    known: Sequence[TechniqueRow], teacher: Backend, journal: Journal, seed: int
) -> Iterator[TechniqueRow]:
    """Yield what sentences say in other words; of common techniques every second sentence."""
    draw = random.Random(seed)
    often = {name for name, rows in _by_technique(known).items() if len(rows) >= _OFTEN}
    chosen = [row for row in known if row.technique not in often or draw.random() < 0.5]
    prompts = [draw.choice(_WORDINGS).format(_acted(row.text)) for row in chosen]
    sampling = Sampling(temperature=0.9, top_p=0.95, max_tokens=60)
    for text, row in zip(written(prompts, sampling, teacher, journal), chosen, strict=True):
        if len(text.split()) >= _LEAST_WORDS:
            yield TechniqueRow(text, row.technique, "wording", row.group)


def _scenarios(
    wanted: Sequence[tuple[TechniqueEntry, int, str]],
    examples: dict[str, list[TechniqueRow]],
    draw: random.Random,
    teacher: Backend,
    journal: Journal,
) -> Iterator[TechniqueRow]:
    prompts = []
    for technique, number, register in wanted:
        seen = examples.get(technique.id, []) if number % 2 else []
        told = [_acted(row.text)[:_EXAMPLE] for row in draw.sample(seen, min(2, len(seen)))]
        also = "\nSeen elsewhere: " + " ".join(told) if told else ""
        asked = register.format(draw.choice(_PLACES))
        prompts.append(
            _SCENARIO.format(technique.name, _shown(technique.text, number, draw), also, asked)
        )
    sampling = Sampling(temperature=0.9, top_p=0.95, max_tokens=120)
    texts = written(prompts, sampling, teacher, journal)
    for text, (technique, _, _) in zip(texts, wanted, strict=True):
        if len(text.split()) >= _LEAST_WORDS:
            yield TechniqueRow(text, technique.id, "scenario", technique.id)


def _shown(description: str, number: int, draw: random.Random) -> str:
    """Return the beginning of a description, two times in three with a later part of it."""
    if len(description) > _DESCRIPTION and number % 3:
        parts = sentences(description)
        start = max(1, draw.randrange(len(parts)) - 1)
        description = " ".join([parts[0], *parts[start:]])
    return description[:_DESCRIPTION]


def _by_technique(rows: Sequence[TechniqueRow]) -> dict[str, list[TechniqueRow]]:
    found: dict[str, list[TechniqueRow]] = defaultdict(list)
    for row in rows:
        if row.kind in ("procedure", "report"):
            found[row.technique].append(row)
    return found


def _acted(text: str) -> str:
    """Return a procedure with somebody who acts."""
    text = text.replace("{actor}", "The attackers", 1) if text.startswith("{actor}") else text
    return text.replace("{actor}", "the attackers")
