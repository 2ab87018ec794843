"""What MITRE asks to be reproduced with every copy of its catalogues."""

from __future__ import annotations

from collections.abc import Iterable

_LICENCE = """\
The MITRE Corporation (MITRE) hereby grants you a non-exclusive, royalty-free license to use {name}
for research, development, and commercial purposes. Any copy you make for such purposes is
authorized provided that you reproduce MITRE's copyright designation and this license in any such
copy."""

_DISCLAIMER = """\
ALL DOCUMENTS AND THE INFORMATION CONTAINED THEREIN ARE PROVIDED ON AN "AS IS" BASIS AND THE
CONTRIBUTOR, THE ORGANIZATION HE/SHE REPRESENTS OR IS SPONSORED BY (IF ANY), THE MITRE CORPORATION,
ITS BOARD OF TRUSTEES, OFFICERS, AGENTS, AND EMPLOYEES, DISCLAIM ALL WARRANTIES, EXPRESS OR IMPLIED,
INCLUDING BUT NOT LIMITED TO ANY WARRANTY THAT THE USE OF THE INFORMATION THEREIN WILL NOT INFRINGE
ANY RIGHTS OR ANY IMPLIED WARRANTIES OF MERCHANTABILITY OR FITNESS FOR A PARTICULAR PURPOSE."""

_CWE = (
    "Common Weakness Enumeration (CWE)",
    "Copyright (c) 2006-2026, The MITRE Corporation. CWE is a trademark of The MITRE Corporation.",
    "https://cwe.mitre.org/about/termsofuse.html",
)
_CAPEC = (
    "Common Attack Pattern Enumeration and Classification (CAPEC)",
    "Copyright (c) 2007-2026, The MITRE Corporation. CAPEC is a trademark of The MITRE "
    "Corporation.",
    "https://capec.mitre.org/about/termsofuse.html",
)
_ATTACK = (
    "ATT&CK(R)",
    "(c) 2025 The MITRE Corporation. This work is reproduced and distributed with the permission "
    "of The MITRE Corporation.",
    "https://attack.mitre.org/resources/legal-and-branding/terms-of-use/",
)
_BY_SOURCE = {"cwe": _CWE, "capec": _CAPEC}


def notice_of(sources: Iterable[str]) -> str:
    """Return the copyright designations and licences of the sources with these names.

    Args:
        sources: Names of catalogues, such as ``cwe`` and ``enterprise-attack``.
    """
    named = dict.fromkeys(
        _ATTACK if "attack" in source else _BY_SOURCE[source]
        for source in sources
        if "attack" in source or source in _BY_SOURCE
    )
    parts = [
        f"{name}\n{designation}\n{address}\n\n{_LICENCE.format(name=name)}"
        for name, designation, address in named
    ]
    return "\n\n".join([*parts, _DISCLAIMER]) + "\n" if parts else ""
