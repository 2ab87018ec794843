from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cybersecqwen.core.errors import InputError
from cybersecqwen.core.files import atomic_write
from cybersecqwen.core.locks import LockedError, exclusive

HOLD = """
import sys, time
from pathlib import Path
from cybersecqwen.core.locks import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path) -> subprocess.Popen[bytes]:
    """Another process that holds the lock on ``out``."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "out")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_a_second_run_is_refused_at_once_and_told_who_holds_it(
    tmp_path: Path, holder: subprocess.Popen[bytes]
) -> None:
    with holder:
        start = time.monotonic()
        with pytest.raises(LockedError, match=rf"out: process {holder.pid} \(since 20"):
            exclusive(tmp_path / "out").__enter__()
        assert time.monotonic() - start < 1
        holder.kill()


def test_a_killed_holder_holds_nothing_and_leaves_nothing(
    tmp_path: Path, holder: subprocess.Popen[bytes]
) -> None:
    with holder:
        holder.kill()
    assert [f.name for f in tmp_path.iterdir()] == [".out.lock"]
    with exclusive(tmp_path / "out"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_process_does_not_hold_a_lock_twice(tmp_path: Path) -> None:
    with exclusive(tmp_path / "out"), pytest.raises(LockedError, match=f"process {os.getpid()} "):
        exclusive(tmp_path / "out").__enter__()
    with exclusive(tmp_path / "out"), exclusive(tmp_path / "other"):
        pass


def test_one_at_a_time_however_many_come_and_go(tmp_path: Path) -> None:
    inside = 0
    seen: list[int] = []

    def work() -> None:
        nonlocal inside
        for _ in range(200):
            try:
                with exclusive(tmp_path / "out"):
                    inside += 1
                    seen.append(inside)
                    inside -= 1
            except LockedError:
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen
    assert set(seen) == {1}
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written_the_reason_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be written: "):
        exclusive(tmp_path / "file" / "out").__enter__()


def test_a_file_is_written_by_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with atomic_write(path) as stream:
        stream.write(b"one")
        with pytest.raises(LockedError, match="another process is writing it"):
            atomic_write(path).__enter__()
    assert path.read_bytes() == b"one"


def test_a_planted_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text("kept")
    (tmp_path / ".out.part").symlink_to("theirs")
    with pytest.raises(OSError, match=r"\.out\.part"):
        atomic_write(tmp_path / "out").__enter__()
    assert (tmp_path / "theirs").read_text() == "kept"
