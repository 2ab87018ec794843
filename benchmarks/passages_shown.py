"""How often the passages that a language model reads before a choice hold the one that decides.

    python benchmarks/passages_shown.py

Of ``passage_questions.yaml`` the passage that decides is known, of ``inside_questions.yaml`` its
page. Prints, for several numbers of passages, the shares of questions for which the passage, or
another of its page, is among those shown, and the words that are shown on average. No language
model is run; both files are our own.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import yaml

import cybersecqwen.evaluation
from cybersecqwen.core.passages import page_of
from cybersecqwen.knowledge.base import KnowledgeBase
from cybersecqwen.llm.multiple_choice import MultipleChoiceConfig, look_up

FILES = ("passage_questions.yaml", "inside_questions.yaml")


def main() -> None:
    """Look every question up and count."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--passages", type=int, nargs="+", default=[2, 4, 6, 8], metavar="N")
    arguments = parser.parse_args()
    knowledge = KnowledgeBase.load()
    folder = Path(cybersecqwen.evaluation.__file__).parent
    for name in FILES:
        rows = yaml.safe_load((folder / name).read_text("utf-8"))
        for count in arguments.passages:
            config = MultipleChoiceConfig(passages=count)
            passages = pages = words = 0
            for row in rows:
                shown = look_up(knowledge, row["question"], row["choices"], config).passages
                passages += row.get("passage") in [found.id for found in shown]
                page = row.get("page") or page_of(row["passage"])
                pages += page in [page_of(found.id) for found in shown]
                words += sum(len(found.text.split()) for found in shown)
            total = len(rows)
            whole = f"passage {passages / total:.3f}  " if "passage" in rows[0] else ""
            print(f"{name} {count:2}: {whole}page {pages / total:.3f}  words {words / total:.0f}")


if __name__ == "__main__":
    main()
