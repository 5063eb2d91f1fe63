"""How fast the registry is, and how it grows.

    python benchmarks/registry.py [--products 10000] [--directory DIR]

Without fsync unless said otherwise: how long a disk takes to confirm a write is the disk's affair.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from astropy.io import fits

from xtendsrc.registry import Record, Registry
from xtendsrc.registry.fitsstamp import check, stamp

BATCH = 1000


def key_of(n: int) -> str:
    return hashlib.sha256(str(n).encode()).hexdigest()


def record(n: int) -> Record:
    obs_id = f"90000{n % 100:03d}0"
    request = {
        "kind": "lightcurve",
        "bin": 200.0,
        "channels": [83, 1666],
        "n": n,
        "region": [["circle", 81.2, -69.6, n]],
    }
    return Record(
        key=key_of(n),
        state=key_of(n),
        kind=("lightcurve", "spectrum", "image")[n % 3],
        request=json.dumps(request),
        source=f"source {n % 100}",
        obs_id=obs_id,
        dataclass="300000a0",
        inputs={"file events": f"{n:064x}", "algorithm": "1"},
        engine="native",
        versions={"xtendsrc": "0.1.0", "numpy": np.__version__},
        calls=("native.lightcurve(bin=200)",),
        log="made\n" * 20,
    )


def made_file(scratch: Path) -> tuple[Path, dict[str, np.ndarray]]:
    arrays = {name: np.random.default_rng(1).random(200) for name in ("time", "rate", "error", "fracexp")}
    columns = [fits.Column(name.upper(), "1D", array=array) for name, array in arrays.items()]
    path = scratch / "made.lc"
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns, name="RATE")]).writeto(path)
    return path, arrays


def timed(name: str, task, *, repeat: int = 1, per: int = 1) -> None:
    """Print the best wall-clock time, and the best processor time, which a busy machine stretches less."""
    wall, busy = (1e3 * min(values) / per for values in zip(*(_once(task) for _ in range(repeat)), strict=True))
    print(f"{name:64s} {wall:10.2f} {busy:10.2f} ms")


def _once(task) -> tuple[float, float]:
    wall, busy = time.perf_counter(), time.process_time()
    task()
    return time.perf_counter() - wall, time.process_time() - busy


def sizes(root: Path) -> tuple[float, float]:
    index = (root / "registry.h5").stat().st_size
    details = sum(p.stat().st_size for p in (root / ".registry").rglob("*.h5"))
    return index / 1e6, details / 1e6


def growth(root: Path, total: int, path: Path, arrays: dict[str, np.ndarray]) -> None:
    registry = Registry(root, durable=False)

    def batch(first: int) -> None:
        for n in range(first, first + BATCH):
            one = record(n)
            registry.commit(one, path, f"{one.obs_id}/{one.key[-8:]}.lc", arrays)
        registry.fold()

    for first in range(0, total, BATCH):
        name = f"commit {BATCH} and fold, {first} there before, each"
        if first in (0, total // 2, total - BATCH):
            timed(name, lambda: batch(first), per=BATCH)  # noqa: B023  (called at once)
            index, details = sizes(root)
            print(f"{'':6s}index {index:.2f} MB, HDF5 files of products {details:.1f} MB")
        else:
            batch(first)


def reading(root: Path, total: int) -> None:
    keys = [key_of(n) for n in range(total)]
    timed(f"open, {total} products", lambda: Registry(root).status(keys[5], keys[5]), repeat=5)
    registry = Registry(root)
    timed("table()", registry.table, repeat=3)
    timed("table(source=...)", lambda: registry.table(source="source 7"), repeat=3)
    timed("status, each", lambda: [registry.status(k, k) for k in keys], per=total)
    timed("status of what was never made, each", lambda: [registry.status("x" * 20 + str(n), "s") for n in range(1000)],
          per=1000)  # fmt: skip
    timed("entry, each", lambda: [registry.entry(k) for k in keys[:BATCH]], per=BATCH)
    timed("load 1000 cached light curves", lambda: [registry.arrays(k) for k in keys[:BATCH]], repeat=3)
    hundred = [keys[n * 10 : n * 10 + 30] for n in range(100)]
    timed("100 sources of 30 products, opened and found ready",
          lambda: [r.status(k, k) for some in hundred for r in [registry] for k in some])  # fmt: skip


def looking_after(root: Path) -> None:
    timed("verify(), everything read through", Registry(root).verify)
    (root / "registry.h5").write_bytes(b"damaged")
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        timed("open with a damaged index (made again from the products)", lambda: Registry(root).table())
    timed("rebuild(), everything read through", Registry(root).rebuild)


def big_image(scratch: Path) -> None:
    path = scratch / "image.fits"
    fits.PrimaryHDU(np.random.default_rng(1).poisson(3, (2430, 2430)).astype(np.int32)).writeto(path)
    from xtendsrc.registry.record import Entry

    entry = Entry(**{f: getattr(record(1), f) for f in Record.__dataclass_fields__})
    out = scratch / "stamped.fits"

    def write() -> None:
        with out.open("wb") as f:
            stamp(path, f, entry)

    size = path.stat().st_size / 1e6
    timed(f"stamp and copy an image of {size:.0f} MB", write, repeat=5)
    timed("stamp it into memory", lambda: stamp(path, io.BytesIO(), entry), repeat=5)
    timed("check it", lambda: check(out), repeat=5)
    commit_image(Registry(scratch / "images", durable=False), path, "commit it")
    commit_image(Registry(scratch / "durable images"), path, "commit it, with fsync")


def commit_image(registry: Registry, path: Path, name: str) -> None:
    timed(name, lambda: registry.commit(record(1), path, "i.fits"), repeat=3)


def durable_commits(scratch: Path, path: Path, arrays: dict[str, np.ndarray]) -> None:
    registry = Registry(scratch / "durable")
    timed("commit with fsync, each", lambda: [registry.commit(record(n), path, f"{n}.lc", arrays) for n in range(100)],
          per=100)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--products", type=int, default=10_000)
    parser.add_argument("--directory", help="where to write (default: a temporary directory)")
    args = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(dir=args.directory))
    try:
        print(f"{os.cpu_count()} cores, {args.products} products; wall-clock and processor time")
        path, arrays = made_file(scratch)
        growth(scratch / "out", args.products, path, arrays)
        reading(scratch / "out", args.products)
        looking_after(scratch / "out")
        durable_commits(scratch, path, arrays)
        big_image(scratch)
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
