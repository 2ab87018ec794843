"""The verifier's command line: ``python3 BUNDLE verify`` and ``python3 BUNDLE install``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import Refusal

if TYPE_CHECKING:
    from .checking import CheckedBundle
    from .oms import Trust

EXIT_DONE, EXIT_REFUSED = 0, 2


def add_trust(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say whose signatures are believed."""
    parser.add_argument(
        "--key", type=Path, action="append", default=[], help="public key that is trusted, PEM"
    )
    parser.add_argument(
        "--ca",
        type=Path,
        action="append",
        default=[],
        help="certificate that is trusted, and what it signed with it, PEM",
    )
    parser.add_argument(
        "--at", metavar="YYYY-MM-DD", help="day on which certificates must be valid (today)"
    )
    parser.add_argument(
        "--allow-unsigned", action="store_true", help="accept a bundle whose signature is not known"
    )


def read_trust(
    keys: Sequence[Path], authorities: Sequence[Path], at: str | None, kept: Sequence[Path] = ()
) -> Trust:
    """Return the trust in keys and certificates that are named, else in those that are kept.

    Args:
        keys: PEM files of public keys.
        authorities: PEM files of certificates.
        at: Day on which certificates must be valid, as ``2026-11-30``; None: today.
        kept: PEM files of either kind that an installation keeps.
    """
    from .oms import Trust

    keys, authorities = list(keys), list(authorities)
    if not keys and not authorities:
        for path in kept:
            (authorities if b"BEGIN CERTIFICATE" in path.read_bytes() else keys).append(path)
    try:
        moment = datetime.fromisoformat(at).replace(tzinfo=UTC) if at else None
    except ValueError:
        raise Refusal(f"--at {at}: is no day like 2026-11-30") from None
    return Trust.of_files(keys, authorities, moment)


def build_parser(bundle: Path | None) -> argparse.ArgumentParser:
    """Return the parser; a bundle that runs itself need not be named."""
    parser = argparse.ArgumentParser(
        prog="bundle", description="Checks and installs a cybersecqwen bundle, with no network."
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name, text in (
        ("verify", "check everything, and change nothing"),
        ("install", "check everything, then install beside the version that runs, and switch"),
    ):
        verb = verbs.add_parser(name, help=text, description=text)
        verb.add_argument("bundle", type=Path, nargs="?", default=bundle, help="the bundle")
        add_trust(verb)
        verb.add_argument("--json", action="store_true", help="print one JSON object")
        if name == "install":
            verb.add_argument("--to", type=Path, required=True, help="folder of the installation")
            verb.add_argument(
                "--allow-older", action="store_true", help="install it if a newer one is installed"
            )
    return parser


def main(argv: Sequence[str] | None = None, bundle: Path | None = None) -> int:
    """Run the command line; 0: accepted, 2: refused, with the reason on standard error."""
    parser = build_parser(bundle)
    arguments = parser.parse_args(argv)
    if arguments.bundle is None:
        parser.error("name the bundle")
    try:
        done = verify(arguments) if arguments.verb == "verify" else install(arguments)
    except Refusal as refusal:
        print(f"refused: {refusal}", file=sys.stderr)
        return EXIT_REFUSED
    except OSError as error:
        print(f"refused: {error}", file=sys.stderr)
        return EXIT_REFUSED
    if arguments.json:
        print(json.dumps(done))
    else:
        for name, value in done.items():
            text = ", ".join(value) if isinstance(value, list) else value
            print(f"{name:<11} {text}")
    return EXIT_DONE


def verify(arguments: argparse.Namespace) -> dict[str, object]:
    """Check a bundle and return what to say of it."""
    from .checking import check_bundle, open_bundle

    trust = read_trust(arguments.key, arguments.ca, arguments.at)
    with open_bundle(arguments.bundle) as source:
        return describe(check_bundle(source, trust, allow_unsigned=arguments.allow_unsigned))


def describe(checked: CheckedBundle) -> dict[str, object]:
    """Return what to say of a bundle that was checked."""
    manifest = checked.manifest
    facts: dict[str, object] = {
        "bundle": manifest.identity,
        "version": manifest.version,
        "date": manifest.date.isoformat(),
        "signed_by": checked.signer or "NOT CHECKED",
        "files": len(manifest.files),
        "bytes": sum(file.size for file in manifest.files.values()),
        "for": [f"{target.platform} with Python {target.python}" for target in manifest.targets],
    }
    if checked.base:
        facts["update_of"] = checked.base[:12]
        facts["from_there"] = len(checked.from_base)
    return facts


def install(arguments: argparse.Namespace) -> dict[str, object]:
    """Install a bundle and return what to say of it."""
    return install_files(
        arguments.bundle,
        arguments.to.absolute(),
        keys=arguments.key,
        authorities=arguments.ca,
        at=arguments.at,
        allow_unsigned=arguments.allow_unsigned,
        allow_older=arguments.allow_older,
        say=lambda step: print(f"{step} ...", file=sys.stderr, flush=True),
    )


def install_files(
    bundle: Path,
    root: Path,
    *,
    keys: Sequence[Path],
    authorities: Sequence[Path],
    at: str | None,
    allow_unsigned: bool,
    allow_older: bool,
    say: Callable[[str], None],
) -> dict[str, object]:
    """Install a bundle, trusting what is named or else what the installation keeps."""
    from . import installing

    done = installing.install(
        bundle,
        root,
        read_trust(keys, authorities, at, installing.trusted_files(root)),
        allow_unsigned=allow_unsigned,
        allow_older=allow_older,
        trusted=(*keys, *authorities),
        say=say,
    )
    return {
        "installed": done.manifest.identity,
        "before": done.before or "nothing",
        "signed_by": done.signer or "NOT CHECKED",
        "program": str(done.launcher),
    }
