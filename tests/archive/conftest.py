"""The archive on loopback and what it holds."""

import gzip
import json
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from xtendsrc.archive import Endpoints, Policy

CLASSES = {"900001010": ("300000a0", ""), "900002010": ("31100010", "32000010"), "900003010": ("300000a0", "")}
SECRET = "900004010"
NOT_ARCHIVED = "900005010"
NOW = 61300.0  # MJD of 2026-09; dates far from it on both sides do not depend on the day of the test


def row(number, obs_id, ra, dec, public, classes=("300000a0", ""), **values):
    start = 60300.0 + number
    return {
        "__row": str(1000 + number),
        "obsid": obs_id,
        "name": f"TARGET {number}",
        "ra": ra,
        "dec": dec,
        "time": start,
        "end_time": start + 1.5,
        "exposure": 20000.0 + 100 * number,
        "duration": 120000.0,
        "xtd_expo": 19000.0,
        "public_date": public,
        "status": "archived",
        "subject_category": "SNR",
        "xtd_datamode1": "WINDOW1",
        "xtd_datamode2": "",
        "xtd_dataclas1": classes[0],
        "xtd_dataclas2": classes[1],
        **values,
    }


def catalogue(position):
    """500 rows: five near the target, the others over the whole sky."""
    ra, dec = position.ra.deg, position.dec.deg
    rows = [row(n, i, ra, dec + n / 60, 60700.0, classes) for n, (i, classes) in enumerate(CLASSES.items())]
    rows.append(row(3, SECRET, ra, dec + 3 / 60, 70000.5))
    rows.append(row(4, NOT_ARCHIVED, ra, dec + 4 / 60, 88068.0, status="observed", time=0.0))
    rng = np.random.default_rng(1)
    for n in range(len(rows), 500):
        away = float(np.degrees(np.arcsin(rng.uniform(-0.9, 1))))
        public = [60500.0, 0.0, None, 70000.0][n % 4]
        rows.append(row(n, f"3{n:08d}", float(rng.uniform(0, 360)), away, public))
    return rows


def small_tree(root, obs_id, seed=0, big=1_500_000, secret=False):
    """Files with the archive's names and incompressible content."""
    rng = np.random.default_rng(seed)
    end = ".gpg" if secret else ""
    sizes = {
        f"auxil/xa{obs_id}.att.gz": 4000,
        f"auxil/xa{obs_id}.ehk.gz": 9000,
        f"xtend/event_cl/xa{obs_id}xtd_p0300000a0_cl.evt.gz{end}": 200_000,
        f"xtend/event_uf/xa{obs_id}xtd_p0300000a0_uf.evt.gz{end}": big,
        f"xtend/event_uf/xa{obs_id}xtd_p0300000a0.bimg.gz{end}": 5000,
        f"xtend/hk/xa{obs_id}xtd_a0.hk.gz{end}": 3000,
        f"xtend/products/xa{obs_id}xtd_p0300000a0_cl.gif": 100,
        f"resolve/event_cl/xa{obs_id}rsl_p0px1000_cl.evt.gz{end}": 50_000,
        "log/runlog.html": 500,
    }
    for name, size in sizes.items():
        path = root / obs_id / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = rng.bytes(size)
        path.write_bytes(gzip.compress(data, 1, mtime=0) if ".gz" in name else data)


class Archive:
    """The server process, its faults and its memory."""

    def __init__(self, root, port):
        self.root, self.port = root, port
        self.url = f"http://127.0.0.1:{port}"
        self.endpoints = Endpoints(heasarc=self.url, s3=self.url, sciserver=str(root / "FTP"))

    def control(self, **state):
        request = urllib.request.Request(
            f"{self.url}/control", json.dumps(state).encode() if state else None, method="POST" if state else "GET"
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def fault(self, kind, match, times=1, **more):
        faults = self.control()["faults"]
        self.control(faults=[*faults, {"kind": kind, "match": match, "times": times, **more}])

    def forget(self):
        self.control(requests=[])

    def reset(self):
        self.control(faults=[], requests=[], page=1000, missing=[], server="apache", names={}, web="")

    def gets(self, match=""):
        """Path, range and bytes sent of the GETs of files so far."""
        import re

        places = r"^/(FTP|nasa-heasarc)/.*[^/]$"
        found = [r for r in self.control()["requests"] if r[0] == "GET" and re.search(places, r[1])]
        return [(p, ranged, sent) for _, p, ranged, sent in found if re.search(match, p) and "." in p.split("/")[-1]]

    def tree(self, obs_id, *folders):
        """Content by path below the ObsID's directory."""
        top = self.root / "FTP/xrism/data/obs/9" / obs_id
        found = {p.relative_to(top).as_posix(): p.read_bytes() for p in top.rglob("*") if p.is_file()}
        return {k: v for k, v in found.items() if not folders or k.split("/")[0] in folders}

    @staticmethod
    def arrived(local, obs_id):
        """Content by path of what was downloaded, without the package's own files."""
        own = {"manifest.json", ".download.lock"}
        top = Path(local) / obs_id
        return {
            p.relative_to(top).as_posix(): p.read_bytes() for p in top.rglob("*") if p.is_file() and p.name not in own
        }


@pytest.fixture(scope="session")
def _server(tmp_path_factory, archive, position):
    root = tmp_path_factory.mktemp("served")
    served = root / "FTP/xrism/data/obs/9"
    served.mkdir(parents=True)
    for obs_id in ("900001010", "900002010"):
        shutil.copytree(archive / obs_id, served / obs_id)
    small_tree(served, "900003010")
    small_tree(served, SECRET, seed=1, big=1000, secret=True)
    (root / "catalogue.json").write_text(json.dumps(catalogue(position)))
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("server.py")), str(root)], stdout=subprocess.PIPE, text=True
    )
    port = int(process.stdout.readline())
    yield Archive(root, port)
    process.terminate()
    process.wait(10)
    process.stdout.close()


@pytest.fixture
def remote(_server, monkeypatch):
    """The server, without faults and with an empty memory; the environment names it too."""
    _server.reset()
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XTENDSRC_HEASARC_URL", _server.url)
    monkeypatch.setenv("XTENDSRC_S3_URL", _server.url)
    monkeypatch.setenv("XTENDSRC_SCISERVER_DIR", str(_server.root / "FTP"))
    return _server


@pytest.fixture
def hasty():
    """A policy for tests: the same attempts, hardly any pause."""
    return Policy(pause=0.01, longest=0.05, timeout=5.0)


@pytest.fixture
def local(tmp_path):
    return tmp_path / "XRISM"
