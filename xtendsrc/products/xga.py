"""Products as those of XGA (the package ``xga``), for its viewers and region editors.

XGA is imported when one of these is called. It writes ``xga.cfg`` into the directory named by ``XGA_CONFIG_DIR`` (else
``~/.config/xga``) when it is imported.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xtendsrc.errors import EngineUnavailableError, MissingKeywordError, RequestError

if TYPE_CHECKING:
    import os

    from astropy.io import fits
    from astropy.units import Quantity

    from xtendsrc.products.image.product import ImageLike
    from xtendsrc.products.lightcurve.product import LightCurve

_ABOUT = {"instrument": "xtend", "stdout_str": "", "stderr_str": "", "gen_cmd": "", "telescope": "xrism"}
"""No output of tasks: XGA would parse it as that of XMM-Newton's; no command: XGA would write it into the file."""


def as_image(image: ImageLike, energy: Quantity) -> Any:
    """Return an image or exposure map as ``xga.products.Image`` or ``ExpMap``, with the same array and coordinates.

    It is handed over by its file, since XGA 1.0 makes rate maps of files alone; an image whose coordinates are rotated
    or given by a matrix, which XGA would misread from a file, or that is not on the sky, in memory.

    Parameters
    ----------
    image : Image or ExpMap
        To hand over.
    energy : Quantity, (2,)
        Band to label it with.
    """
    products = _products()
    kind = products.ExpMap if image.kind == "expmap" else products.Image
    content: Any = str(image.path)
    if not _plain_sky(image.header):
        content = {"data": image.data.astype(float), "wcs": image.wcs, "header": image.header}
    lo, hi = energy.to("keV")
    return kind(content, obs_id=_obs_id(image.header), lo_en=lo, hi_en=hi, **_ABOUT)


def _plain_sky(header: fits.Header) -> bool:
    """Whether XGA reads the coordinates of an image from its file as they are: RA and Dec along rows and columns."""
    on_sky = all(str(header.get(f"CTYPE{n}", "")).startswith(name) for n, name in ((1, "RA--"), (2, "DEC-")))
    steps = "CDELT1" in header and "CDELT2" in header
    turned = any(float(header.get(f"CROTA{n}", 0.0)) for n in (1, 2))
    matrix = any(key.startswith(("PC", "CD")) and key[2:3].isdigit() and "_" in key for key in header)
    return on_sky and steps and not turned and not matrix


def as_ratemap(image: ImageLike, expmap: ImageLike, energy: Quantity) -> Any:
    """Return an image and its exposure map as one ``xga.products.RateMap``."""
    return _products().RateMap(as_image(image, energy), as_image(expmap, energy))


def as_lightcurve(curve: LightCurve, path: str | os.PathLike[str]) -> Any:
    """Return a light curve as ``xga.products.LightCurve``, by way of a copy with absolute times.

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
    MissingKeywordError
        If the curve's header lacks what XGA asks for.
    """
    import astropy.units as u

    products = _products()
    copy = Path(path)
    if copy.exists():
        raise RequestError(f"{copy} exists already.", "give the path of a new file.")
    header = curve.header
    if missing := [key for key in ("RA_NOM", "DEC_NOM", "E_MIN", "E_MAX") if key not in header]:
        raise MissingKeywordError(
            f"{curve.path} has no {', '.join(missing)}, which a light curve of XGA needs.", "add them to its header."
        )
    bin_size = curve.bin
    _write_absolute(curve, copy)
    centre = u.Quantity([header["RA_NOM"], header["DEC_NOM"]], "deg")
    nothing = u.Quantity(0.0, "deg")
    net = bool(header.get("BACKAPP", False))
    return products.LightCurve(
        str(copy), obs_id=_obs_id(header), central_coord=centre, inn_rad=nothing, out_rad=nothing, region=True,
        lo_en=u.Quantity(header["E_MIN"], "keV"), hi_en=u.Quantity(header["E_MAX"], "keV"),
        time_bin_size=bin_size, is_back_sub=net, **_ABOUT)  # fmt: skip


def _write_absolute(curve: LightCurve, copy: Path) -> None:
    from astropy.io import fits

    start = curve.seconds - curve.widths.value / 2
    with fits.open(curve.path, memmap=False) as hdus:
        table = next(h for h in hdus if getattr(h, "columns", None) and "RATE" in (n.upper() for n in h.columns.names))
        pixel = float(table.header.get("TIMEPIXR", 0.5))
        table.data["TIME"] = start + pixel * curve.widths.value
        table.columns["TIME"].unit = "s"
        for key in ("TIMEZERI", "TIMEZERF"):
            table.header.remove(key, ignore_missing=True)
        table.header["TIMEZERO"] = 0.0
        table.name = "RATE"
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
