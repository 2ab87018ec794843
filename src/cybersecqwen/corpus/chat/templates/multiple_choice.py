"""Multiple choice about a record, with wrong options that are near misses."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from cybersecqwen.core.cvss_metrics import METRIC_NAMES, VALUE_NAMES
from cybersecqwen.core.prompts import (
    CHOICE_LETTER,
    CHOICE_LETTER_LINE,
    LETTERS,
    Template,
    render_question,
)
from cybersecqwen.core.records import Passage, Question
from cybersecqwen.core.text.clean import words
from cybersecqwen.core.text.sentences import sentences
from cybersecqwen.core.text.terms import stem
from cybersecqwen.corpus.chat.draft import (
    LABELLER_NAMES,
    DraftExample,
    GenerationContext,
    LabelledRecord,
    describe,
    shuffled,
)
from cybersecqwen.corpus.chat.templates.attack_patterns import fits
from cybersecqwen.corpus.chat.templates.cvss import told
from cybersecqwen.corpus.chat.templates.cwe import speaks_of
from cybersecqwen.corpus.chat.templates.impact_and_fix import advice_of, best_advice
from cybersecqwen.corpus.chat.weakness_graph import quoted

LETTER, LINE, INLINE, REASON = (
    CHOICE_LETTER,
    CHOICE_LETTER_LINE,
    Template(
        "Choose the best of the {count} options.  **Question:** {text}  **Options:** {inline}  "
        "The last line of your reply is the letter alone: {or_letters}."
    ),
    Template(
        "{text}\n\n{options}\n\nGive the reason in a sentence; the last line of your reply is the "
        "letter alone."
    ),
)
STYLES: tuple[Template, ...] = (LETTER, LINE, INLINE, REASON)
UNREASONED = STYLES[:-1]
"""The styles that ask for no reason."""

_WEAKNESS = (
    "Which weakness would {who} assign to this vulnerability?",
    "Which of these CWE entries is the root cause of this vulnerability, as {who} labels it?",
    "Choose the weakness that {who} would record for the following.",
    "What kind of flaw is this, in {who}'s labelling?",
)
_ADVICE = (
    "Which of these measures addresses the weakness behind this vulnerability?",
    "Which mitigation fits the cause of this vulnerability best?",
    "A team has time for one of these measures. Which one goes to the root of this record?",
)
_PATTERN = (
    "Which attack pattern makes use of the weakness in this record?",
    "Which CAPEC entry describes an attack on the weakness behind this vulnerability?",
)
_METRIC = (
    "Which value does the CVSS v3.1 metric {metric} take for this vulnerability?",
    "How is {metric} rated in a CVSS v3.1 base vector of this record?",
)


def choose_weakness(
    case: LabelledRecord, context: GenerationContext, rng: Random
) -> DraftExample | None:
    """Ask for the weakness among its near misses, none of which the text speaks of."""
    wrong: list[str] = []
    for name, relation in context.neighbours.near(case.cwe):
        broader = relation == "parent" and len(wrong) < 1
        if broader or (relation != "parent" and not speaks_of(case, name, context)):
            wrong.append(name)
    picked = wrong[:6]
    # Without a word that points to it, the label would have to be guessed.
    if len(picked) < 3 or not case.findings:
        return None
    options = [case.cwe, *rng.sample(picked, 3)]
    show = rng.choice((context.graph.named, context.graph.taxonomy.name, _with_name(context)))
    reason = rng.choice(
        (
            f"The text says {quoted(case.quotes)}: {context.graph.brief(case.cwe, rng)}.",
            f"What decides is {quoted(case.quotes)}; {context.graph.brief(case.cwe, rng)}.",
        )
    )
    texts = [show(name) for name in options]
    passages = [p for name in options if (p := context.graph.first(name))]
    ask = rng.choice(_WEAKNESS).format(who=LABELLER_NAMES[case.labeller])
    return _choice("choice-weakness", ask, describe(case), texts, reason, passages, case, rng)


def choose_advice(
    case: LabelledRecord, context: GenerationContext, rng: Random
) -> DraftExample | None:
    """Ask for the measure against the weakness among those against its neighbours."""
    own = context.graph.of_kind(case.cwe, "mitigation")
    right = best_advice(own, case, context, rng)
    if right is None:
        return None
    mine = " ".join(passage.text for passage in own)
    wrong = []
    for name, relation in context.neighbours.near(case.cwe):
        if relation in {"parent", "child"} or speaks_of(case, name, context):
            continue
        found = best_advice(context.graph.of_kind(name, "mitigation"), case, context, rng)
        # A measure that speaks of the label's own matter might help against it too.
        if found and _first(found) not in mine and not _speaks_to(found, case, context):
            wrong.append(found)
    distinct = list({_first(p): p for p in wrong if _first(p) != _first(right)}.values())
    if len(distinct) < 3 or not _speaks_to(right, case, context):
        return None
    passages = [right, *rng.sample(distinct[:6], 3)]
    reason = (
        f"The weakness is {context.graph.named(case.cwe)}, and this is what CWE advises against it "
        f"[{right.id}]."
    )
    texts = [_first(passage) for passage in passages]
    record = describe(case, weakness=rng.random() < 0.5)
    ask = rng.choice(_ADVICE)
    return _choice("choice-advice", ask, record, texts, reason, passages, case, rng)


def choose_pattern(
    case: LabelledRecord, context: GenerationContext, rng: Random
) -> DraftExample | None:
    """Ask for the attack pattern on the weakness among those on its neighbours."""
    own = context.graph.linked(case.cwe, "attack pattern")
    wrong = [
        name
        for other, _ in context.neighbours.near(case.cwe)
        for name in context.graph.linked(other, "attack pattern")
        if name not in own and not fits(name, case, context)
    ]
    distinct = list(dict.fromkeys(wrong))
    fitting = [name for name in own if fits(name, case, context)]
    if not fitting or len(distinct) < 3:
        return None
    options = [rng.choice(fitting), *rng.sample(distinct[:8], 3)]
    names = [f"{name}: {context.graph.entries[name].name}" for name in options]
    passages = [p for name in options if (p := context.graph.first(name))]
    reason = f"{options[0]} is listed for {context.graph.named(case.cwe)} [{options[0]}]."
    record = describe(case, weakness=True)
    ask = rng.choice(_PATTERN)
    return _choice("choice-pattern", ask, record, names, reason, passages, case, rng)


def choose_metric(
    case: LabelledRecord, context: GenerationContext, rng: Random
) -> DraftExample | None:
    """Ask for a metric's value where a phrase of the text decides it."""
    found = told(case, case.severity) if case.severity else []
    if case.severity is None or not found:
        return None
    metric, phrase = rng.choice(found)
    value = case.severity.values[metric]
    values = [value, *(v for v in VALUE_NAMES[metric] if v != value)]
    texts = [f"{VALUE_NAMES[metric][v]} ({metric}:{v})" for v in values]
    reason = f'"{phrase}" decides it: {metric}:{value}.'
    ask = rng.choice(_METRIC).format(metric=f"{METRIC_NAMES[metric]} ({metric})")
    return _choice("choice-metric", ask, describe(case), texts, reason, (), case, rng)


def _choice(
    kind: str,
    question: str,
    record: str,
    options: Sequence[str],
    reason: str,
    passages: Sequence[Passage],
    case: LabelledRecord,
    rng: Random,
) -> DraftExample:
    """Put a question together; the first option is the right one until they are shuffled."""
    order = rng.sample(range(len(options)), len(options))
    letter = LETTERS[order.index(0)]
    style = rng.choice(STYLES)
    asked = Question(
        id="",
        task="",
        prompt="",
        gold="",
        choices=tuple(options[place] for place in order),
        text=f"{question}\n\n{record}",
    )
    shown = shuffled(passages, rng) if passages and rng.random() < 0.4 else []
    prompt = render_question(asked, style, passages=shown)[0].content
    response = answered(letter, style, reason)
    return DraftExample(
        kind, prompt, response, case.record, tuple(passages), letter, "choice", len(options)
    )


def answered(letter: str, style: Template, reason: str) -> str:
    """Return the reply that a style of question asks for."""
    if style in (LETTER, INLINE):
        return letter
    return f"Answer: {letter}" if style is LINE else f"{reason}\n\n{letter}"


def _with_name(context: GenerationContext):  # type: ignore[no-untyped-def]
    return lambda cwe: f"{cwe}: {context.graph.taxonomy.name(cwe)}"


def _speaks_to(passage: Passage, case: LabelledRecord, context: GenerationContext) -> bool:
    """Whether a measure's first sentence has a word that tells the record's weakness."""
    said = {stem(word) for word in words(_first(passage))}
    return bool(said & context.evidence.telling(case.cwe))


def _first(passage: Passage) -> str:
    """Return a passage's advice in one sentence."""
    return sentences(advice_of(passage.text))[0]
