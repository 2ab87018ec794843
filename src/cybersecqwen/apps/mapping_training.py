"""The training job of the techniques that a CVE is used for, from analysts' mappings."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cybersecqwen.apps.progress import JobProgress, OnProgress, ignore
from cybersecqwen.core.atomic_folder import atomic_folder
from cybersecqwen.core.errors import InputError, require_extra
from cybersecqwen.core.model_folder import ANALYST_TECHNIQUES_FILE, CONFIG_FILE
from cybersecqwen.core.records import Advisory
from cybersecqwen.core.text.clean import has_text
from cybersecqwen.sources import read_advisories
from cybersecqwen.sources.catalogues.analyst_mappings import read_analyst_mappings
from cybersecqwen.sources.catalogues.stix import read_stix
from cybersecqwen.specialists.mapper import CweMapper
from cybersecqwen.specialists.severity import SeverityScorer
from cybersecqwen.specialists.vulnerability_technique import WEIGHTS_FILE, technique_features


def train_vulnerability_technique(
    mappings: Path,
    records: Sequence[Path],
    knowledge: Path,
    model: Path,
    *,
    on_progress: OnProgress = ignore,
) -> dict[str, Any]:
    """Learn from analysts' mappings which ATT&CK techniques a CVE is used for.

    Args:
        mappings: Folder with ``attack_to_cve.csv.gz`` and ``kev_to_attack.json.gz``.
        records: Files of any format that is read, where the CVEs' descriptions come from.
        knowledge: ATT&CK's STIX bundle, where the techniques' names come from.
        model: A weakness specialist's folder with ``severity`` and ``technique`` inside; of
            ``technique`` two files are written anew.
        on_progress: Told what is being done.

    Returns:
        How many CVEs and techniques were learnt, and recall at 5 in five folds.

    Raises:
        InputError: A file cannot be used, or no mapped CVE has a description.
        ModelError: A specialist is damaged.
        MissingExtraError: The ``train`` extra is not installed.
    """
    require_extra("train", "sklearn")
    from cybersecqwen.training.specialist import vulnerability_technique as linear

    on_progress(JobProgress("reading the mappings and the records"))
    mapped = read_analyst_mappings(
        mappings / "attack_to_cve.csv.gz", mappings / "kev_to_attack.json.gz"
    )
    texts = _descriptions(records, set(mapped))
    if not texts:
        raise InputError("none of the mapped CVEs has a description in these records")
    on_progress(JobProgress(f"asking the specialists about {len(texts):,} CVEs"))
    mapper = CweMapper.load(model)
    data = linear.MappedVulnerabilities(
        _features(list(texts.values()), mapper, SeverityScorer.from_pretrained(model / "severity")),
        [frozenset().union(*mapped[cve].values()) for cve in texts],
        _roles(mapped),
    )
    fitted = linear.fit_vulnerability_techniques(data)
    titles = {entry.id: entry.name for entry in read_stix(knowledge).entries}
    folder = model / "technique"
    with atomic_folder(folder, CONFIG_FILE) as part:
        shutil.copytree(folder, part, dirs_exist_ok=True)
        weights, names = part / WEIGHTS_FILE, part / ANALYST_TECHNIQUES_FILE
        linear.write_vulnerability_techniques(
            fitted, titles, mapper.name, len(texts), weights, names
        )
    return {
        "cves": len(texts),
        "techniques": len(fitted.techniques),
        "recall_at_5": round(fitted.recall_at_5, 3),
    }


def _features(
    texts: Sequence[str], mapper: CweMapper, scorer: SeverityScorer
) -> NDArray[np.float64]:
    """Return (N, F) of what the weakness and severity specialists say of each text."""
    weaknesses = mapper.probabilities(texts)
    return np.array(
        [
            technique_features(weakness, scorer.metric_probabilities(reading.logits, "nvd"))
            for weakness, reading in zip(weaknesses, scorer.read(texts, "nvd"), strict=True)
        ]
    )


def _roles(mapped: Mapping[str, Mapping[str, Iterable[str]]]) -> dict[str, Counter[str]]:
    """Return how often each technique was mapped in each role."""
    roles: dict[str, Counter[str]] = defaultdict(Counter)
    for given in mapped.values():
        for role, names in given.items():
            for name in names:
                roles[name][role] += 1
    return roles


def _descriptions(files: Sequence[Path], wanted: set[str]) -> dict[str, str]:
    """Return the first description of each wanted CVE, in the order of the ids."""
    found: dict[str, str] = {}
    missing = set(wanted)
    for file in files:
        for record in read_advisories(file):
            if isinstance(record, Advisory) and record.id in missing:
                if not has_text(record.description):
                    continue
                found[record.id] = record.description
                missing.discard(record.id)
    return dict(sorted(found.items()))
