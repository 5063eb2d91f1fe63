"""Time and memory of sixteen products of one long event list: the native engine, files written.

    python benchmarks/many_events.py [--numbers 3e6 1e7 3e7] [--scratch DIRECTORY]

The set of `native_products.py`, of a plain event file of 29 bytes a row that is made first. Every number of events is
measured in a process of its own: seconds of processor time, and the most memory that it ever had (resident, pages of
the file included). Reading the products once, to see that they are whole, is part of it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent

MAKE = "import sys, native_products as n; n.event_file(sys.argv[1], int(sys.argv[2]))"
MEASURE = """
import resource, sys, time, native_products as n
before = time.process_time()
n.native_products(sys.argv[1])
print(time.process_time() - before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def run(code, *arguments):
    """Run a few lines in a process of their own, beside the other benchmarks; give what they print."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=HERE, check=True, stdout=subprocess.PIPE, text=True).stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--numbers", type=float, nargs="+", default=[3e6, 1e7, 3e7], help="events in a file")
    parser.add_argument("--scratch", help="directory for the event file, of up to 1 GB")
    options = parser.parse_args()
    print("    events   seconds   seconds a million   peak MB")
    for number in map(int, options.numbers):
        with tempfile.TemporaryDirectory(dir=options.scratch) as directory:
            path = Path(directory).resolve() / "events.evt"
            run(MAKE, path, number)
            seconds, peak = map(float, run(MEASURE, path).split())
        megabytes = peak / (1 << (20 if sys.platform == "darwin" else 10))
        print(f"{number:10d}  {seconds:8.2f}  {seconds / number * 1e6:18.2f}  {megabytes:8.0f}", flush=True)


if __name__ == "__main__":
    main()
