"""Sentences that name no weakness, to pad descriptions with in training.

They come from the descriptions themselves (which product, which versions, where to find the
update) and from a small grammar; a sentence with a word that tells of a weakness, an attack or
its effect is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import numpy as np

from cybersecqwen.core.text.clean import clean
from cybersecqwen.core.text.sentences import sentences

_TELLING = re.compile(
    r"vulnerab|attack|exploit|inject|overflow|xss|script|auth|privileg|permission|access|memory|"
    r"crash|denial|arbitrar|malicious|craft|bypass|travers|disclos|leak|escalat|remote|execut|"
    r"overwrit|overread|read|writ|free|null|pointer|race|deserial|credential|password|encrypt|"
    r"certificat|token|session|cookie|csrf|forger|redirect|upload|download|path|file|sanitiz|"
    r"sanitis|validat|escap|neutrali|bound|buffer|integer|divi|loop|recurs|stack|heap|lock|"
    r"resource|exhaust|dos\b|sensitive|secret|key|plaintext|cleartext|hard-?coded|spoof|imperson|"
    r"trust|verif|sign|check|restrict|limit|improper|incorrect|missing|fail|error|issue|flaw|bug|"
    r"weakness|insecure|unsafe|unauthor|victim|user input|query|sql|command|code|shell|xml|"
    r"template|format|cwe|cve-|leverag|manipulat|impact|affect|compromis|inform|exposur|expos|"
    r"default|config|smuggl|split|truncat|potential|cvss|prototype|pollut|leading|trigger|allow|without|lack|before|user",
    re.IGNORECASE,
)

_WHAT = (
    "module",
    "plugin",
    "component",
    "service",
    "gateway",
    "console",
    "agent",
    "appliance",
    "library",
    "application",
    "dashboard",
    "controller",
    "package",
    "driver",
    "extension",
    "platform",
    "client",
    "server",
    "toolkit",
    "framework",
)
_WHERE = (
    "the plant console",
    "the reporting suite",
    "the mobile edition",
    "the enterprise edition",
    "the base package",
    "the product family",
    "the management stack",
    "the cloud offering",
    "the storage line",
    "the desktop release",
    "the school edition",
    "the analytics bundle",
    "the retail system",
    "the network portfolio",
    "the developer tools",
)
_WHO = (
    "hospitals",
    "schools",
    "retailers",
    "small offices",
    "public bodies",
    "manufacturers",
    "hosting companies",
    "developers",
    "research groups",
    "operators of large sites",
    "partners",
    "administrators",
    "customers in several countries",
    "system integrators",
    "laboratories",
)
_FORMS = (
    "The {what} is part of {where} and is shipped for all supported releases.",
    "It is maintained by the vendor and used by {who} around the world.",
    "The {what} has been available since {year} and is updated twice a year.",
    "{where} includes the {what} together with its documentation.",
    "Further details about the {what} can be found in the product documentation.",
    "Many {who} use the {what} every day.",
    "Release {number} of the {what} was published in {year}.",
    "The vendor recommends installing the latest release of the {what}.",
    "A new release of {where} is available from the vendor's site.",
    "The {what} runs on Windows, Linux and macOS.",
    "Support for the {what} ends in {year}.",
    "The {what} was renamed in {year} and is now sold with {where}.",
    "{where} is translated into {number} languages.",
    "The advisory was first published in {year} and has been revised since.",
    "Thanks go to the researchers who reported this to the vendor.",
    "The {what} shows charts, tables and a calendar to {who}.",
    "It was written in Java and later ported to Go.",
    "An overview of {where} is given in the handbook on page {number}.",
    "The project is hosted in a public repository and has {number} contributors.",
    "Customers of {where} receive the {what} at no extra charge.",
)


def mined_sentences(descriptions: Iterable[str], most: int) -> list[str]:
    """Return distinct sentences of the descriptions that tell nothing, ``most`` at most."""
    found: dict[str, None] = {}
    for description in descriptions:
        for sentence in sentences(clean(description)):
            if 30 <= len(sentence) <= 300 and not _TELLING.search(sentence):
                found.setdefault(sentence)
        if len(found) >= most:
            break
    return list(found)[:most]


def made_sentences(count: int, seed: int) -> Iterator[str]:
    """Yield sentences of the grammar, drawn at random."""
    draw = np.random.default_rng(seed)
    for _ in range(count):
        sentence = _FORMS[draw.integers(len(_FORMS))].format(
            what=_WHAT[draw.integers(len(_WHAT))],
            where=_WHERE[draw.integers(len(_WHERE))],
            who=_WHO[draw.integers(len(_WHO))],
            year=draw.integers(1999, 2027),
            number=draw.integers(2, 100),
        )
        yield sentence[0].upper() + sentence[1:]
