"""Logs of tasks that print too much: read in bounded memory, searched whole, and stopped when they have no end."""

import subprocess
import sys
import time
import tracemalloc

import pytest

from xtendsrc.engines.heasoft import messages, tasklog
from xtendsrc.engines.heasoft.processes import child, deadline
from xtendsrc.engines.heasoft.tasklog import bounded, read_log, shortened

LINE = b"Ignoring nothing at all, warning %07d\n"
FATAL = b"ERROR: could not open events.fits\n"


def write(path, megabytes, fatal_at=()):
    lines = [LINE % n for n in range(megabytes * 2**20 // len(LINE % 0))]
    for share in fatal_at:
        lines[int(share * (len(lines) - 1))] = FATAL
    path.write_bytes(b"".join(lines))
    return path


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.9, 1.0])
def test_a_fatal_line_is_found_wherever_it_stands(tmp_path, share):
    text = read_log(write(tmp_path / "log", 8, [share]))
    assert messages.errors(text) == (FATAL.decode().strip(),)
    assert len(text) < 2 * tasklog.KEPT + 1000


def test_a_short_log_is_read_as_it_is(tmp_path):
    path = write(tmp_path / "log", 1, [0.5])
    assert read_log(path).encode() == path.read_bytes()
    assert read_log(tmp_path / "none") == ""
    assert shortened("short") == "short"


def test_memory_and_time_do_not_grow_with_the_log(tmp_path):
    path = write(tmp_path / "log", 40)
    tracemalloc.start()
    start = time.process_time()
    text = read_log(path)
    assert messages.errors(text) == ()
    assert messages.remarks(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 * 2**20
    assert time.process_time() - start < 30  # two; a search line by line took two seconds a megabyte


def test_a_text_in_memory_is_shortened_alike():
    text = "x\n" * tasklog.KEPT + FATAL.decode() + "y\n" * tasklog.KEPT
    assert messages.errors(shortened(text)) == (FATAL.decode().strip(),)
    assert len(shortened(text)) < 2 * tasklog.KEPT + 1000


def test_a_task_that_prints_without_end_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(tasklog, "LARGEST", 1 << 20)
    monkeypatch.setattr(tasklog, "PERIOD", 0.05)
    log = tmp_path / "log"
    code = "while True: print('x' * 1000)"
    with log.open("wb") as stream:
        options = {"stdin": subprocess.DEVNULL, "stdout": stream, "stderr": stream}
        with (
            child([sys.executable, "-c", code], cwd=tmp_path, env={}, **options) as running,
            deadline(running, 20),
            bounded(running, log),
        ):
            running.wait()
    assert running.flooded
    assert not running.timed_out
