"""What a build of conversations did, in numbers, and as Markdown."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.taxonomy import shipped_taxonomy
from cybersecqwen.core.text.markdown import markdown_table
from cybersecqwen.corpus.chat.draft import DraftExample
from cybersecqwen.corpus.chat.generate import ExampleGenerator
from cybersecqwen.corpus.chat.recipe import ChatRecipe
from cybersecqwen.corpus.chat.token_estimate import estimate
from cybersecqwen.corpus.chat.validate import stock_sentences
from cybersecqwen.corpus.cleaning.check import CheckReport
from cybersecqwen.corpus.cleaning.decontaminate import Overlap
from cybersecqwen.corpus.cleaning.pipeline import CleaningState
from cybersecqwen.corpus.records.report import PAGE, REPORT, CorpusReport

__all__ = ["PAGE", "REPORT", "ChatReport", "describe", "read_report", "render_markdown"]

_SAMPLES = 2
_TOP_IDS = 30
_QUOTATION = re.compile(r'"([^"]+)"')


class KindReport(msgspec.Struct, frozen=True):
    """One kind of question.

    Attributes:
        train: Rows to train on.
        validation: Rows to validate on.
        thrown: Questions thrown away, by reason.
        prompt_tokens: Mean, estimated.
        response_tokens: Likewise.
        quoting: Share of rows whose answer quotes the record.
        sentences: Distinct sentences of answers, quotations, ids and numbers aside.
    """

    train: int
    validation: int
    thrown: dict[str, int]
    prompt_tokens: float
    response_tokens: float
    quoting: float
    sentences: int


class Letters(msgspec.Struct, frozen=True):
    """How right answers are spread over the letters of questions with so many options.

    Attributes:
        counts: Number of rows by right letter.
        p: Of Pearson's chi-square test against an even spread.
    """

    counts: dict[str, int]
    p: float


class ChatReport(msgspec.Struct, frozen=True):
    """The whole of ``report.json``.

    Attributes:
        name: The recipe's name.
        kind: Tells it from the report of a corpus of records.
        taxonomy: Version of the CWE catalogue.
        records: Distinct records with a description that the sources brought.
        removed: Records taken out before any question was made, by stage.
        drawn: Records drawn for questions.
        alike: Of these, those nearly the same as another.
        rows: Number of rows by file.
        tokens: Of all prompts and all responses of train, estimated.
        longest: Tokens of the longest prompt and of the longest response, estimated.
        kinds: Number of rows by kind of question.
        letters: Spread of right letters, by number of options.
        labels: Rows of train whose answer is a weakness, by weakness, commonest first.
        commonest_sentence: Rows that share the commonest sentence of answers.
        phrasing: What came of asking a teacher, by outcome; empty without one.
        overlap_records: Of all records with the benchmarks, before they were taken out.
        overlap_questions: Of the questions, before they were taken out.
        overlap_after: Overlap of the finished files, read again.
        duplicate_texts: Rows of the finished files whose subject an earlier row has.
        samples: Some rows of each kind.
    """

    name: str
    kind: str
    taxonomy: str
    records: int
    removed: dict[str, int]
    drawn: int
    alike: int
    rows: dict[str, int]
    tokens: dict[str, int]
    longest: dict[str, int]
    kinds: dict[str, KindReport]
    letters: dict[str, Letters]
    labels: dict[str, int]
    commonest_sentence: int
    overlap_records: list[Overlap]
    overlap_questions: list[Overlap]
    overlap_after: list[Overlap]
    duplicate_texts: int
    samples: dict[str, list[tuple[str, str]]]
    phrasing: dict[str, int] = {}


class _ReportKind(msgspec.Struct):
    kind: str = "records"


def read_report(folder: Path) -> CorpusReport | ChatReport:
    """Read the report of a finished corpus of either kind.

    Raises:
        InputError: The folder is no finished corpus.
    """
    try:
        content = (folder / REPORT).read_bytes()
        if msgspec.json.decode(content, type=_ReportKind).kind == "chat":
            return msgspec.json.decode(content, type=ChatReport)
        return msgspec.json.decode(content, type=CorpusReport)
    except (OSError, msgspec.MsgspecError) as error:
        raise InputError(f"{folder}: no finished corpus: {error}") from error


def describe(
    recipe: ChatRecipe,
    work: CleaningState,
    asker: ExampleGenerator,
    train: Sequence[DraftExample],
    validation: Sequence[DraftExample],
    after: CheckReport,
) -> ChatReport:
    """Count what a build made and threw away."""
    stages: Counter[str] = Counter(removal.stage for removal in work.removed)
    prompts = [estimate(draft.prompt) for draft in train]
    responses = [estimate(draft.response) for draft in train]
    shared = Counter(s for d in train for s in set(stock_sentences(d.response)))
    golds = Counter(draft.gold for draft in train if draft.reads == "cwe")
    return ChatReport(
        name=recipe.name,
        kind="chat",
        taxonomy=shipped_taxonomy().version,
        records=work.merged,
        removed=dict(stages),
        drawn=asker.tally.records,
        alike=asker.tally.alike,
        rows={"train": len(train), "validation": len(validation)},
        tokens={"prompts": sum(prompts), "responses": sum(responses)},
        longest={"prompt": max(prompts, default=0), "response": max(responses, default=0)},
        kinds=_kinds(train, validation, asker.tally.thrown),
        letters=_letters(train),
        labels=dict(sorted(golds.items(), key=lambda entry: (-entry[1], entry[0]))),
        commonest_sentence=max(shared.values(), default=0),
        overlap_records=work.overlaps,
        overlap_questions=asker.overlaps,
        overlap_after=after.overlaps,
        duplicate_texts=after.duplicate_texts,
        samples=_samples(train),
    )


def _kinds(
    train: Sequence[DraftExample],
    validation: Sequence[DraftExample],
    thrown: Mapping[str, Counter[str]],
) -> dict[str, KindReport]:
    held = Counter(draft.kind for draft in validation)
    report = {}
    for kind in sorted({draft.kind for draft in train} | set(held) | set(thrown)):
        rows = [draft for draft in train if draft.kind == kind]
        count = max(len(rows), 1)
        report[kind] = KindReport(
            train=len(rows),
            validation=held[kind],
            thrown=dict(thrown.get(kind, Counter()).most_common()),
            prompt_tokens=round(sum(estimate(d.prompt) for d in rows) / count, 1),
            response_tokens=round(sum(estimate(d.response) for d in rows) / count, 1),
            quoting=round(sum(map(_quotes, rows)) / count, 3),
            sentences=len({s for d in rows for s in stock_sentences(d.response)}),
        )
    return report


def _quotes(draft: DraftExample) -> bool:
    """Whether an answer quotes words of the prompt."""
    return any(piece in draft.prompt for piece in _QUOTATION.findall(draft.response))


def _letters(drafts: Iterable[DraftExample]) -> dict[str, Letters]:
    counts: dict[int, Counter[str]] = {}
    for draft in drafts:
        if draft.reads == "choice":
            counts.setdefault(draft.options, Counter())[draft.gold] += 1

    from scipy.stats import chisquare  # noqa: PLC0415 - in an extra

    report = {}
    for options, found in sorted(counts.items()):
        letters = [chr(ord("A") + place) for place in range(options)]
        observed = [found[letter] for letter in letters]
        p = round(float(chisquare(observed).pvalue), 4)
        report[str(options)] = Letters(dict(zip(letters, observed, strict=True)), p)
    return report


def _samples(drafts: Sequence[DraftExample]) -> dict[str, list[tuple[str, str]]]:
    samples: dict[str, list[tuple[str, str]]] = {}
    for draft in drafts:
        shown = samples.setdefault(draft.kind, [])
        if len(shown) < _SAMPLES:
            shown.append((draft.prompt, draft.response))
    return dict(sorted(samples.items()))


def render_markdown(report: ChatReport) -> str:
    """Return the report as Markdown. It quotes no benchmark text."""
    total = sum(report.tokens.values())
    sections = [
        f"# Corpus {report.name}",
        f"{report.rows['train']:,} conversations to train on, {report.rows['validation']:,} to "
        f"validate on; about {total:,} tokens in train ({report.tokens['responses']:,} of them in "
        f"answers), estimated without a vocabulary. The longest prompt has about "
        f"{report.longest['prompt']:,}, the longest answer {report.longest['response']:,}. "
        f"Weaknesses after CWE {report.taxonomy}.",
        _records(report),
        _kind_table(report),
        _thrown(report),
        _balance(report),
        _overlap(report),
        _phrasing(report),
        _sample_text(report),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _records(report: ChatReport) -> str:
    removed = markdown_table(["stage", "records"], report.removed.items())
    return (
        f"## Records\n\n{report.records:,} records have a description. Taken out before any "
        f"question was made:\n\n{removed}\n\n{report.drawn:,} were drawn for questions, of which "
        f"{report.alike:,} were left out because an earlier one is nearly the same."
    )


def _kind_table(report: ChatReport) -> str:
    head = ["kind", "train", "validation", "tokens of a prompt", "of an answer"]
    head += ["answers that quote the record", "distinct sentences"]
    rows = [
        (
            kind,
            k.train,
            k.validation,
            k.prompt_tokens,
            k.response_tokens,
            f"{k.quoting:.1%}",
            k.sentences,
        )
        for kind, k in report.kinds.items()
        if k.train or k.validation
    ]
    return (
        "## Questions\n\n"
        + markdown_table(head, rows)
        + "\n\nThe commonest sentence of answers (quotations, "
        f"ids and numbers aside) stands in {report.commonest_sentence:,} rows; "
        f"{report.duplicate_texts:,} rows have a subject that an earlier row has."
    )


def _thrown(report: ChatReport) -> str:
    rows = [
        (kind, reason, count)
        for kind, k in report.kinds.items()
        for reason, count in k.thrown.items()
    ]
    return "## Thrown away\n\nBy the checks that every row passes.\n\n" + markdown_table(
        ["kind", "reason", "questions"], rows
    )


def _balance(report: ChatReport) -> str:
    rows = [
        (options, ", ".join(f"{k} {v:,}" for k, v in found.counts.items()), f"{found.p:.3f}")
        for options, found in report.letters.items()
    ]
    labels = list(report.labels.items())
    top = ", ".join(f"{cwe} {count:,}" for cwe, count in labels[:_TOP_IDS])
    few = sum(count < 10 for _, count in labels)
    return (
        "## Balance\n\n"
        + markdown_table(["options", "right letters", "p of an even spread"], rows)
        + f"\n\n{len(labels):,} weaknesses are an answer in train, {few:,} of them fewer than ten "
        f"times. Commonest: {top}."
    )


def _overlap(report: ChatReport) -> str:
    head = ["benchmark", "items", "measure", "records before", "questions before", "rows after"]
    rows = [
        (b.benchmark, b.size, b.measure, b.rows, q.rows, a.rows)
        for b, q, a in zip(
            report.overlap_records, report.overlap_questions, report.overlap_after, strict=True
        )
    ]
    return "## Overlap with benchmarks\n\n" + markdown_table(head, rows)


def _phrasing(report: ChatReport) -> str:
    if not report.phrasing:
        return ""
    return "## Phrasing by a teacher\n\n" + markdown_table(
        ["outcome", "answers"], report.phrasing.items()
    )


def _sample_text(report: ChatReport) -> str:
    lines = ["## Samples"]
    for kind, samples in report.samples.items():
        lines.append(f"### {kind}")
        for prompt, response in samples:
            lines.append("\n".join(f"> {line}" for line in prompt.split("\n")))
            lines.append(response)
    return "\n\n".join(lines)
