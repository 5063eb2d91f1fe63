"""Where the archive is: HEASARC's web server, its public bucket, and the copy mounted on SciServer."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Endpoints:
    """Addresses of the archive; those of HEASARC unless mirrors are given.

    Attributes
    ----------
    heasarc : str
        Web server with the catalogue service (``/xamin/vo``), the tar service and the files (``/FTP``).
    s3 : str
        Address of the S3 service; empty for Amazon's own.
    bucket : str
        Name of the bucket (HEASARC's on the AWS Open Data programme).
    sciserver : str
        Directory where HEASARC's files are mounted on SciServer.
    """

    heasarc: str = "https://heasarc.gsfc.nasa.gov"
    s3: str = ""
    bucket: str = "nasa-heasarc"
    sciserver: str = "/FTP"

    @classmethod
    def default(cls) -> Endpoints:
        """Return the endpoints that ``XTENDSRC_HEASARC_URL``, ``XTENDSRC_S3_URL``, ... name, else HEASARC's own."""
        names = {"heasarc": "HEASARC_URL", "s3": "S3_URL", "bucket": "S3_BUCKET", "sciserver": "SCISERVER_DIR"}
        given: dict[str, Any] = {
            f.name: value for f in fields(cls) if (value := os.environ.get(f"XTENDSRC_{names[f.name]}"))
        }
        return cls(**given)

    @property
    def catalogues(self) -> str:
        """Address of the Virtual Observatory services."""
        return f"{self.heasarc.rstrip('/')}/xamin/vo"

    @property
    def tar(self) -> str:
        """Address of the service that packs directories."""
        return f"{self.heasarc.rstrip('/')}/xamin/TarServlet"

    @property
    def files(self) -> str:
        """Address of the directory tree."""
        return f"{self.heasarc.rstrip('/')}/FTP"
