"""What a task call costs beside the task's own time, and whether two cores stay busy.

    python benchmarks/task_overhead.py [requests] [jobs]

Each request runs a stand-in for extractor that only burns a known processor time and copies a prepared file, so that
whatever else passes is the runner's: reading the parameter file, the private directory, links, the start of the child,
the log, the move of the output. Printed: milliseconds a task with the direct runner, and the share of the cores used.
"""

import os
import resource
import shutil
import stat
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from xtendsrc.engines import heasoft
from xtendsrc.engines.heasoft.runners import DirectRunner

PARAMETERS = 49
SCRIPT = "#!/bin/sh\ni=0\nwhile [ $i -lt {loops} ]; do i=$((i+1)); done\ncp events.fits out.fits\n"


def make_headas(root: Path, loops: int) -> Path:
    (root / "bin").mkdir(parents=True)
    (root / "syspfiles").mkdir()
    names = ["filename", "imgfile", *(f"p{n}" for n in range(PARAMETERS - 2))]
    (root / "syspfiles/extractor.par").write_text("".join(f'{n},s,h,"NONE",,,"A parameter"\n' for n in names))
    program = root / "bin/extractor"
    program.write_text(SCRIPT.format(loops=loops))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return root


def one(number: int, place: Path, events: Path, installed: heasoft.Installation) -> float:
    target = place / str(number)
    target.mkdir()
    call = heasoft.Call(
        task="extractor",
        parameters={"filename": "events.fits", "imgfile": "out.fits"},
        links={"events.fits": events},
        outputs=("out.fits",),
    )
    return heasoft.run(call, target, installed, DirectRunner(installed)).seconds


def bare(number: int, place: Path, events: Path, installed: heasoft.Installation) -> float:
    """The same program started by the simplest means there are, for comparison."""
    target = place / f"bare{number}"
    target.mkdir()
    (target / "events.fits").symlink_to(events)
    start = time.perf_counter()
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", f"cd {target} && {installed.executable('extractor')}"], os.environ)
    os.waitpid(pid, 0)
    return time.perf_counter() - start


def measure(work, requests: int, jobs: int, *args) -> tuple[float, float]:
    """Wall seconds and the share of the cores that was busy."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN), resource.getrusage(resource.RUSAGE_SELF)
    start = time.perf_counter()
    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(lambda n: work(n, *args), range(requests)))
    wall = time.perf_counter() - start
    now = resource.getrusage(resource.RUSAGE_CHILDREN), resource.getrusage(resource.RUSAGE_SELF)
    busy = sum(b.ru_utime + b.ru_stime - a.ru_utime - a.ru_stime for a, b in zip(used, now, strict=True))
    return wall, busy / wall / jobs


def main(requests: int = 200, jobs: int = 2) -> None:
    base = Path(tempfile.mkdtemp(prefix="overhead"))
    try:
        events = base / "events.fits"
        events.write_bytes(os.urandom(500_000))
        installed = heasoft.installation(make_headas(base / "headas", loops=40_000))
        for name, work in (("bare start", bare), ("direct runner", one)):
            wall, share = measure(work, requests, jobs, base, events, installed)
            print(f"{name:14s} {requests} calls on {jobs} cores: {wall:6.2f} s, {1e3 * wall * jobs / requests:6.1f} ms")
            print(f"{'':14s} cores busy: {100 * share:.0f} %")
    finally:
        shutil.rmtree(base)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
