"""Defensive-cybersecurity models that anyone can train, measure and run on their own hardware.

What is public stands in ``__all__``, one object a feature, each loaded when it is first used:

- ``read_advisories``: vulnerability records of any format as a stream of ``Advisory``;
- ``CweMapper``: which weakness (CWE) a description has, with calibrated probabilities;
- ``Assessor``: weakness, severity (CVSS) and techniques (ATT&CK) of a record, and why;
- ``TechniqueClassifier``: techniques (ATT&CK) of a sentence, a scenario or a report;
- ``KnowledgeBase``: CWE, CAPEC and ATT&CK, searched and answering with citations;
- ``Answerer``: the same with a language model of your own, its answers checked;
- ``evaluate``: a benchmark put to any system, with intervals and a log of every answer;
- ``build_corpus``: training files from raw records, proven free of benchmark items.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cybersecqwen.core import telemetry

if TYPE_CHECKING:
    from cybersecqwen.apps.assess import Assessor
    from cybersecqwen.apps.corpus import build_corpus
    from cybersecqwen.apps.evaluation import evaluate
    from cybersecqwen.core.records import Advisory
    from cybersecqwen.knowledge.base import KnowledgeBase
    from cybersecqwen.llm.answering import Answerer
    from cybersecqwen.sources.detect import read_advisories
    from cybersecqwen.specialists.mapper import CweMapper
    from cybersecqwen.specialists.technique import TechniqueClassifier

# Before anything of ours imports a dependency that would report its use.
telemetry.switch_off()

__version__ = "0.2.0"

# Public name -> module. Lazy, so that importing the package costs nothing until a model is wanted.
_PUBLIC = {
    "Advisory": "cybersecqwen.core.records",
    "Answerer": "cybersecqwen.llm.answering",
    "Assessor": "cybersecqwen.apps.assess",
    "CweMapper": "cybersecqwen.specialists.mapper",
    "KnowledgeBase": "cybersecqwen.knowledge.base",
    "TechniqueClassifier": "cybersecqwen.specialists.technique",
    "build_corpus": "cybersecqwen.apps.corpus",
    "evaluate": "cybersecqwen.apps.evaluation",
    "read_advisories": "cybersecqwen.sources.detect",
}
__all__ = [
    "Advisory",
    "Answerer",
    "Assessor",
    "CweMapper",
    "KnowledgeBase",
    "TechniqueClassifier",
    "__version__",
    "build_corpus",
    "evaluate",
    "read_advisories",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
