"""The help of every verb: examples that parse, lines that fit a terminal of 80 columns."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
from collections.abc import Iterator

import pytest

from cybersecqwen.cli.main import VERBS, build_parser, main
from cybersecqwen.training.recipes.lora import Adapter, LoraRecipe, Schedule


def _parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from _parsers(inner)


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_shows_calls_to_begin_with(verb: str) -> None:
    examples = importlib.import_module(f"cybersecqwen.cli.{verb}").EXAMPLES
    assert examples
    parser = build_parser(verb)
    for example in examples:
        words = shlex.split(example)
        assert words[0] == verb
        _, unknown = parser.parse_known_args(words)
        assert unknown == [], example


@pytest.mark.parametrize("verb", VERBS)
def test_help_fits_80_columns(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for parser in _parsers(build_parser(verb)):
        text, _, examples = parser.format_help().partition("\nexamples:\n")
        assert max(map(len, text.splitlines())) <= 80, parser.prog
        assert max(map(len, examples.splitlines()), default=0) <= 100, parser.prog


@pytest.mark.parametrize("verb", VERBS)
def test_every_argument_says_what_it_is_for(verb: str) -> None:
    for parser in _parsers(build_parser(verb)):
        own = [a for a in parser._actions if not isinstance(a, argparse._SubParsersAction)]
        assert [action.dest for action in own if not action.help] == [], parser.prog


def test_without_a_verb_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert all(f"    {verb}" in shown for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_an_option_of_several_values_given_twice_keeps_them_all(verb: str) -> None:
    for parser in _parsers(build_parser(verb)):
        for action in parser._actions:
            if action.option_strings and action.nargs in ("+", "*"):
                assert isinstance(action, argparse._ExtendAction), action.option_strings


def test_the_overview_is_the_help_of_all() -> None:
    assert build_parser(overview=True).format_help() == build_parser().format_help()


def test_the_help_of_train_lora_names_every_key_of_its_recipe() -> None:
    text = " ".join(
        parser.format_help() for parser in _parsers(build_parser("train")) if "lora" in parser.prog
    )
    named = set(re.findall(r"[a-z_]+", text))
    for part in (LoraRecipe, Adapter, Schedule):
        assert set(part.__struct_fields__) <= named
