"""What several rooms use is written in one place: each line of the table names it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "cybersecqwen"
SOURCES = {
    path.relative_to(PACKAGE).as_posix(): path.read_text("utf-8") for path in PACKAGE.rglob("*.py")
}

OWNERS = {
    "rows of corpora, conversations and quizzes": (
        r"class (?:CorpusRow|ChatRow|QuizRow|TrainingLine)\b",
        {"core/rows.py"},
    ),
    "lines of a JSONL file": (
        r"(?:decode|loads)\(line\)",
        {
            "core/jsonl.py",
            "corpus/chat/rows.py",  # one line, of whatever kind of training data
            "corpus/cleaning/benchmarks.py",  # items of any shape
            "corpus/journal.py",  # its last line may be torn
            "evaluation/log.py",  # a header, then rows
            "sources/benchmarks/athena_bench.py",  # bad lines are kept and told together
            "apps/outputs/filled_documents.py",  # keeps each line as it is written
            "apps/part_file.py",  # its last line may be torn
            "serving/routes/outputs.py",  # bounded lines of an upload
        },
    ),
    "ends of sentences": (r"\(\?<=\[[.!?;]+\]\)", {"core/text/sentences.py"}),
    "stems of words": (r"def stem\b", {"core/text/terms.py"}),
    "files replaced at once": (
        r"os\.replace\(|\.replace\(path\)",
        {
            "core/files.py",
            "sources/io/download.py",  # a download goes on where it stopped
            "release/verifier/installing.py",  # runs without the package
        },
    ),
    "metrics of CVSS": (r"\"Attack Vector\"|\"NALP\"", {"core/cvss_metrics.py"}),
    "intents of a question": (r"class Intent\b", {"knowledge/intents.py"}),
    "SPECs of models": (r"class ModelSpec\b|def parse\(.*-> ModelSpec", {"core/model_spec.py"}),
    "shares of logits": (r"def _?softmax", {"core/ensemble.py"}),
    "the stream of map": (r"def map_(?:stream|windows)\b", {"apps/map_stream.py"}),
    "windows of records": (r"def answer_windows\b", {"apps/record_windows.py"}),
    "the choice among options with passages": (
        r"class MultipleChoice\b|def letter_shares\b",
        {"llm/multiple_choice.py"},
    ),
    "the order of a shortlist": (r"class LlmReranker\b", {"llm/rerank.py"}),
    "what a teacher has written": (r"\bJournalLine\(", {"corpus/journal.py"}),
    "what a student's teachers say": (r"\"soft\.npz\"", {"training/specialist/teachers.py"}),
    "manifests of corpora": (r"class CorpusManifest\b", {"corpus/manifest.py"}),
}


@pytest.mark.parametrize("concept", OWNERS)
def test_it_is_written_in_one_place(concept: str) -> None:
    pattern, owners = OWNERS[concept]
    assert {name for name, text in SOURCES.items() if re.search(pattern, text)} == owners
