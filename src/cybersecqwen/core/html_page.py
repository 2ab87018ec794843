"""Self-contained HTML pages: templates that escape what they are given, data blocks, and policies.

Reports are single files that load nothing. Their content-security policy names the one script that
may run by its hash, so that text from records, prompts and models can only ever be shown.
"""

from __future__ import annotations

import base64
import hashlib

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape


def page_templates(package: str) -> Environment:
    """Return the templates in the folder ``templates`` of a package.

    Every value is escaped unless the template says otherwise, and an undefined name is an error.
    """
    return Environment(
        loader=PackageLoader(package, "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def policy_hash(text: str) -> str:
    """Return the name of an inline script or style in a content-security policy (CSP level 2)."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"


def script_json(value: object) -> str:
    """Return JSON that can stand inside a ``script`` element.

    ``<`` ends no element once it is written as an escape, and JSON reads it back the same.
    """
    text = msgspec.json.encode(value).decode("utf-8")
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
