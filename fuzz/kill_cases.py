"""Verbs that write, each with what it needs and where it writes, for ``kills.py``."""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SEEDS = HERE / "seeds"
sys.path.append(str(HERE.parent / "tests"))

Words = Callable[[Path], Sequence[str]]


@dataclass(frozen=True)
class Case:
    """A verb.

    Attributes:
        name: What to call it.
        prepare: Puts what it needs, and an old output, into a folder.
        words: Its arguments, given the folder.
        outputs: Names of what it writes there.
        content: What of an output file must be the same for it to be the same.
        partial: Whether an output that is neither old nor new is one to go on with.
        once: Whether it refuses an output that is there.
        before: What is done in the copied folder before each run.
        imports: Modules of the package that its runs need and others do not.
    """

    name: str
    prepare: Callable[[Path], None]
    words: Words
    outputs: tuple[str, ...]
    content: Callable[[Path], bytes] = Path.read_bytes
    partial: Callable[[Path], bool] | None = None
    once: bool = False
    before: Callable[[Path], None] | None = None
    imports: tuple[str, ...] = ()

    def act(self, folder: Path) -> int:
        """Call the verb, and return its exit code."""
        return call(self.words(folder))


def call(words: Sequence[str]) -> int:
    """Call the command line in this process."""
    from cybersecqwen.cli.main import main

    return main([str(word) for word in words])


def _rows(folder: Path) -> None:
    texts = ["SQL injection in the login form", "a heap overflow in the parser", "path traversal"]
    for which, count in (("a", 3), ("b", 2)):
        rows = [
            {"id": f"CVE-2024-{n:04}", "description": f"{texts[n]} of {which}", "cwe": "CWE-89"}
            for n in range(count)
        ]
        (folder / f"{which}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def _old(words: Words) -> Callable[[Path], None]:
    """Return what writes the rows and makes an old output of those of ``b``."""

    def prepare(folder: Path) -> None:
        _rows(folder)
        if code := call(words(folder)):
            raise SystemExit(f"the old output: {code}")

    return prepare


def _records(verb: str, output: str, *more: str) -> Case:
    """Return a verb that reads records and writes a file."""

    def words(which: str) -> Words:
        return lambda folder: [
            *(verb, "--input", folder / f"{which}.jsonl", "--output", folder / output),
            *more,
        ]

    return Case(f"{verb} {output}", _old(words("b")), words("a"), (output,))


def _audited(folder: Path) -> None:
    """Write records whose own weakness is far off, and an old output of one of them."""
    label = {"source": "nvd@nist.gov", "type": "Primary"}
    rows = []
    for number in range(3):
        texts = [{"lang": "en", "value": f"SQL injection in the login form {number}"}]
        weakness = label | {"description": [{"lang": "en", "value": "CWE-787"}]}
        cve = {"id": f"CVE-2024-{number:04}", "descriptions": texts, "weaknesses": [weakness]}
        rows.append(json.dumps({"cve": cve}) + "\n")
    (folder / "n.jsonl").write_text("".join(rows))
    (folder / "o.jsonl").write_text(rows[0])
    call(["audit", "--input", folder / "o.jsonl", *_judged(folder)])


def _judged(folder: Path) -> list[Path | str]:
    return ["--labeller", "nvd", "--output", folder / "out.jsonl"]


def _dump(file: Path) -> bytes:
    """Return what a store holds, apart from when it was written."""
    with closing(sqlite3.connect(file)) as store:
        try:
            found = store.execute(
                "select id, title, description from records order by id"
            ).fetchall()
        except sqlite3.OperationalError:
            found = []
    return repr(found).encode()


def _kb(which: str) -> Words:
    source = [SEEDS / "cwe.xml", "--attack", SEEDS / "stix.json"] if which == "a" else None
    return lambda folder: [
        *("kb", "build", "--out", folder / "kb", "--cwe"),
        *(source or [SEEDS / "cwe.xml"]),
    ]


def _corpus(which: str) -> Words:
    def words(folder: Path) -> list[Path | str]:
        source = {"path": f"{which}.jsonl", "format": "jsonl", "labels_from": "nvd"}
        recipe = folder / f"{which}.yaml"
        recipe.write_text(json.dumps({"name": which, "sources": [source]}))
        return ["corpus", "build", recipe, "--data", folder, "--out", folder / "corpus"]

    return words


def _questions(folder: Path) -> None:
    _rows(folder)
    rows = [f"u\tCVE-2099-{n:04}: SQL injection\tPrompt {n}\tCWE-89" for n in range(3)]
    (folder / "rcm.tsv").write_text("URL\tDescription\tPrompt\tGT\n" + "\n".join(rows) + "\n")


def _eval(log: str) -> Words:
    return lambda folder: [
        *("eval", "run", "cti-rcm", "--data", folder / "rcm.tsv", "--protocol", "constrained"),
        *("--output", folder / log),
    ]


def _logged(folder: Path) -> None:
    _questions(folder)
    call(_eval("log.jsonl")(folder))


def _reported(folder: Path) -> None:
    _logged(folder)
    (folder / "report").mkdir()
    for name in ("report.html", "report.md", "notes.txt"):
        (folder / "report" / name).write_text("old\n")


def _pages_whole(folder: Path) -> bool:
    ends = {"report.html": "</html>", "report.md": ".\n"}
    pages = {name: (folder / "report" / name).read_text() for name in ends}
    return all(text == "old\n" or text.endswith(ends[name]) for name, text in pages.items())


def _answers(file: Path) -> bytes:
    rows = [json.loads(line) for line in file.read_text().splitlines() if line.endswith("}")]
    return json.dumps([(row.get("id"), row.get("output")) for row in rows[1:]]).encode()


def _begun(folder: Path) -> bool:
    return (folder / "log.jsonl").exists()  # goes on there


def _results(folder: Path) -> None:
    lines = []
    for week in range(1, 7):
        row = {"cwe": "CWE-79", "confidence": 0.8, "published": f"2026-01-{week * 4:02}"}
        lines += [json.dumps(row | {"id": f"{week}-{n}", "description": "a"}) for n in range(60)]
    (folder / "results.jsonl").write_text("\n".join(lines) + "\n")
    shutil.copy(SEEDS / "corrections.jsonl", folder)
    call(["monitor", folder / "results.jsonl", "--make-profile", folder / "good.json"])
    for name in ("page.html", "profile.json", "rows.jsonl"):
        (folder / name).write_text("{}\n")


def _monitor(*output: str) -> Words:
    return lambda folder: [
        *("monitor", folder / "results.jsonl", "--profile", folder / "good.json"),
        *("--corrections", folder / "corrections.jsonl", output[0], folder / output[1]),
    ]


def _bundled(folder: Path) -> None:
    from small_bundle import Site

    site = Site(folder / "site")
    site.make(folder / "b.zip")
    (folder / "docs").mkdir()
    (folder / "docs" / "index.md").write_text("# Docs\n")
    (folder / "model").mkdir()
    (folder / "model" / "weights.bin").write_bytes(b"weights")


def _bundle(folder: Path) -> list[Path | str]:
    site = folder / "site"
    return [
        *("bundle", "create", folder / "new.zip", "--key", site / "site.pem"),
        *("--package", next((site / "product").glob("*.whl")), "--lock", site / "lock.txt"),
        *("--wheels", site / "wheels", "--offline", "--date", "2026-11-29"),
        *("--docs", folder / "docs"),
    ]


def _adapter(folder: Path) -> None:
    import peft
    import torch
    import transformers

    from tiny_chat import write_base

    base = write_base(folder / "base")
    torch.manual_seed(3)
    model = transformers.AutoModelForCausalLM.from_pretrained(base)
    config = peft.LoraConfig(r=4, target_modules=["q_proj"], task_type="CAUSAL_LM")
    peft.get_peft_model(model, config).save_pretrained(folder / "adapter")


def _export(action: str) -> Words:
    return lambda folder: [
        *("export", action, folder / "adapter", "--base", folder / "base"),
        *("--out", folder / "out"),
    ]


def _chat(folder: Path) -> None:
    from tiny_chat import write_base, write_corpus

    write_base(folder / "base")
    (folder / "corpus").mkdir()
    write_corpus(folder / "corpus")


def _lora(folder: Path) -> list[Path | str]:
    recipe = folder / "recipe.yaml"
    fit = "{epochs: 1, batch: 16, learning_rate: 5e-3}"
    recipe.write_text(
        f"name: tiny\nbase: {folder / 'base'}\nadapter: {{rank: 4, alpha: 4}}\nfit: {fit}\n"
        "max_tokens: 128\ncheckpoint_every: 2\n"
    )
    words = ["train", "lora", recipe, "--corpus", folder / "corpus", "--out", folder / "out"]
    return [*words, "--resume"]


def _weights(file: Path) -> bytes:
    """Return what of a trained folder does not hold times: its weights."""
    return file.read_bytes() if file.suffix == ".safetensors" else b""


CASES: dict[str, Case] = {
    case.name: case
    for case in (
        _records("map", "out.jsonl"),
        _records("map", "out.csv"),
        _records("assess", "out.jsonl"),
        Case(
            *("audit", _audited, lambda f: ["audit", "--input", f / "n.jsonl", *_judged(f)]),
            outputs=("out.jsonl",),
        ),
        Case(
            "data import",
            _old(lambda f: ["data", "import", f / "b.jsonl", "--store", f / "store.sqlite"]),
            lambda f: ["data", "import", f / "a.jsonl", "--store", f / "store.sqlite"],
            ("store.sqlite",),
            content=_dump,
        ),
        Case("kb build", _old(_kb("b")), _kb("a"), ("kb",)),
        Case("corpus build", _old(_corpus("b")), _corpus("a"), ("corpus",)),
        Case(
            *("eval run", _questions, _eval("log.jsonl"), ("log.jsonl",)),
            content=_answers,
            partial=_begun,
        ),
        Case(
            *("eval report", _logged),
            lambda f: ["eval", "report", f / "log.jsonl", "--output", f / "report"],
            ("report",),
        ),
        Case(
            *("eval report again", _reported),
            lambda f: ["eval", "report", f / "log.jsonl", "--output", f / "report"],
            ("report",),
            partial=_pages_whole,
        ),
        Case("monitor page", _results, _monitor("--page", "page.html"), ("page.html",)),
        Case(
            *("monitor profile", _results),
            lambda f: ["monitor", f / "results.jsonl", "--make-profile", f / "profile.json"],
            ("profile.json",),
        ),
        Case("monitor rows", _results, _monitor("--training-rows", "rows.jsonl"), ("rows.jsonl",)),
        Case(
            *("bundle key", lambda _: None, lambda f: ["bundle", "key", f / "k.pem"]),
            ("k.pem", "k.pub.pem"),
            content=lambda file: file.read_bytes()[:20],
            partial=lambda folder: b"END" in (folder / "k.pem").read_bytes(),
            once=True,
        ),
        Case(
            *("bundle sign", _bundled),
            lambda f: [
                *("bundle", "sign", f / "model", "--signature", f / "model.sig"),
                *("--key", f / "site" / "site.pem"),
            ],
            ("model.sig",),
        ),
        Case("bundle create", _bundled, _bundle, ("new.zip",)),
        Case(
            *("bundle split", _bundled),
            lambda f: [*_bundle(f), "--split", "1M"],
            ("new.zip",),
            once=True,
        ),
        Case(
            *("bundle unpack", _bundled),
            lambda f: ["bundle", "unpack", f / "b.zip", "--to", f / "tree", "--allow-unsigned"],
            ("tree",),
            once=True,
        ),
        Case(
            *("export adapter", _adapter, _export("adapter"), ("out",)),
            once=True,
            imports=("apps.export", "training.export.merge"),
        ),
        Case(
            *("export merge", _adapter, _export("merge"), ("out",)),
            once=True,
            imports=("apps.export", "training.export.merge"),
        ),
        Case(
            *("train lora", _chat, _lora, ("out",)),
            content=_weights,
            once=True,
            imports=("apps.training", "training.lora.run", "training.lora.trainer"),
        ),
    )
}
"""By name."""
