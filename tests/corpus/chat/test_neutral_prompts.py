"""Neutral prompts: many, different, the same every time, and none of the general check's."""

from __future__ import annotations

import re

from cybersecqwen.corpus.chat.neutral_prompts import neutral_prompts
from cybersecqwen.evaluation.general_check import load_questions


def _said(prompt: str) -> str:
    return " ".join(re.findall(r"\w+", prompt.lower()))


def test_there_are_as_many_as_asked_for_and_none_twice():
    prompts = neutral_prompts(1500)
    assert len(prompts) == len(set(prompts)) == 1500
    assert not any("{" in prompt for prompt in prompts)


def test_a_seed_gives_the_same_prompts_every_time():
    assert neutral_prompts(50, seed=3) == neutral_prompts(50, seed=3)
    assert neutral_prompts(50, seed=3) != neutral_prompts(50, seed=4)


def test_fewer_are_the_beginning_of_more():
    assert neutral_prompts(300)[:20] == neutral_prompts(20)


def test_none_is_a_prompt_of_the_general_check():
    asked = {_said(question.prompt) for question in load_questions()}
    drawn = {_said(prompt) for seed in range(4) for prompt in neutral_prompts(3000, seed)}
    assert len(drawn) > 5000
    assert not asked & drawn
