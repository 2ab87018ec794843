"""Verifies and installs a bundle with Python's standard library alone.

This package travels inside every bundle, and runs there as ``python3 BUNDLE verify`` on a
machine that has Python and nothing else, so it imports nothing from the rest of cybersecqwen. It
is meant to be read before it is trusted:

- ``archive``: the bundle's bytes, which must be exactly what this package would have written;
- ``elliptic``: ECDSA over P-256, P-384 and P-521, verification only;
- ``certificates``: X.509 certificate chains;
- ``oms``: OpenSSF Model Signing v1.0 signatures over files;
- ``manifest``: the list of a bundle's files, and which of them an update carries;
- ``checking``: all checks on a bundle, in one place;
- ``installing``: side-by-side installation with an atomic switch;
- ``command``: the command line.
"""

from .errors import Refusal

__all__ = ["Refusal"]
