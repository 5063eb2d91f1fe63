"""A kind of product that xtendsrc does not have: the hardness of an image, (hard - soft) / (hard + soft) counts."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from astropy.io import fits

from xtendsrc.engines.protocol import Job, Made, Recipe
from xtendsrc.products import ImageRequest, Product, Request
from xtendsrc.products.kinds import Kind
from xtendsrc.source.requests import Statement, image_request

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class HardnessRequest(Request):
    """The statement: everything that changes the product. Requests in its fields are made first."""

    kind: ClassVar[str] = "hardness"
    soft: ImageRequest
    hard: ImageRequest

    @property
    def label(self) -> str:
        """What stands in file names and tables."""
        return f"hardness_b{self.soft.binning}"


class Hardness(Product):
    """The product: how its file is read."""

    kind: str = "hardness"

    @property
    def data(self) -> np.ndarray:
        """Hardness of each pixel, -1 to 1; NaN where there are no counts."""
        return self.content["data"]

    def _load(self, path: Path) -> dict[str, Any]:
        with fits.open(path, memmap=False) as hdus:
            return {"data": hdus[0].data.astype(float), "header": hdus[0].header.copy()}


def make_hardness(job: Job, batch: Any) -> Made:
    """The maker: files in, one file out. ``batch`` reads each event list once for all jobs of a call."""
    soft, hard = (fits.getdata(job.needs[name]).astype(float) for name in ("soft", "hard"))
    with np.errstate(invalid="ignore"):
        ratio = (hard - soft) / (hard + soft)
    path = batch.path(job)
    fits.PrimaryHDU(ratio.astype(np.float32), fits.getheader(job.needs["soft"])).writeto(path)
    return batch.made(path, batch.events(job))


def view_hardness(product: Hardness, ax: Any = None, **options: Any) -> Any:
    """The picture; matplotlib is loaded when it is drawn."""
    from xtendsrc.view.figure import IMAGE_SIZE, new_axes

    ax = new_axes(IMAGE_SIZE) if ax is None else ax
    ax.imshow(product.data, origin="lower", vmin=-1, vmax=1, cmap="coolwarm")
    ax.set_title(product.title)
    return ax


def hardness_request(dc: Any, source: Any = None, *, soft: Any, hard: Any, binning: int = 8) -> Statement:
    """What users give, turned into the statement for one data class."""
    low, high = (image_request(dc, source, energy=band, binning=binning).request for band in (soft, hard))
    return Statement(HardnessRequest(obs_id=dc.obs_id, dataclass=str(dc.code), soft=low, hard=high))


KIND = Kind(
    name="hardness",
    title="hardness map",
    request=f"{__name__}:HardnessRequest",
    product=f"{__name__}:Hardness",
    makers=MappingProxyType({"native": Recipe(maker=f"{__name__}:make_hardness")}),
    drawer=f"{__name__}:view_hardness",
    derived=True,
)
