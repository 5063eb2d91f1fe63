"""HEASARC's web server and the copy that SciServer mounts; `s3` has the bucket."""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urljoin, urlsplit

from xtendsrc.archive.remote import (
    AGAIN,
    CHUNK,
    NAME,
    Host,
    Interrupted,
    NotThereError,
    Policy,
    RemoteFile,
    folders_of,
    patiently,
    safe_path,
    wanted,
)
from xtendsrc.errors import ArchiveError, RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import httpx

    from xtendsrc.archive.endpoints import Endpoints

MOST_REDIRECTS = 5
LONGEST_PAGE = 1 << 25
HOSTS = ("aws", "heasarc", "sciserver")


def host_for(name: str, endpoints: Endpoints, policy: Policy, jobs: int) -> Host:
    """Return the host of a name; ``auto`` is the bucket where boto3 is installed, else HEASARC's web server.

    Raises
    ------
    RequestError
        If there is no such host.
    ArchiveError
        If it cannot be used here.
    """
    if name == "auto":
        from importlib.util import find_spec

        name = "aws" if find_spec("boto3") else "heasarc"
    if name == "aws":
        from xtendsrc.archive.s3 import BucketHost

        return BucketHost(endpoints, policy, jobs)
    if name == "heasarc":
        return WebHost(endpoints, policy, jobs)
    if name == "sciserver":
        return MountedHost(endpoints)
    raise RequestError(f"There is no host {name!r}.", f"choose one of {', '.join(HOSTS)}.")


class WebHost:
    """HEASARC's directory tree over HTTPS: lists are the server's index pages, sizes come from the files' headers.

    Parameters
    ----------
    endpoints : Endpoints
        Where it is.
    policy : Policy
        How patient to be.
    jobs : int
        Requests at once.
    """

    name = "heasarc"

    def __init__(self, endpoints: Endpoints, policy: Policy, jobs: int) -> None:
        import httpx

        from xtendsrc import __version__

        self._base, self._policy, self._jobs = endpoints.files, policy, jobs
        # identity: a server that knows .gz as an encoding must not make the client unpack it
        headers = {"User-Agent": f"xtendsrc/{__version__}", "Accept-Encoding": "identity"}
        limits = httpx.Limits(max_connections=jobs, max_keepalive_connections=jobs)
        self._client = httpx.Client(headers=headers, timeout=policy.timeout, follow_redirects=False, limits=limits)

    def files(self, obs_id: str, location: str, patterns: Sequence[str]) -> list[RemoteFile]:
        """List an observation's files that fit the patterns."""
        root = f"{self._base}/{location.strip('/')}/"
        paths: list[str] = []
        for folder in folders_of(patterns):
            paths += self._walk(root, f"{folder}/" if folder else "", patterns)
        if not paths and not self._exists(root):
            raise NotThereError(f"{root} is not there.", "check the ObsID; it may not be archived yet.")
        with ThreadPoolExecutor(self._jobs) as pool:
            return list(pool.map(lambda path: self.head(obs_id, root, path), paths))

    def _exists(self, url: str) -> bool:
        try:
            self._page(url)
        except NotThereError:
            return False
        return True

    def _walk(self, root: str, folder: str, patterns: Sequence[str]) -> list[str]:
        try:
            page = self._page(root + folder)
        except NotThereError:
            return []
        paths = []
        for name in children(page, root + folder):
            path = folder + name
            if not name.endswith("/"):
                paths += [safe_path(path)] if wanted(path, patterns) else []
            elif safe_path(path.rstrip("/")):
                paths += self._walk(root, path, patterns)
        return paths

    def _page(self, url: str) -> str:
        def read() -> str:
            with self._answer("GET", url) as answer:
                page = bytearray()
                for piece in self._bytes(answer):
                    page += piece
                    if len(page) > LONGEST_PAGE:
                        raise ArchiveError(f"{url}: the list of files has no end.", "try another host.")
                return page.decode("utf-8", "replace")

        return patiently(read, self._policy, url)

    def head(self, obs_id: str, root: str, path: str) -> RemoteFile:
        """Ask for size and version of one file.

        Raises
        ------
        NotThereError
            If the server has no such file.
        ArchiveError
            If it does not tell the size, or is not reached.
        """
        url = root + path

        def ask() -> RemoteFile:
            with self._answer("HEAD", url) as answer:
                length = answer.headers.get("Content-Length", "")
                if not length.isdigit():
                    raise ArchiveError(f"{url}: the server does not tell its size.", "try another host.")
                return RemoteFile(
                    obs_id=obs_id,
                    path=path,
                    address=str(answer.url),
                    size=int(length),
                    etag=answer.headers.get("ETag", ""),
                    modified=answer.headers.get("Last-Modified", ""),
                    md5=_md5(answer.headers.get("Content-MD5", "")),
                )

        return patiently(ask, self._policy, url)

    @contextmanager
    def open(self, file: RemoteFile, start: int) -> Iterator[tuple[int, Iterator[bytes]]]:
        """Open a file from a byte on."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        validator = file.etag if file.etag and not file.etag.startswith("W/") else file.modified
        if start and validator:
            headers["If-Range"] = validator  # a file that changed meanwhile comes whole
        with self._answer("GET", file.address, headers) as answer:
            offset = self._offset(answer, file, start)
            _check_version(answer, file, offset)
            yield offset, self._bytes(answer)

    def _offset(self, answer: httpx.Response, file: RemoteFile, start: int) -> int:
        if answer.status_code != 206:
            return 0
        match = re.match(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
        if match is None or int(match[1]) != start or match[2] not in ("*", str(file.size)):
            found = answer.headers.get("Content-Range", "nothing")
            raise Interrupted(f"asked for bytes from {start} of {file.size}, the server gave {found}")
        return start

    def _bytes(self, answer: httpx.Response) -> Iterator[bytes]:
        try:
            yield from answer.iter_raw()  # chunks of a given size would lose what came before a break
        except self._broken as error:
            raise Interrupted(_said(error)) from error

    @property
    def _broken(self) -> Any:
        import httpx

        return httpx.TransportError

    @contextmanager
    def _answer(self, method: str, url: str, headers: dict[str, str] | None = None) -> Iterator[httpx.Response]:
        """Ask, and turn bad answers into errors that say whether to try again."""
        import httpx

        try:
            answer = self._send(method, url, headers)
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise ArchiveError(f"{url}: {_said(error)}", "check the address of the archive.") from error
        except httpx.TransportError as error:
            raise Interrupted(_said(error)) from error
        try:
            _check_status(answer.status_code, url, answer.headers.get("Retry-After", ""))
            yield answer
        finally:
            answer.close()

    def _send(self, method: str, url: str, headers: dict[str, str] | None) -> httpx.Response:
        """Ask, following redirects on the same host only.

        Raises
        ------
        ArchiveError
            If one leads to another host, to another scheme, or round in circles.
        """
        for _ in range(MOST_REDIRECTS):
            answer = self._client.send(self._client.build_request(method, url, headers=headers), stream=True)
            if not answer.has_redirect_location:
                return answer
            target = urljoin(url, answer.headers["Location"])
            answer.close()
            if not _is_same_host(url, target):
                raise ArchiveError(
                    f"{url}: the server sends us on to {target}, which is not on the same host.",
                    "check the address of the archive, or try another host.",
                )
            url = target
        raise ArchiveError(f"{url}: the server redirects more than {MOST_REDIRECTS} times.", "try another host.")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _is_same_host(url: str, target: str) -> bool:
    """Whether a redirect stays on its host and port, by the same scheme or by https instead of http."""
    old, new = urlsplit(url), urlsplit(target)
    if old.hostname != new.hostname:
        return False
    return (old.scheme, old.port) == (new.scheme, new.port) or (old.scheme, new.scheme) == ("http", "https")


def _check_status(status: int, url: str, retry_after: str) -> None:
    if status in (200, 206):
        return
    if status in AGAIN:
        raise Interrupted(f"the server answered {status}", float(retry_after) if retry_after.isdigit() else 0.0)
    if status in (404, 410):
        raise NotThereError(f"{url} is not there (the server answered {status}).", "check it in the archive.")
    if status in (401, 403):
        raise ArchiveError(
            f"{url} may not be read (the server answered {status}).", "it may not be public yet; try another host."
        )
    if status == 416:
        raise Interrupted("the server has fewer bytes than it listed")
    raise ArchiveError(f"{url}: the server answered {status}.", "try another host.")


def _check_version(answer: httpx.Response, file: RemoteFile, offset: int) -> None:
    """Refuse an answer that is not the file listed, an error page sent as a success for one."""
    length, etag = answer.headers.get("Content-Length", ""), answer.headers.get("ETag", "")
    if length.isdigit() and offset + int(length) != file.size:
        raise Interrupted(f"the server offers {offset + int(length)} bytes; it listed {file.size}")
    if etag and file.etag and etag != file.etag:
        raise Interrupted("the file changed at the host after it was listed")


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _md5(header: str) -> str:
    import base64
    import binascii

    try:
        return base64.b64decode(header, validate=True).hex() if header else ""
    except binascii.Error:
        return ""


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [value for key, value in attrs if key == "href" and value]


def children(page: str, url: str) -> list[str]:
    """Return the names that an index page (Apache's or nginx's) lists directly below its address; ``/`` ends folders.

    Links to parents, to other hosts, and those that sort the page are left out.
    """
    parser = _Links()
    parser.feed(page)
    here = urlsplit(url)
    names = []
    for link in parser.found:
        parts = urlsplit(urljoin(url, link))
        if parts.query or parts.netloc != here.netloc or not parts.path.startswith(here.path):
            continue
        name = unquote(parts.path[len(here.path) :])
        if NAME.match(name.rstrip("/")) and name.count("/") <= 1:
            names.append(name)
    return list(dict.fromkeys(names))


class MountedHost:
    """The copy of HEASARC's files mounted on SciServer; any mounted copy of the tree will do.

    Parameters
    ----------
    endpoints : Endpoints
        Where it is mounted.

    Raises
    ------
    ArchiveError
        If it is not.
    """

    name = "sciserver"

    def __init__(self, endpoints: Endpoints) -> None:
        self._root = Path(endpoints.sciserver)
        if not self._root.is_dir():
            raise ArchiveError(
                f"{self._root} is not mounted: this is not SciServer, or its HEASARC volume is not chosen.",
                'choose host="aws" or host="heasarc".',
            )

    def files(self, obs_id: str, location: str, patterns: Sequence[str]) -> list[RemoteFile]:
        """List an observation's files that fit the patterns; links are not followed."""
        root = self._root / location.strip("/")
        if not root.is_dir():
            raise NotThereError(f"{root} is not there.", "check the ObsID; it may not be archived yet.")
        found = []
        for folder, folders, names in os.walk(root):
            folders.sort()
            for path in (Path(folder) / name for name in sorted(names)):
                below = path.relative_to(root).as_posix()
                if wanted(below, patterns) and path.is_file() and not path.is_symlink():
                    status = path.stat()
                    found.append(
                        RemoteFile(
                            obs_id=obs_id,
                            path=safe_path(below),
                            address=str(path),
                            size=status.st_size,
                            modified=str(status.st_mtime_ns),
                        )
                    )
        return found

    @contextmanager
    def open(self, file: RemoteFile, start: int) -> Iterator[tuple[int, Iterator[bytes]]]:
        """Open a file from a byte on."""
        try:
            stream = Path(file.address).open("rb")  # noqa: SIM115  - closed below; errors of the reader are its own
        except OSError as error:
            raise ArchiveError(f"{file.address} cannot be read: {error}", "try another host.") from error
        with stream:
            stream.seek(start)
            yield start, iter(lambda: stream.read(CHUNK), b"")

    def close(self) -> None:
        """Nothing to close."""
