"""``bundle``: everything an offline site needs in one signed file."""

from __future__ import annotations

import argparse
import dataclasses
import os
import re
from datetime import date
from pathlib import Path
from typing import Any

from cybersecqwen.cli.common import EXIT_DONE, print_json, printable, warn
from cybersecqwen.core.errors import InputError
from cybersecqwen.release.verifier import command

HELP = "make, sign, check and install bundles for machines without a network"
EXAMPLES = (
    "bundle create site.tar",
    "bundle verify site.tar",
)

_PASSWORD = "CYBERSECQWEN_KEY_PASSWORD"
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    _configure_create(actions.add_parser("create", help="make a bundle"))
    verify = actions.add_parser(
        "verify", help="check a bundle, or any files with an OpenSSF Model Signing signature"
    )
    verify.add_argument("bundle", type=Path, metavar="PATH", help="bundle, parts, file or folder")
    verify.add_argument(
        "--signature", type=Path, metavar="FILE", help="PATH is no bundle: check it against this"
    )
    verify.add_argument(
        "--ignore-unsigned", action="store_true", help="with --signature: let other files pass"
    )
    verify.set_defaults(act=_verify)
    install = actions.add_parser("install", help="check a bundle, install it, then switch to it")
    install.add_argument("bundle", type=Path, metavar="BUNDLE", help="file, or folder of its parts")
    install.add_argument("--to", type=Path, required=True, metavar="DIR", help="installation")
    install.add_argument("--allow-older", action="store_true", help="install it over a newer one")
    install.set_defaults(act=_install)
    unpack = actions.add_parser("unpack", help="check a bundle and write its files into a folder")
    unpack.add_argument("bundle", type=Path, metavar="BUNDLE", help="file, or folder of its parts")
    unpack.add_argument("--to", type=Path, required=True, metavar="DIR", help="folder to make")
    unpack.set_defaults(act=_unpack)
    for action in (verify, install, unpack):
        command.add_trust(action)
    diff = actions.add_parser("diff", help="say what changes from one bundle to another")
    diff.add_argument("before", type=Path, help="bundle, or an installed version's folder")
    diff.add_argument("after", type=Path, help="the newer one")
    diff.set_defaults(act=_diff)
    key = actions.add_parser("key", help="make the key pair that a site signs with")
    key.add_argument("key", type=Path, metavar="FILE", help="private key; FILE.pub.pem beside it")
    key.add_argument("--curve", choices=("p256", "p384", "p521"), default="p256", help="(p256)")
    key.set_defaults(act=_key)
    sign = actions.add_parser("sign", help="sign a model's file or folder (OpenSSF Model Signing)")
    sign.add_argument("path", type=Path, metavar="PATH", help="file or folder to sign")
    sign.add_argument("--signature", type=Path, required=True, metavar="FILE", help="to write")
    _add_signer(sign, required=True)
    sign.set_defaults(act=_sign)
    for action in (*actions.choices.values(),):
        action.add_argument("--json", action="store_true", help="print one JSON object")


def _configure_create(create: argparse.ArgumentParser) -> None:
    create.add_argument("output", type=Path, metavar="OUTPUT", help="file, or folder with --split")
    create.add_argument("--package", type=Path, metavar="PATH", help="source folder or wheel")
    create.add_argument(
        "--target",
        action="append",
        default=[],
        metavar="PLATFORM:PYTHON",
        help="linux-x86_64, linux-arm64, macos-arm64 or windows-x86_64, as in linux-arm64:3.12; "
        "may be repeated (this machine)",
    )
    create.add_argument("--date", metavar="YYYY-MM-DD", help="SOURCE_DATE_EPOCH's day, or today")
    create.add_argument(
        "--model", type=Path, action="append", default=[], metavar="PATH", help="a further model"
    )
    create.add_argument("--knowledge", type=Path, metavar="DIR", help="your own knowledge base")
    create.add_argument("--store", type=Path, metavar="DIR", help="your store of records")
    create.add_argument("--docs", type=Path, metavar="DIR", help="(docs of the source folder)")
    create.add_argument("--wheels", type=Path, metavar="DIR", help="packages fetched before")
    create.add_argument("--offline", action="store_true", help="packages from --wheels alone")
    create.add_argument("--lock", type=Path, metavar="FILE", help="packages and digests (ours)")
    create.add_argument("--since", type=Path, metavar="BUNDLE", help="carry only what it lacks")
    create.add_argument("--split", metavar="SIZE", help="parts of at most 700M, 4G, ...")
    _add_signer(create, required=False)
    create.set_defaults(act=_create)


def _add_signer(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument(
        "--key",
        type=Path,
        required=required,
        metavar="FILE",
        help=f"private key that signs; its password, if any, in {_PASSWORD}",
    )
    parser.add_argument(
        "--chain",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="certificate of the key, then those that signed it",
    )


def run(arguments: argparse.Namespace) -> int:
    """Do what the action says and print what came of it."""
    facts: dict[str, Any] = arguments.act(arguments)
    if arguments.json:
        print_json(facts)
    else:
        for name, value in facts.items():
            lines = value if isinstance(value, list) else [value]
            for line in lines:
                print(printable(f"{name:<11} {line}"))
    return EXIT_DONE


def _create(arguments: argparse.Namespace) -> dict[str, Any]:
    from cybersecqwen.apps.bundle import BundleJob, make_bundle

    try:
        day = date.fromisoformat(arguments.date) if arguments.date else None
    except ValueError:
        raise InputError(f"--date {arguments.date}: is no day like 2026-11-30") from None
    job = BundleJob(
        output=arguments.output,
        package=arguments.package,
        targets=arguments.target,
        day=day,
        key=arguments.key,
        password=os.environ.get(_PASSWORD),
        chain=arguments.chain,
        models=arguments.model,
        knowledge=arguments.knowledge,
        store=arguments.store,
        docs=arguments.docs,
        wheels=arguments.wheels,
        offline=arguments.offline,
        lock=arguments.lock,
        since=arguments.since,
        part_bytes=_size(arguments.split) if arguments.split else 0,
    )
    done = make_bundle(job, say=lambda step: warn(f"{step} ..."))
    if not done.signed_by:
        warn("cybersecqwen: the bundle is NOT signed; name a key: --key FILE")
    facts = dataclasses.asdict(done)
    if not arguments.json:
        del facts["verifier_sha256"]
        facts["bytes"] = f"{done.bytes:,}"
    return facts


def _size(text: str) -> int:
    found = re.fullmatch(r"(\d+)([kmgt]?)b?", text.lower())
    size = int(found[1]) * _UNITS[found[2]] if found else 0
    if size < 1:
        raise InputError(f"--split {text}: is no size like 700M or 4G")
    return size


def _verify(arguments: argparse.Namespace) -> dict[str, Any]:
    from cybersecqwen.apps import bundle

    trust = bundle.read_trust(arguments.key, arguments.ca, arguments.at)
    if arguments.signature:
        statement = bundle.verify_signed_files(
            arguments.bundle,
            arguments.signature,
            trust,
            ignore_unsigned=arguments.ignore_unsigned,
        )
        return {"verified": statement.name, "signed_by": statement.signer}
    return bundle.verify_bundle(arguments.bundle, trust, allow_unsigned=arguments.allow_unsigned)


def _install(arguments: argparse.Namespace) -> dict[str, Any]:
    from cybersecqwen.apps.bundle import install_bundle

    return install_bundle(
        arguments.bundle,
        arguments.to,
        keys=arguments.key,
        authorities=arguments.ca,
        at=arguments.at,
        allow_unsigned=arguments.allow_unsigned,
        allow_older=arguments.allow_older,
        say=lambda step: warn(f"{step} ..."),
    )


def _unpack(arguments: argparse.Namespace) -> dict[str, Any]:
    from cybersecqwen.apps import bundle

    trust = bundle.read_trust(arguments.key, arguments.ca, arguments.at)
    count = bundle.unpack_bundle(
        arguments.bundle, arguments.to, trust, allow_unsigned=arguments.allow_unsigned
    )
    return {"unpacked": str(arguments.to), "files": count}


def _diff(arguments: argparse.Namespace) -> dict[str, Any]:
    from cybersecqwen.apps.bundle import diff_bundles

    difference = diff_bundles(arguments.before, arguments.after)
    facts = dataclasses.asdict(difference)
    if not arguments.json:
        facts["newer"] = "yes" if difference.newer else "NO: it is not newer than the first"
        facts["carried_bytes"] = f"{difference.carried_bytes:,}"
        facts["changes"] = [
            f"{change.what} {change.name}: {change.before or 'not there'} -> "
            f"{change.after or 'not there'}"
            for change in difference.changes
        ]
    return facts


def _key(arguments: argparse.Namespace) -> dict[str, Any]:
    from cybersecqwen.apps.bundle import make_key_pair

    return make_key_pair(arguments.key, arguments.curve, os.environ.get(_PASSWORD))


def _sign(arguments: argparse.Namespace) -> dict[str, Any]:
    from cybersecqwen.apps.bundle import sign_model

    fingerprint = sign_model(
        arguments.path,
        arguments.signature,
        arguments.key,
        password=os.environ.get(_PASSWORD),
        chain=arguments.chain,
    )
    return {"signature": str(arguments.signature), "signed_by": fingerprint}
