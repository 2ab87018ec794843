"""What of a text can be an account of an attack: no headings, no denials, no other language.

A classifier of sentences finds a technique in whatever it is shown: ``Table of contents`` is a
listing of files to it, a German sentence a hidden artifact. Left out here is what cannot tell of
what attackers did, by the words that it is made of.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cybersecqwen.core.config import read_yaml
from cybersecqwen.core.text.clean import clean
from cybersecqwen.core.text.sentences import sentences

_WORDS = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class _AccountWords:
    """Words of a document's own lines, and the commonest ones of English and of other languages."""

    document: frozenset[str]
    english: frozenset[str]
    foreign: frozenset[str]


@lru_cache(maxsize=1)
def _account_words() -> _AccountWords:
    read = read_yaml(Path(__file__).with_name("account_words.yaml"))
    document, english = (frozenset(read[key].split()) for key in ("document", "english"))
    foreign = frozenset(" ".join(read["foreign"].values()).split())
    return _AccountWords(document, english, foreign - english)


_FEWEST_WORDS = 5  # of a sentence whose language can be told
_FEWEST_OF_HEADING = 3  # words, of one in lower case
_LATIN = re.compile(r"[A-Za-zÀ-ɏ]")

_HAPPENED = (
    r"(?:observed|seen|detected|identified|found|discovered|noted|recorded|deployed|established|"
    r"exfiltrated|encrypted|stolen|installed|confirmed|evident|involved|dropped|harvested|dumped)"
)
_WAS = r"(?:was|were|has been|have been)"
_NOT_DONE = re.compile(
    r"(?<!leave )(?<!leaves )(?<!leaving )(?<!left )"
    r"\bno (?:\w+ )?(?:evidence|indications?|signs?|traces?|proof)\b|"
    rf"^\W*(?:there (?:was|were) )?no\b[^.;:]{{0,80}}\b{_WAS} {_HAPPENED}\b|"
    rf"\b{_WAS} (?:not|never) {_HAPPENED}\b|"
    rf"\b(?:{_WAS}|can be|could be) (?:ruled out|excluded)\b|"
    r"\b(?:attackers?|intruders?|actors?|adversar(?:y|ies)|group|they|operators?|hackers?) "
    r"(?:did not|didn't|never) "
    r"(?!(?:only|just|require|need|have|use|rely|stop|limit|write|touch)\b)",
    re.IGNORECASE,
)
_CONDITION = re.compile(
    r"\b(?:if|when|unless|until|because|so that|but|however|ensur\w*|delet\w*|remov\w*)\b",
    re.IGNORECASE,
)


# Where a sentence turns from what was not done to what was, or back.
_HALVES = re.compile(
    r"\s*[,;]\s*(?:but|however|yet|although|though|while|whereas)\b[\s,]*", re.IGNORECASE
)
_CONCEDES = re.compile(
    r"\W*(?:although|though|even though|while|whereas) ([^,]{5,160}),\s*(.{10,})$", re.IGNORECASE
)
_AFTER_ALL = re.compile(r"\b(?:if|unless|until|not only|did not (?:only|just))\b", re.IGNORECASE)


def account_of(text: str) -> str:
    """Return a text without what tells of no attack; all of it where there is nothing of that.

    Left out are lines that only a document has (``Table of contents``), sentences in another
    language than English, and those that say what was not found or done.

    Args:
        text: A sentence, a scenario or a report; lines as they came.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    kept: list[str] = []
    whole = True
    for line in lines:
        if is_document_line(line):
            whole = False
            continue
        cut = sentences(clean(line))
        told = [one if _UNCONFIRMED.search(one) else _as_told(one) for one in cut]
        told = [one for one in told if not _tells_nothing(one)]
        same = told == cut
        whole = whole and same
        kept.append(line if same else " ".join(told))
    return text if whole else "\n".join(filter(None, kept))


def is_document_line(line: str) -> bool:
    """Whether a line is a heading or a link of a document's own: ``Executive summary``.

    One that begins in lower case may be the end of a wrapped sentence, and a word a search.
    """
    words = _WORDS.findall(line)
    if words and words[0][0].islower() and len(words) < _FEWEST_OF_HEADING:
        return False
    document = _account_words().document
    return all(word.lower() in document for word in words)


def is_foreign(sentence: str) -> bool:
    """Whether a sentence is in another language than English, by its commonest words or letters."""
    letters = [letter for letter in sentence if letter.isalpha()]
    if sum(_LATIN.match(letter) is None for letter in letters) * 2 > len(letters):
        return True
    words = _WORDS.findall(sentence.lower())
    if len(words) < _FEWEST_WORDS:
        return False
    known = _account_words()
    foreign = sum(word in known.foreign for word in words)
    return foreign > 1 and foreign > sum(word in known.english for word in words)


# What somebody ought to do, which nobody did.
_ADVICE = re.compile(
    r"^\W*(?:we |it is |they )?(?:strongly |highly )?(?:recommend|advise|suggest|encourage)"
    r"(?:s|d|ed)?\b|"
    r"^\W*(?:please )?(?:ensure|consider|make sure|remember) (?:that |to )?\w+|"
    r"\b(?:is|are) (?:strongly |highly )?(?:recommended|advised|encouraged|urged) to\b|"
    r"^\W*(?:organi[sz]ations?|administrators?|admins?|defenders?|users?|customers?|companies|teams?|"
    r"employees|staff|owners)(?: \w+){0,3} (?:should|ought to)\b|"
    r"^[^,;]{2,60}\b(?:should|must|ought to) (?:always |also |immediately )?be (?:enforced|enabled|"
    r"disabled|patched|updated|restricted|monitored|reviewed|limited|rotated|reset|blocked|removed|"
    r"applied|deployed|implemented|required|segmented|hardened|isolated|tested|trained)\b",
    re.IGNORECASE,
)
_UNCONFIRMED = re.compile(
    r"\b(?:this|that|it|which)(?: \w+)? (?:could not be|was not|has not been|was never) "
    r"(?:confirmed|verified|established|determined|substantiated|proven)\b",
    re.IGNORECASE,
)


def _tells_nothing(sentence: str) -> bool:
    return is_foreign(sentence) or is_advice(sentence) or denies_activity(sentence)


def is_advice(sentence: str) -> bool:
    """Whether a sentence says what somebody ought to do: ``MFA should be enforced``."""
    return _ADVICE.search(sentence) is not None


def _as_told(sentence: str) -> str:
    """Return a sentence without a half that denies where the other tells: ``no ..., but ...``."""
    halves = _HALVES.split(sentence)
    if len(halves) == 1 and (found := _CONCEDES.match(sentence)):
        halves = list(found.groups())
    told = [half for half in halves if not _NOT_DONE.search(half)]
    halved = len(halves) > 1 and 0 < len(told) < len(halves)
    return ", ".join(told) if halved and not _AFTER_ALL.search(sentence) else sentence


def denies_activity(sentence: str) -> bool:
    """Whether a sentence says what was not found, not done or not confirmed, and nothing else."""
    if _UNCONFIRMED.search(sentence):
        return True
    return _NOT_DONE.search(sentence) is not None and _CONDITION.search(sentence) is None
