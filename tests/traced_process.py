"""Processes run under strace: what they send, and what they leave, as the kernel sees it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

STRACE = shutil.which("strace")

_CALLS = "connect,sendto,sendmsg,sendmmsg,openat,open,creat,mkdir,mkdirat"
# A filter in the kernel lets all other calls pass at full speed.
_FAST = ("--seccomp-bpf",)
_PEER = re.compile(r"(?:connect|sendto|sendmsg|sendmmsg)\(.*?(\{sa_family=AF_INET6?, .*?\})")
_LOOPBACK = re.compile(r'inet_addr\("127\.|inet_pton\(AF_INET6, "::1"')
# A look-up that a resolver on this machine is asked for is a look-up all the same. (The socket of
# nscd is asked for user names too, and a host name that it does not know goes to port 53.)
_RESOLVER = re.compile(r'sun_path="[^"]*[Rr]esolve[^"]*"')
_CREATED = re.compile(
    r'(?:openat|open|creat)\((?:[^,"]*, )?"([^"]+)", [^)]*O_(?:CREAT|TMPFILE).*= \d'
)
_MADE_FOLDER = re.compile(r'mkdir(?:at)?\((?:[^,"]*, )?"([^"]+)".*= 0')


def sent(line: str) -> bool:
    """Whether a call of a trace reaches for anything but this machine."""
    peer = _PEER.search(line)
    return bool((peer and not _LOOPBACK.search(peer[1])) or _RESOLVER.search(line))


class Sandbox:
    """A home, a working folder and a temporary folder, and a way to run verbs in them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home, self.work, self.tmp = (folder / name for name in ("home", "work", "tmp"))
        for made in (self.home, self.work, self.tmp):
            made.mkdir(parents=True)
        self.trace = folder / "trace"

    def start(self, *words: str, **options: object) -> subprocess.Popen[bytes]:
        source = Path(__file__).parents[1] / "src"
        # None of the switches is inherited: the package itself must set them.
        kept = {k: v for k, v in os.environ.items() if "TELEMETRY" not in k and "TRACK" not in k}
        for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "CYBERSECQWEN_KB", "HF_HUB_OFFLINE"):
            kept.pop(name, None)
        environment = kept | {
            "HOME": str(self.home),
            "TMPDIR": str(self.tmp),
            "PYTHONPATH": os.pathsep.join([str(source), *sys.path]),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return subprocess.Popen(
            [
                *(
                    STRACE or "strace",
                    "-f",
                    "-qq",
                    *_FAST,
                    "-e",
                    f"trace={_CALLS}",
                    "-o",
                    str(self.trace),
                ),
                *(sys.executable, "-m", "cybersecqwen", *words),
            ],
            cwd=self.work,
            env=environment,
            stderr=subprocess.PIPE,
            **options,  # type: ignore[call-overload]
        )

    def run(self, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        child = self.start(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        out, err = child.communicate(stdin, timeout=240)
        return subprocess.CompletedProcess(words, child.returncode, out, err)

    def sent(self) -> list[str]:
        """Return the calls that reach for anything but this machine."""
        return list(filter(sent, self._lines()))

    def created(self) -> list[str]:
        """Return files and folders made elsewhere than in the work and temporary folders."""
        found = []
        for line in self._lines():
            if match := _CREATED.search(line) or _MADE_FOLDER.search(line):
                path = os.path.normpath(self.work / match[1])
                if not f"{path}/".startswith((f"{self.work}/", f"{self.tmp}/", "/dev/", "/proc/")):
                    found.append(path)
        return found + [str(path) for path in self.home.rglob("*")]

    def check(self) -> None:
        """Assert that nothing was sent and nothing was left."""
        assert self.sent() == []
        assert self.created() == []

    def interrupt(self, child: subprocess.Popen[bytes], number: int = signal.SIGINT) -> None:
        """Send a signal to the process under strace."""
        for task in Path(f"/proc/{child.pid}/task").iterdir():
            for found in (task / "children").read_text().split():
                os.kill(int(found), number)

    def _lines(self) -> list[str]:
        return self.trace.read_text("utf-8", "replace").splitlines()
