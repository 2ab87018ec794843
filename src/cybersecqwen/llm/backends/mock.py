"""A scripted model: deterministic, instant, for tests and for trying a pipeline out."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from cybersecqwen.core.chat import Generation, Message, Sampling
from cybersecqwen.core.errors import InputError, ModelError
from cybersecqwen.core.interfaces import Capability
from cybersecqwen.core.jsonl import read_rows
from cybersecqwen.llm.backends.common import require_capability


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of the script.

    Attributes:
        match: Text that the conversation must contain.
        regex: Pattern that must be found in it. A rule with neither matches everything.
        reply: The answer.
        error: Why the model gives up, instead of a reply.
        scores: Natural-log probability of continuations.
        delay_s: Seconds before the answer.
    """

    match: str = ""
    regex: str = ""
    reply: str = ""
    error: str = ""
    scores: Mapping[str, float] = {}
    delay_s: float = 0.0

    def applies(self, text: str) -> bool:
        """Whether the rule answers this conversation."""
        return self.match in text and re.search(self.regex, text) is not None


class MockBackend:
    """Answers by the first rule of a JSONL script that applies.

    Args:
        file: The script, one ``Rule`` a line; later rules are the defaults of earlier ones.
        delay_s: Seconds to wait before every answer, on top of the rule's own.

    Raises:
        InputError: The script is missing, or a line is no rule.
    """

    def __init__(self, file: str, *, delay_s: float = 0.0) -> None:
        self._name = f"mock:{file}"
        self._delay_s = delay_s
        self._rules = _read_rules(Path(file))

    @property
    def name(self) -> str:
        """The model SPEC it was opened from."""
        return self._name

    @property
    def capabilities(self) -> frozenset[Capability]:
        """It scores only when the script has scores."""
        scores = any(rule.scores for rule in self._rules)
        return frozenset({"generate", "score"} if scores else {"generate"})

    def generate(
        self, conversations: Iterable[Sequence[Message]], sampling: Sampling
    ) -> Iterator[Generation]:
        """Answer each conversation by the first rule that applies.

        ``sampling.max_tokens`` counts words here; nothing is random.

        Raises:
            ModelError: No rule applies.
        """
        for conversation in conversations:
            rule = self._rule(conversation)
            if rule.error:
                yield Generation("", "error", rule.delay_s, error=rule.error)
                continue
            words = re.findall(r"\s*\S+", rule.reply)
            cut = len(words) > sampling.max_tokens
            text = "".join(words[: sampling.max_tokens]) if cut else rule.reply
            yield Generation(
                text,
                "length" if cut else "stop",
                self._delay_s + rule.delay_s,
                new_tokens=min(len(words), sampling.max_tokens),
                prompt_tokens=sum(len(turn.content.split()) for turn in conversation),
            )

    def stream(
        self, conversation: Sequence[Message], sampling: Sampling
    ) -> Iterator[str | Generation]:
        """Write the answer word by word, then yield the whole.

        Raises:
            ModelError: No rule applies.
        """
        (whole,) = self.generate([conversation], sampling)
        yield from re.findall(r"\s*\S+|\s+$", whole.text)
        yield whole

    def score(
        self,
        conversation: Sequence[Message],
        continuations: Sequence[str],
        *,
        whole: bool = False,
        offsets: Sequence[float] = (),
        within: float = math.inf,
    ) -> tuple[float, ...]:
        """Look the continuations up in the rule that applies, whole answers or not.

        Raises:
            ModelError: The script scores nothing, or lacks one of the continuations.
        """
        require_capability(self.name, self.capabilities, "score")
        scores = self._rule(conversation).scores
        missing = [text for text in continuations if text not in scores]
        if missing:
            raise ModelError(f"{self.name}: the rule that applies has no score for {missing[0]!r}")
        return tuple(scores[text] for text in continuations)

    def _rule(self, conversation: Sequence[Message]) -> Rule:
        text = "\n".join(turn.content for turn in conversation)
        for rule in self._rules:
            if rule.applies(text):
                time.sleep(self._delay_s + rule.delay_s)
                return rule
        raise ModelError(f"{self.name}: no rule applies to {text[:80]!r}; add one without a match")


def _read_rules(path: Path) -> list[Rule]:
    rules = []
    for number, rule in read_rows(path, Rule, "no rule of a script"):
        try:
            re.compile(rule.regex)
        except re.error as error:
            raise InputError(f"{path}:{number}: {error}") from error
        rules.append(rule)
    if not rules:
        raise InputError(f"{path}: the script has no rule")
    return rules
