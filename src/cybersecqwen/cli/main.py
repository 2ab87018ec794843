"""Entry point: find the verb, parse its arguments, call it, turn errors into exit codes."""

from __future__ import annotations

import argparse
import importlib
import os
import select
import signal
import sys
import textwrap
from collections.abc import Sequence
from contextlib import suppress
from pathlib import PurePath
from types import ModuleType
from typing import NoReturn

from cybersecqwen import __version__
from cybersecqwen.cli.common import EXIT_DONE, EXIT_UNUSABLE, one_line, warn
from cybersecqwen.cli.interrupt import EXIT_INTERRUPTED
from cybersecqwen.core.errors import CyberSecQwenError

PURPOSE = "Defensive-cybersecurity models that run on your own machine, with no network."

_TRACEBACK = "CYBERSECQWEN_TRACEBACK"

# Each is a module beside this one with HELP, EXAMPLES, configure(parser) and run(arguments) -> exit
# code.
# None of them imports anything heavy at its top, so that --help stays instant.
VERBS = (
    *(
        "map",
        "assess",
        "audit",
        "techniques",
        "ask",
        "data",
        "corpus",
        "train",
        "export",
        "eval",
        "kb",
    ),
    *("reproduce", "bundle", "monitor", "serve", "mcp", "info", "doctor", "demo"),
)


def build_parser(verb: str | None = None, *, overview: bool = False) -> argparse.ArgumentParser:
    """Return the whole command line's parser, or as much of it as one verb needs.

    Args:
        verb: The verb; None, or what is none, for all of them.
        overview: Leave out the verbs' arguments: enough to list what there is.
    """
    parser = argparse.ArgumentParser(prog="cybersecqwen", description=PURPOSE)
    parser.add_argument("--version", action="version", version=f"cybersecqwen {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name in (verb,) if verb in VERBS else VERBS:
        module = importlib.import_module(f"cybersecqwen.cli.{name}")
        subparser = verbs.add_parser(
            name,
            help=module.HELP,
            description=textwrap.fill(module.HELP, 78),
            epilog=_examples(module),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if not overview:
            module.configure(subparser)
        subparser.set_defaults(run=module.run, parser=subparser)
    return parser


def _examples(module: ModuleType) -> str:
    """Return a verb's calls to begin with, as its help ends."""
    lines = [f"  cybersecqwen {example}" for example in module.EXAMPLES]
    return "\n".join(["examples:", *lines])


def console() -> NoReturn:
    """Run the command line as a program of its own.

    After Ctrl-C it ends here and now: Python's own way out would wait for the threads of every
    pool, and a second Ctrl-C in that time would end in a traceback.
    """
    code = main()
    if code == EXIT_INTERRUPTED:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


def _fault(error: Exception) -> str:
    """Say in one line what went wrong where nothing should have."""
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    place = f"{PurePath(frames[-1].filename).name}:{frames[-1].lineno}"
    return (
        f"a fault of this program, please report it: {type(error).__name__} at {place}: {error} "
        f"({_TRACEBACK}=1 shows more)"
    )


def _reader_left() -> bool:
    """Whether whoever read standard output has had enough of it, as ``| head`` does."""
    if not hasattr(select, "poll"):  # on Windows
        return True
    output = select.poll()
    output.register(sys.stdout, 0)
    return any(event & select.POLLERR for _, event in output.poll(0))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 some records failed, 2 unusable."""
    words = sys.argv[1:] if argv is None else list(argv)
    # Only the verb that is called is imported: an answer should not wait for the others.
    if words[:1] in ([], ["help"]):
        words = [*words[1:2], "--help"]
    parser = build_parser(words[0], overview=not any(word in VERBS for word in words))
    arguments, unknown = parser.parse_known_args(words)
    if unknown:
        arguments.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except CyberSecQwenError as error:
        warn(one_line(f"cybersecqwen: {error}"))
        return EXIT_UNUSABLE
    except OSError as error:
        left = isinstance(error, BrokenPipeError) and _reader_left()
        # Point standard output elsewhere, or Python's own flush at exit would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not left:
            warn(one_line(f"cybersecqwen: {error}"))
        return EXIT_DONE if left else EXIT_UNUSABLE
    except RecursionError:
        warn("cybersecqwen: an input is nested too deeply to be read")
        return EXIT_UNUSABLE
    except Exception as error:
        if os.environ.get(_TRACEBACK):
            raise
        warn(one_line(f"cybersecqwen: {_fault(error)}"))
        return EXIT_UNUSABLE
    except KeyboardInterrupt:
        # A second one, while this process clears away, would end in a traceback.
        with suppress(ValueError):  # not on the main thread
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        warn("cybersecqwen: interrupted")
        return EXIT_INTERRUPTED
