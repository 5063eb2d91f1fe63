"""Where a server may send a download on to: nowhere but its own host."""

from __future__ import annotations

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

import xtendsrc as xs
from xtendsrc.archive import hosts
from xtendsrc.errors import DownloadError

NAME = "xa900001010xtd_p031100010_cl.evt.gz"
CONTENT = gzip.compress(b"events" * 100)


class Archive(BaseHTTPRequestHandler):
    """An index page for each folder, and one file that is where ``server.location`` says."""

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self._answer(False)

    def do_GET(self):
        self._answer(True)

    def _answer(self, with_body):
        self.server.hits.append(self.path)
        location = self.server.location and self.server.location.format(number=len(self.server.hits))
        if self.path.endswith(".gz") and location and self.path != location:
            self.send_response(302)
            self.send_header("Location", location)
            self.end_headers()
            return
        below = {"900001010/": "xtend/", "xtend/": "event_cl/", "event_cl/": NAME}
        names = [name for end, name in below.items() if self.path.endswith(f"/{end}")]
        body = CONTENT if self.path.endswith(".gz") else "".join(f'<a href="{n}">{n}</a>' for n in names).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)


@pytest.fixture
def server(monkeypatch, tmp_path):
    running = {}
    for name, address in (("own", "127.0.0.1"), ("other", "127.0.0.2")):
        found = ThreadingHTTPServer((address, 0), Archive)
        found.hits, found.location = [], None
        threading.Thread(target=found.serve_forever, daemon=True).start()
        running[name] = found
    monkeypatch.setenv("XTENDSRC_HEASARC_URL", f"http://127.0.0.1:{running['own'].server_port}")
    monkeypatch.setenv("XTENDSRC_CACHE", str(tmp_path / "cache"))
    yield running
    for found in running.values():
        found.shutdown()
        found.server_close()


def fetch(tmp_path):
    return xs.archive.download(["900001010"], into=tmp_path / "XRISM", host="heasarc", what="events")


def test_a_redirect_on_the_host_is_followed_and_its_address_noted(server, tmp_path):
    server["own"].location = "/elsewhere/moved.evt.gz"
    fetch(tmp_path)
    found = tmp_path / "XRISM/900001010/xtend/event_cl" / NAME
    assert found.read_bytes() == CONTENT
    assert "/elsewhere/moved.evt.gz" in json.dumps(json.loads((tmp_path / "XRISM/900001010/manifest.json").read_text()))


@pytest.mark.parametrize(
    "location",
    ["http://127.0.0.2:{other}/stolen.gz", "file:///etc/passwd", "ftp://127.0.0.1/x.gz", "http://127.0.0.1:1/x.gz"],
)
def test_a_redirect_elsewhere_is_refused_before_anything_is_asked_there(server, tmp_path, location):
    server["own"].location = location.replace("{other}", str(server["other"].server_port))
    with pytest.raises(DownloadError, match="not on the same host"):
        fetch(tmp_path)
    assert server["other"].hits == []
    assert not list((tmp_path / "XRISM").rglob("*.gz"))


def test_a_redirect_without_end_is_refused(server, tmp_path):
    server["own"].location = "/turn/{number}.gz"
    with pytest.raises(DownloadError, match="more than 5 times"):
        fetch(tmp_path)
    assert len(server["own"].hits) < 20


def test_a_list_of_files_without_end_is_refused(server, tmp_path, monkeypatch):
    monkeypatch.setattr(hosts, "LONGEST_PAGE", 10)
    with pytest.raises(DownloadError, match="has no end"):
        fetch(tmp_path)
