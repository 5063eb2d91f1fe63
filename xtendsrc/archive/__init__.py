"""The XRISM archive: where files are on disk, and how to find and download them.

`search` finds observations, `download` brings them, `discover` reads an ObsID directory. Network clients are loaded
when one of the first two is called.
"""

from xtendsrc.archive.download import download, plan_download
from xtendsrc.archive.downloadreport import DownloadPlan, DownloadReport
from xtendsrc.archive.endpoints import Endpoints
from xtendsrc.archive.layout import discover, find_observations
from xtendsrc.archive.observation_table import ObservationTable
from xtendsrc.archive.remote import Policy
from xtendsrc.archive.resolve import resolve
from xtendsrc.archive.search import search
from xtendsrc.archive.unpack import unpack

__all__ = [
    "DownloadPlan",
    "DownloadReport",
    "Endpoints",
    "ObservationTable",
    "Policy",
    "discover",
    "download",
    "find_observations",
    "plan_download",
    "resolve",
    "search",
    "unpack",
]
