"""A real ``cybersecqwen serve`` in a process of its own, for the tests that need one."""

from __future__ import annotations

import queue
import re
import subprocess
import sys
import threading
import time

_LISTENING = re.compile(r"listening on (http://\S+)")


class RunningServer:
    """Started at once; ``base`` is where it listens.

    Args:
        arguments: Of ``serve``, the port excepted.
        port: 0 for one that is free.
    """

    def __init__(self, *arguments: str, port: int = 0) -> None:
        command = [sys.executable, "-m", "cybersecqwen", "serve", "--port", str(port), *arguments]
        self.process = subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.log: list[str] = []
        lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()
        self.base = self._wait(lines)

    @property
    def port(self) -> int:
        return int(self.base.rpartition(":")[2])

    def _read(self, lines: queue.Queue[str]) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)
            lines.put(line)
        lines.put("")

    def _wait(self, lines: queue.Queue[str]) -> str:
        end = time.monotonic() + 60
        while line := lines.get(timeout=max(end - time.monotonic(), 0.1)):
            found = _LISTENING.search(line)
            if found:
                return found[1]
        raise AssertionError(f"the server did not start: {''.join(self.log)}")

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Ask it to end, and see that it does."""
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()
