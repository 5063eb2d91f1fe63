"""The FITS region table (REG00101) that extractor appends to its products.

Layout: "FITS REGION Binary Table Design" (McDowell and Rots, ASC-FITS-REGION-1.0) as HEASoft's extractor writes it: one
row a shape; shapes are ANDed within a component and components ORed, so every excluded shape is repeated in the
component of each included one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

from xtendsrc.errors import RegionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xtendsrc.regions.regionset import RegionSet
    from xtendsrc.regions.shapes import Shape

#: Keywords of the event list that extractor copies to the table.
_COPIED = (
    *("TELESCOP", "DATAMODE", "DETNAM", "INSTRUME", "OBS_ID", "DATACLAS", "OBJECT", "ONTIME", "EXPOSURE", "LIVETIME"),
    *("DATE-OBS", "DATE-END", "TSTART", "TSTOP", "TELAPSE", "MJD-OBS", "MJDREFI", "MJDREFF", "TIMEREF", "TIMESYS"),
    *("TIMEUNIT", "EQUINOX", "RADECSYS"),
)

_COLUMNS = {"SKY": ("X", "Y"), "DET": ("DETX", "DETY")}


def region_hdu(region: RegionSet, header: fits.Header | None, name: str = "REG00101") -> fits.BinTableHDU:
    """Make the region table of a product.

    Parameters
    ----------
    region : RegionSet
        In pixels.
    header : fits.Header
        Of the EVENTS extension: its observation keywords and the WCS of its X, Y (or DETX, DETY) columns are repeated.
        Without them extractor cannot place the shapes, ignores the region and takes the whole field.
    name : str
        EXTNAME.

    Returns
    -------
    fits.BinTableHDU
        Columns X, Y or DETX, DETY (pixel, vectors where there is a polygon), SHAPE (``!`` marks an excluded one), R
        (pixel, vector where a shape has several sizes), ROTANG (degree) and COMPONENT. Unused elements are zero.
    """
    if region.frame not in _COLUMNS:
        raise RegionError(
            "A FITS region table is written in pixels, not on the sky.", "Convert it with to_pixels(wcs)."
        )
    _check_header(header, region.frame)
    rows = _rows(region)
    shapes = [shape for shape, _ in rows]
    names = _COLUMNS[region.frame]
    x_y = [shape.vertices if shape.name == "polygon" else np.array(shape.values[:2])[:, None] for shape in shapes]
    angles = [(shape.angle,) * (2 if shape.is_ring and shape.turns else 1) for shape in shapes]
    labels = [("!" if shape.exclude else "") + shape.name.upper() for shape in shapes]
    columns = [
        _column(names[0], "pixel", [x for x, _ in x_y]),
        _column(names[1], "pixel", [y for _, y in x_y]),
        fits.Column("SHAPE", "16A", array=np.char.ljust(labels, 16)),
        _column("R", "pixel", [np.array(shape.sizes) for shape in shapes]),
        _column("ROTANG", "degree", [np.array(angle) for angle in angles]),
        fits.Column("COMPONENT", "1I", array=np.array([number for _, number in rows])),
    ]
    hdu = fits.BinTableHDU.from_columns(columns, name=name)
    _add_keywords(hdu.header, region.frame, header)
    return hdu


def _check_header(header: fits.Header | None, frame: str) -> None:
    """Refuse to write a table that extractor would ignore in silence.

    Raises
    ------
    RegionError
        If the header of EVENTS is not given, or does not place its X and Y columns on the sky.
    """
    next_step = "give the header of the EVENTS extension: region.to_hdu(events.header)."
    if header is None:
        raise RegionError(
            "A FITS region table without the coordinates of its columns makes extractor take the whole field.",
            next_step,
        )
    missing = [name for name in _COLUMNS["SKY"] if "TCRVL" not in _column_wcs(header, name)]
    if frame == "SKY" and missing:
        raise RegionError(
            f"The header has no coordinates (TCTYP, TCRPX, TCRVL, TCDLT) of column {missing[0]}; with such a region "
            "table extractor takes the whole field.",
            next_step,
        )


def _rows(region: RegionSet) -> list[tuple[Shape, int]]:
    if not region.included:
        return [(shape, 1) for shape in region.excluded]
    return [
        (shape, number)
        for number, included in enumerate(region.included, start=1)
        for shape in (included, *region.excluded)
    ]


def _column(name: str, unit: str, values: list[NDArray[np.float64]]) -> fits.Column:
    width = max(1, *(len(value) for value in values))
    table = np.zeros((len(values), width))
    for row, value in zip(table, values, strict=True):
        row[: len(value)] = value
    return fits.Column(name, f"{width}D", unit=unit, array=table if width > 1 else table[:, 0])


def _add_keywords(target: fits.Header, frame: str, events: fits.Header | None) -> None:
    target["EXTVER"] = (1, "version of this extension")
    target["EXTLEVEL"] = (1, "level in the hierarchy")
    target["HDUNAME"] = ("REGION", "ASCDM block name")
    target["HDUCLASS"] = ("ASC", "region extension")
    target["HDUCLAS1"] = ("REGION", "region extension")
    target["HDUCLAS2"] = ("STANDARD", "region extension")
    target["HDUVERS"] = "1.0.0"
    target["HDUDOC"] = "ASC-FITS-REGION-1.0: McDowell, Rots: FITS REGION Binary Table Design"
    target["CONTENT"] = ("REGION", "CXC content key")
    target["MTYPE1"] = ("pos", "name of the descriptor")
    target["MFORM1"] = (",".join(_COLUMNS[frame]), "its columns")
    if events is None:
        return
    for key in _COPIED:
        if key in events:
            target[key] = (events[key], events.comments[key])
    for number, column in enumerate(_COLUMNS[frame], start=1):
        for key, value in _column_wcs(events, column).items():
            target[f"{key}{number}"] = value


def _column_wcs(events: fits.Header, column: str) -> dict[str, Any]:
    """WCS keywords of one column of the event list, without their number."""
    for key in events["TTYPE*"]:
        if str(events[key]).strip() == column:
            found = {stem: events.get(f"{stem}{key[5:]}") for stem in ("TCTYP", "TCRPX", "TCRVL", "TCDLT", "TCROT")}
            wcs = {stem: value for stem, value in found.items() if value is not None}
            return wcs | {f"TD{stem[2:]}": wcs[stem] for stem in ("TCRPX", "TCDLT") if stem in wcs}
    return {}
