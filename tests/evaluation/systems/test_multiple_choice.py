from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from cybersecqwen.cli.main import main
from cybersecqwen.core.chat import Sampling
from cybersecqwen.core.errors import InputError
from cybersecqwen.core.records import Answer, ChoiceAnswer, Passage, Question
from cybersecqwen.evaluation.ensemble_weight import fit_mix, write_mixed
from cybersecqwen.evaluation.log import Header, LogRow, RunLog, read_log
from cybersecqwen.evaluation.plan import RunOptions, prepare
from cybersecqwen.evaluation.runner import run
from cybersecqwen.evaluation.systems.base import Asked
from cybersecqwen.evaluation.systems.multiple_choice import MultipleChoiceSystem
from cybersecqwen.knowledge.index import build
from cybersecqwen.llm.backends.mock import MockBackend
from cybersecqwen.llm.multiple_choice import MultipleChoice, MultipleChoiceConfig
from cybersecqwen.sources.catalogues.stix import read_stix
from mitre_files import write_all

HEAD = Passage("T9", "Guessing", "description", "Adversaries may guess lantern codes at night.")
QUESTION = Question(
    "q1", "quiz", "prompt", "B", ("wool", "codes", "rain"), "T9", "What is guessed?"
)


class Book:
    """Holds the second option likeliest, and counts how often it is asked."""

    asked = 0

    def search(self, query: str, limit: int = 8) -> list[tuple[Passage, float]]:
        return [(HEAD, 1.0)]

    def page(self, name: str) -> list[Passage]:
        return [HEAD]

    def answer(self, question: str) -> Answer:
        return Answer("", found=False)

    def bearing(self, question: str, choices: Sequence[str], limit: int) -> list[Passage]:
        return [HEAD]

    def defined(self, text: str) -> list[Passage]:
        return []

    def choose(
        self, question: str, choices: Sequence[str], *, glossary: bool = True
    ) -> ChoiceAnswer:
        self.asked += 1
        return ChoiceAnswer(1, (0.1, 0.8, 0.1), (None, HEAD, None))


def scripted(folder: Path, *rules: dict[str, Any]) -> str:
    script = folder / "script.jsonl"
    script.write_text("\n".join(map(json.dumps, rules)), "utf-8")
    return str(script)


def likes(word: str) -> list[dict[str, Any]]:
    """Rules of a model that likes the option with a word, whatever its letter."""
    return [
        {"match": f"{letter}. {word}", "scores": {x: -float(x != letter) for x in "ABCDE"}}
        for letter in "ABCDE"
    ]


def test_mixed_and_pure_say_which_they_are(tmp_path: Path) -> None:
    backend = MockBackend(scripted(tmp_path, *likes("wool")))
    book = Book()
    answers, names = [], []
    for weight in (0.0, 1.0):
        config = MultipleChoiceConfig(ranker_weight=weight, closed_weight=0)
        system = MultipleChoiceSystem(MultipleChoice(backend, config, book))
        asked = [system.ask(QUESTION, lambda question, found: Asked(question, (), tuple(found)))]
        answers += list(system.answer(asked, Sampling()))
        names.append(system.identity["mixed with"])
    assert [response.text for response in answers] == ["A", "B"]
    assert names == ["nothing", "the option ranker, exponent 1"]
    assert book.asked == 2, "each question is looked up once a run"
    assert dict(answers[0].candidates)["A"] == pytest.approx(1 / (1 + 2 * 2.718281828**-1))


def test_a_closed_book_has_nothing_to_mix(tmp_path: Path) -> None:
    backend = MockBackend(scripted(tmp_path, *likes("rain")))
    config = MultipleChoiceConfig(ranker_weight=1.0)
    system = MultipleChoiceSystem(MultipleChoice(backend, config))
    (response,) = system.answer([Asked(QUESTION, ())], Sampling())
    assert response.text == "C"
    assert system.identity == {"name": backend.name, "rotations": "all"}


def quiz_file(folder: Path) -> Path:
    rows = [
        {"id": f"q{n}", "question": f"Which is {n}?", "choices": ["x", "y", "z"], "answer": n % 3}
        for n in range(6)
    ]
    path = folder / "validation.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_a_quiz_is_a_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quiz, script = quiz_file(tmp_path), scripted(tmp_path, *likes("y"))
    model, beside = tmp_path / "model.log", tmp_path / "reader.log"
    options = RunOptions("quiz", quiz, f"mock:{script}", "constrained", choice={"rotations": "all"})
    rows = list(run(prepare(options), model))
    assert [row.reading for row in rows] == ["B"] * 6
    assert read_log(model).header.system["rotations"] == "all"
    right = scripted(
        tmp_path,
        *(
            {"match": f"Which is {n}?", "scores": {x: -2.0 * (x != "ABC"[n % 3]) for x in "ABC"}}
            for n in range(6)
        ),
    )
    list(run(prepare(RunOptions("quiz", quiz, f"mock:{right}", "constrained")), beside))
    mix = fit_mix(read_log(model), read_log(beside))
    assert (mix.n, mix.reader, mix.accuracy[0.0], mix.accuracy[3.0]) == (6, 1.0, 1 / 3, 1.0)
    assert mix.weight > 1
    assert main(["eval", "mix", str(model), str(beside)]) == 0
    assert "right 1.0000" in capsys.readouterr().out


def test_a_log_mixed_afterwards_is_that_of_a_mixed_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build([read_stix(write_all(tmp_path)["attack"])], tmp_path / "kb")
    common = ["--data", str(quiz_file(tmp_path)), "--kb", str(tmp_path / "kb"), "--json"]
    model = ["--model", f"mock:{scripted(tmp_path, *likes('y'))}", "--protocol", "constrained"]

    def evaluate(name: str, *more: str) -> str:
        log = str(tmp_path / name)
        assert main(["eval", "run", "quiz", *common, *more, "--output", log]) == 0
        return log

    pure = evaluate("pure", *model, "--reading", "reader_weight=0")
    mixed = evaluate("mixed", *model, "--reading", "ranker_weight=0.7")
    reader = evaluate("reader")
    after = str(tmp_path / "after")
    assert main(["eval", "mix", pure, reader, "--weight", "0.7", "--output", after]) == 0
    assert "ranker_weight 0.70" in capsys.readouterr().out
    assert read_log(Path(after)).digest() == read_log(Path(mixed)).digest()
    assert read_log(Path(after)).digest() != read_log(Path(pure)).digest()
    retrieval = evaluate("retrieval", "--model", "baseline:retrieval")
    books = {read_log(Path(log)).header.knowledge_sha256 for log in (pure, reader, retrieval)}
    assert len(books) == 1, "whoever opens the book says which"
    assert "" not in books
    for wrong in ([mixed, reader], [pure, pure, "--weight", "-1"]):
        assert main(["eval", "mix", *wrong, "--output", str(tmp_path / "none")]) == 2
    assert not (tmp_path / "none").exists()


def test_logs_that_do_not_belong_together_are_not_mixed(tmp_path: Path) -> None:
    system = {"mixed with": "nothing"}
    whole = Header(
        task="quiz", protocol="p", protocol_sha256="p", model="m", seeds=[1], items=1, system=system
    )
    shares = [("A", 0.6), ("B", 0.4)]
    row = LogRow(id="q", trial=0, seed=1, output="A", reading="A", gold="A", options=2)
    sure = replace(row, candidates=shares)
    logs = [
        (RunLog(tmp_path / "x", replace(whole, knowledge_sha256="k"), [sure]), "knowledge_sha256"),
        (RunLog(tmp_path / "x", whole, []), "1 answers are missing"),
        (RunLog(tmp_path / "x", whole, [row]), "no probability for each of 2 options"),
    ]
    for reader, message in logs:
        with pytest.raises(InputError, match=message):
            write_mixed(RunLog(tmp_path / "y", whole, [sure]), reader, 1.0, tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "line",
    [
        "{",
        '{"id": "a", "question": "?", "choices": ["x"], "answer": 0}',
        '{"id": "a", "question": "?", "choices": ["x", "y"], "answer": 2}',
        "",
    ],
)
def test_a_quiz_that_is_none_is_refused(line: str, tmp_path: Path) -> None:
    path = tmp_path / "quiz.jsonl"
    path.write_text(line, "utf-8")
    with pytest.raises(InputError, match=r"quiz\.jsonl"):
        prepare(RunOptions("quiz", path, "baseline:majority"))


def test_rotations_need_options_to_rotate(tmp_path: Path) -> None:
    script = scripted(tmp_path, {"reply": "A"})
    options = RunOptions("quiz", quiz_file(tmp_path), f"mock:{script}", choice={})
    with pytest.raises(InputError, match="--reading"):
        prepare(options)
