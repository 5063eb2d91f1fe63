"""An archive on loopback: catalogue service, link service, web server, bucket and name resolver, with faults.

Run as ``python server.py ROOT``; prints its port. ``ROOT/catalogue.json`` holds the rows of the master table,
``ROOT/FTP`` the tree. POST /control sets faults, GET /control tells every request so far. Written from the standards
(TAP 1.1, VOSI 1.1, DataLink 1.0, RFC 9110, Amazon S3 reference), with nothing of the package that it tests.
"""

import functools
import hashlib
import json
import math
import re
import sys
import threading
import time
from email.utils import formatdate
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

ROOT = Path(sys.argv[1])
CATALOGUE = "xrismmastr"
BUCKET = "nasa-heasarc"
TEXT = {"obsid", "name", "status", "subject_category", "xtd_datamode1", "xtd_datamode2", "xtd_dataclas1",
        "xtd_dataclas2", "__row"}  # fmt: skip
STATE = {"faults": [], "requests": [], "page": 1000, "missing": [], "server": "apache", "names": {}}
LOCK = threading.Lock()


@functools.cache
def digest(path, mtime_ns):  # the time is part of the key
    return hashlib.md5(Path(path).read_bytes()).hexdigest()


def md5_of(path):
    return digest(str(path), path.stat().st_mtime_ns)


def votable(fields, rows, status="OK", text=""):
    def cell(value):
        return "<TD/>" if value is None else f"<TD>{escape(str(value))}</TD>"

    body = "".join(f"<TR>{''.join(cell(v) for v in row)}</TR>" for row in rows)
    columns = "".join(
        f'<FIELD name="{name}" datatype="{"char" if kind == "char" else kind}"'
        + (' arraysize="*"' if kind == "char" else "")
        + "/>"
        for name, kind in fields
    )
    table = f"<TABLE>{columns}<DATA><TABLEDATA>{body}</TABLEDATA></DATA></TABLE>" if fields else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE type="results">'
        f'<INFO name="QUERY_STATUS" value="{status}">{escape(text)}</INFO>{table}</RESOURCE></VOTABLE>'
    )


def table_description(name, text, columns=()):
    listed = "".join(
        f'<column><name>{c}</name><dataType xsi:type="vs:VOTableType">{"char" if c in TEXT else "double"}</dataType>'
        "</column>"
        for c in columns
    )
    return f'<table type="table"><name>{name}</name><description>{text}</description>{listed}</table>'


def tables():
    described = [
        (CATALOGUE, "XRISM Master Catalog"),
        ("chanmaster", "Chandra Observations"),
        ("xrismpdd", "XRISM proposals (not a master table)"),
    ]
    columns = sorted(TEXT | {"ra", "dec", "time", "public_date"})
    body = "".join(table_description(*d, columns) for d in described)
    return (
        '<?xml version="1.0" encoding="UTF-8"?><vosi:tableset xmlns:vosi="http://www.ivoa.net/xml/VOSITables/v1.0" '
        'xmlns:vs="http://www.ivoa.net/xml/VODataService/v1.1" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<schema><name>public</name>{body}</schema></vosi:tableset>"
    )


def answer_query(adql, maxrec):
    match = re.match(r"\s*SELECT\s+(.+?)\s+FROM\s+(\w+)\s*(.*)$", adql, re.I | re.S)
    if not match or match[2] != CATALOGUE:
        return votable([], [], "ERROR", f"cannot parse or unknown table: {adql}")
    rows = json.loads((ROOT / "catalogue.json").read_text())
    columns = [c.strip() for c in match[1].split(",")]
    known = set(rows[0]) - set(STATE["missing"]) if rows else set(columns)
    if unknown := [c for c in columns if c not in known]:
        return votable([], [], "ERROR", f"column {unknown[0]} does not exist")
    cone = re.search(r"CIRCLE\('ICRS',([-\d.e]+),([-\d.e]+),([-\d.e]+)\)", match[3])
    if cone:
        rows = [r for r in rows if angle(r, *map(float, cone.groups()[:2])) <= float(cone[3])]
    if maxrec is not None:
        rows = rows[: int(maxrec)]
    fields = [(c, "char" if c in TEXT else "double") for c in columns]
    return votable(fields, [[r[c] for c in columns] for r in rows])


def angle(row, ra, dec):
    a, d, b, e = (math.radians(x) for x in (row["ra"], row["dec"], ra, dec))
    cosine = math.sin(d) * math.sin(e) + math.cos(d) * math.cos(e) * math.cos(a - b)
    return math.degrees(math.acos(max(-1, min(1, cosine))))


def links(ids, base):
    rows = []
    for row in json.loads((ROOT / "catalogue.json").read_text()):
        if row["__row"] in ids:
            place = f"{base}/FTP/xrism/data/obs//{row['obsid'][0]}/{row['obsid']}/"
            rows.append([f"ivo://nasa.heasarc/{CATALOGUE}?{row['__row']}", place, "", "directory", 0, "#this"])
            rows.append([f"ivo://nasa.heasarc/{CATALOGUE}?{row['__row']}", base, "", "text/html", 0, "#aux"])
    kinds = ("char", "char", "char", "char", "long", "char")
    names = ("ID", "access_url", "error_message", "content_type", "content_length", "semantics")
    return votable(list(zip(names, kinds, strict=True)), rows)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.answer(b"")

    def do_GET(self):
        self.answer(b"")

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def answer(self, body):
        self.path = re.sub(r"(?<=.)//+", "/", self.path)
        parts = urlsplit(self.path)
        path = unquote(parts.path)
        if path == "/control":
            return self.control(body)
        with LOCK:
            STATE["requests"].append([self.command, path, self.headers.get("Range", ""), 0])
            self.entry = STATE["requests"][-1]
            self.fault = self.take_fault(path)
        if self.fault and (match := re.match(r"status-(\d+)", self.fault["kind"])):
            headers = {"Retry-After": "0"} if match[1] == "503" else {}
            return self.send(int(match[1]), b"<html>an error page</html>", "text/html", headers)
        if self.fault and self.fault["kind"] == "drop-at-once":
            self.close_connection = True
            return None
        if self.fault and self.fault["kind"] == "silent":
            time.sleep(2)
        query = dict(parse_qs(parts.query or ""))
        query |= parse_qs(body.decode()) if body else {}
        return self.route(path, query)

    def route(self, path, query):
        if path == "/xamin/vo/tap/tables":
            return self.send(200, tables().encode(), "text/xml")
        if path == "/xamin/vo/tap/sync":
            text = answer_query(query["QUERY"][0], query.get("MAXREC", [None])[0])
            return self.send(200, text.encode(), "application/x-votable+xml")
        if path == f"/xamin/vo/datalink/{CATALOGUE}":
            base = f"http://127.0.0.1:{self.server.server_port}"
            return self.send(200, links(query.get("ID", []), base).encode(), "application/x-votable+xml")
        if path.startswith("/sesame/"):
            name = unquote(urlsplit(self.path).query).replace("+", " ")
            found = STATE["names"].get(name)
            line = f"%J {found[0]} {found[1]} = somewhere\n" if found else "#!SIMBAD: No known object found\n"
            return self.send(200, f"# {name}\n{line}".encode(), "text/plain")
        if path.startswith("/FTP/"):
            return self.web(path)
        if path.rstrip("/") == f"/{BUCKET}":
            return self.list_bucket(query)
        if path.startswith(f"/{BUCKET}/"):
            return self.send_file(ROOT / "FTP" / path[len(BUCKET) + 2 :], bucket=True)
        return self.send(404, b"no such place", "text/plain")

    # --- files ------------------------------------------------------------------------------------------------------

    def web(self, path):
        place = ROOT / path.lstrip("/")
        if place.is_dir():
            if "no-listing" in STATE.get("web", ""):
                return self.send(403, b"forbidden", "text/plain")
            names = sorted(p.name + ("/" if p.is_dir() else "") for p in place.iterdir())
            if STATE["server"] == "apache":
                head = '<a href="?C=N;O=D">Name</a> <a href="?C=M;O=A">Last modified</a><hr><a href="/FTP/">Parent</a>'
                rows = "".join(f'<img alt="[ ]"> <a href="{n}">{n}</a> 2024-01-01 1.2M\n' for n in names)
            else:
                head = '<a href="../">../</a>'
                rows = "".join(f'<a href="{path.rstrip("/")}/{n}">{n}</a> 01-Jan-2024 123\n' for n in names)
            elsewhere = '<a href="https://example.invalid/x">elsewhere</a><a href="..%2f..%2fetc">odd</a>'
            page = f"<html><title>Index of {path}</title><pre>{head}{rows}{elsewhere}</pre></html>"
            return self.send(200, page.encode(), "text/html")
        return self.send_file(place, bucket=False)

    def send_file(self, place, bucket):
        if not place.is_file():
            code = "<Error><Code>NoSuchKey</Code><Message>none</Message></Error>" if bucket else "not found"
            return self.send(404, code.encode(), "application/xml" if bucket else "text/plain")
        data = place.read_bytes()
        kind = self.fault["kind"] if self.fault else ""
        tag = f'"{md5_of(place)}"' if bucket else f'"{len(data):x}-{place.stat().st_mtime_ns:x}"'
        headers = {
            "ETag": tag,
            "Last-Modified": formatdate(place.stat().st_mtime, usegmt=True),
            "Accept-Ranges": "bytes",
        }
        if not bucket and place.suffix == ".gz":
            headers["Content-Encoding"] = "x-gzip"  # as Apache's AddEncoding does: the bytes are the file's own
        if kind == "garbage":
            data = bytes(255 - b for b in data)
        if kind == "wrong-size":
            data += b"surplus"
        asked = re.match(r"bytes=(\d+)-$", self.headers.get("Range", ""))
        if asked and self.headers.get("If-Range", tag) not in (tag, headers["Last-Modified"]):
            asked = None
        if asked and kind != "no-range":
            start = int(asked[1])
            if start >= len(data):
                return self.send(416, b"", "text/plain")
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            return self.send(206, data[start:], "application/octet-stream", headers)
        return self.send(200, data, "application/octet-stream", headers)

    def list_bucket(self, query):
        prefix = query.get("prefix", [""])[0]
        top = ROOT / "FTP"
        keys = sorted(
            k for p in top.rglob("*") if p.is_file() and (k := p.relative_to(top).as_posix()).startswith(prefix)
        )
        start = int(query.get("continuation-token", ["0"])[0])
        number = min(STATE["page"], int(query.get("max-keys", ["1000"])[0]))
        page = keys[start : start + number]
        more = start + number < len(keys)
        items = "".join(
            f"<Contents><Key>{escape(k)}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>&quot;{md5_of(top / k)}&quot;</ETag>"
            f"<Size>{(top / k).stat().st_size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for k in page
        )
        token = f"<NextContinuationToken>{start + number}</NextContinuationToken>" if more else ""
        text = (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{BUCKET}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(page)}</KeyCount>"
            f"<MaxKeys>{number}</MaxKeys><IsTruncated>{str(more).lower()}</IsTruncated>{token}{items}"
            "</ListBucketResult>"
        )
        return self.send(200, text.encode(), "application/xml")

    # --- sending and faults -----------------------------------------------------------------------------------------

    def take_fault(self, path):
        for fault in STATE["faults"]:
            if fault["times"] and re.search(fault["match"], path) and self.command in fault.get("methods", ["GET"]):
                fault["times"] -= 1
                return dict(fault)
        return None

    def send(self, status, data, kind, headers=None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        fault = self.fault["kind"] if self.fault else ""
        if fault == "drop":  # the connection breaks in the middle
            data = data[: self.fault.get("after", len(data) // 2)]
            self.close_connection = True
        pause = self.fault.get("pause", 0) if fault == "slow" else 0
        for start in range(0, len(data), 65536):
            block = data[start : start + 65536]
            try:
                self.wfile.write(block)
                self.wfile.flush()
            except OSError:
                self.close_connection = True
                return
            self.entry[3] += len(block)
            if pause:
                time.sleep(pause)

    def control(self, body):
        with LOCK:
            if body:
                STATE.update(json.loads(body))
            answer = json.dumps(STATE).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


if __name__ == "__main__":
    server = Server(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
