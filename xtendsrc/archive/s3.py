"""HEASARC's public bucket, through boto3 (the extra ``aws``)."""

from __future__ import annotations

import re
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from xtendsrc.archive.remote import (
    AGAIN,
    CHUNK,
    Interrupted,
    NotThereError,
    Policy,
    RemoteFile,
    folders_of,
    patiently,
    safe_path,
    wanted,
)
from xtendsrc.errors import ArchiveError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from xtendsrc.archive.endpoints import Endpoints

MD5 = re.compile(r"^[0-9a-f]{32}$")


class BucketHost:
    """The bucket, read without signing.

    Parameters
    ----------
    endpoints : Endpoints
        Its name, and where it is.
    policy : Policy
        How patient to be.
    jobs : int
        Requests at once.

    Raises
    ------
    ArchiveError
        If boto3 is not installed.
    """

    name = "aws"

    def __init__(self, endpoints: Endpoints, policy: Policy, jobs: int) -> None:
        try:
            import boto3
            from botocore import UNSIGNED
            from botocore.config import Config
        except ImportError as error:
            raise ArchiveError(
                'host="aws" needs boto3, which is not installed.',
                'run `pip install "xtendsrc[aws]"`, or choose host="heasarc".',
            ) from error
        options: dict[str, Any] = {
            "signature_version": UNSIGNED,
            "connect_timeout": policy.timeout,
            "read_timeout": policy.timeout,
            "max_pool_connections": max(jobs, 10),
            "retries": {"total_max_attempts": 1, "mode": "standard"},  # attempts are counted in `transfer`
            "response_checksum_validation": "when_required",
        }
        if endpoints.s3:
            options["s3"] = {"addressing_style": "path"}
        self._bucket, self._policy = endpoints.bucket, policy
        self._client = boto3.session.Session().client(
            "s3", endpoint_url=endpoints.s3 or None, region_name="us-east-1", config=Config(**options)
        )

    def files(self, obs_id: str, location: str, patterns: Sequence[str]) -> list[RemoteFile]:
        """List an observation's files that fit the patterns, however many pages that takes."""
        root = f"{location.strip('/')}/"
        found = []
        for folder in folders_of(patterns):
            prefix = f"{root}{folder}/" if folder else root
            items = patiently(lambda p=prefix: self._list(p), self._policy, f"s3://{self._bucket}/{prefix}")  # type: ignore[misc]
            found += [self._file(obs_id, root, item) for item in items if not item["Key"].endswith("/")]
        chosen = [f for f in found if wanted(f.path, patterns)]
        if not chosen and not patiently(lambda: self._list(root, 1), self._policy, root):
            raise NotThereError(
                f"s3://{self._bucket}/{root} is not there.",
                'check the ObsID; new observations reach the bucket later: try host="heasarc".',
            )
        return chosen

    def _list(self, prefix: str, most: int | None = None) -> list[dict[str, Any]]:
        with self._errors(f"s3://{self._bucket}/{prefix}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix, PaginationConfig={"MaxItems": most}
            )
            return [item for page in pages for item in page.get("Contents", [])]

    def _file(self, obs_id: str, root: str, item: dict[str, Any]) -> RemoteFile:
        etag = str(item.get("ETag", "")).strip('"')
        return RemoteFile(
            obs_id=obs_id,
            path=safe_path(item["Key"][len(root) :]),
            address=item["Key"],
            size=int(item["Size"]),
            etag=f'"{etag}"' if etag else "",
            modified=item["LastModified"].isoformat() if "LastModified" in item else "",
            # the tag of an object that was not uploaded in parts is its MD5 (Amazon S3 reference, "Object")
            md5=etag if MD5.match(etag) else "",
        )

    @contextmanager
    def open(self, file: RemoteFile, start: int) -> Iterator[tuple[int, Iterator[bytes]]]:
        """Open an object from a byte on; one that changed meanwhile is refused."""
        options = {"Range": f"bytes={start}-"} if start else {}
        if file.etag:
            options["IfMatch"] = file.etag
        where = f"s3://{self._bucket}/{file.address}"
        with self._errors(where):
            answer = self._client.get_object(Bucket=self._bucket, Key=file.address, **options)
            given = re.match(r"bytes (\d+)-", answer.get("ContentRange", ""))
            offset = int(given[1]) if given else 0
            if offset + int(answer["ContentLength"]) != file.size:
                raise Interrupted(f"S3 offers {offset + int(answer['ContentLength'])} bytes; it listed {file.size}")
            with closing(answer["Body"]) as body:
                yield offset, body.iter_chunks(CHUNK)

    @contextmanager
    def _errors(self, where: str) -> Iterator[None]:
        """Convert boto3's errors into ours."""
        from botocore.exceptions import BotoCoreError, ClientError
        from urllib3.exceptions import HTTPError

        try:
            yield
        except ClientError as error:
            _refuse(error, where)
        except (BotoCoreError, HTTPError) as error:
            raise Interrupted(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _refuse(error: Any, where: str) -> None:
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    code = error.response.get("Error", {}).get("Code", "")
    if status in AGAIN:
        raise Interrupted(f"S3 answered {status} {code}") from error
    if status == 404:
        raise NotThereError(f"{where} is not there ({code}).", "check it in the archive.") from error
    if status in (401, 403):
        raise ArchiveError(
            f"{where} may not be read ({status} {code}).", 'it may not be public yet; try host="heasarc".'
        ) from error
    if status in (412, 416):
        raise ArchiveError(f"{where} changed during the download ({status} {code}).", "download again.") from error
    raise ArchiveError(f"{where}: S3 answered {status} {code}.", 'try host="heasarc".') from error
