"""Products as those of XGA (the package ``xga``), for its viewers and region editors.

XGA is imported when one of these is called. It writes ``xga.cfg`` into the directory named by ``XGA_CONFIG_DIR`` (else
``~/.config/xga``) when it is imported.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xtendsrc.errors import EngineUnavailableError, RequestError

if TYPE_CHECKING:
    import os

    from astropy.io import fits
    from astropy.units import Quantity

    from xtendsrc.products.image.product import ImageLike
    from xtendsrc.products.lightcurve.product import LightCurve

_ABOUT = {"instrument": "xtend", "stdout_str": "", "stderr_str": "", "gen_cmd": "", "telescope": "xrism"}
"""No output of tasks: XGA would parse it as that of XMM-Newton's; no command: XGA would write it into the file."""


def as_image(image: ImageLike, energy: Quantity) -> Any:
    """Give an image or exposure map as ``xga.products.Image`` or ``ExpMap``, with the same array and coordinates.

    It is handed over in memory: from a file XGA 1.0 would read neither rotated nor PC and CD matrices.

    Parameters
    ----------
    image : Image or ExpMap
        To hand over.
    energy : Quantity, (2,)
        Band to label it with.
    """
    products = _products()
    kind = products.ExpMap if image.kind == "expmap" else products.Image
    content = {"data": image.data.astype(float), "wcs": image.wcs, "header": image.header}
    lo, hi = energy.to("keV")
    return kind(content, obs_id=_obs_id(image.header), lo_en=lo, hi_en=hi, **_ABOUT)


def as_lightcurve(curve: LightCurve, path: str | os.PathLike[str]) -> Any:
    """Give a light curve as ``xga.products.LightCurve``, by way of a copy with absolute times.

    XGA 1.0 reads light curves from files, and takes no notice of TIMEZERO and of GTI extensions that are not named
    STDGTI.

    Parameters
    ----------
    curve : LightCurve
        To hand over.
    path : path
        Where to write the copy, which XGA reads when it needs it; must not exist.

    Raises
    ------
    RequestError
        If the file exists.
    """
    import astropy.units as u

    products = _products()
    copy = Path(path)
    if copy.exists():
        raise RequestError(f"{copy} exists already.", "give the path of a new file.")
    _write_absolute(curve, copy)
    header = curve.header
    centre = u.Quantity([header["RA_NOM"], header["DEC_NOM"]], "deg")
    nothing = u.Quantity(0.0, "deg")
    net = bool(header.get("BACKAPP", False))
    return products.LightCurve(
        str(copy), obs_id=_obs_id(header), central_coord=centre, inn_rad=nothing, out_rad=nothing, region=True,
        lo_en=u.Quantity(header["E_MIN"], "keV"), hi_en=u.Quantity(header["E_MAX"], "keV"),
        time_bin_size=u.Quantity(header["TIMEDEL"], "s"), is_back_sub=net, **_ABOUT)  # fmt: skip


def _write_absolute(curve: LightCurve, copy: Path) -> None:
    from astropy.io import fits

    with fits.open(curve.path, memmap=False) as hdus:
        rate = hdus["RATE"]
        rate.data["TIME"] += float(rate.header.get("TIMEZERO", 0.0))
        rate.header["TIMEZERO"] = 0.0
        if "GTI" in hdus:
            hdus["GTI"].name = "STDGTI"
        hdus.writeto(copy, checksum=True)


def _obs_id(header: fits.Header) -> str:
    return str(header.get("OBS_ID", ""))


def _products() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import xga.products
    except ImportError as err:
        raise EngineUnavailableError(
            "The package xga is not installed here, or cannot be imported.", "install it: pip install 'xtendsrc[xga]'."
        ) from err
    return xga.products
