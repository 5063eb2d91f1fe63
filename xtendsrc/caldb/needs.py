"""Which calibration files each product needs, by the names that the tasks look for."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from xtendsrc.caldb.index import Query
from xtendsrc.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from astropy.time import Time

_MODE = "DATAMODE.eq.{datamode}.and.CISTATUS.eq.{cistatus}"

NEEDS: dict[str, dict[str, str]] = {
    "rmf": {"parameters": "RMF_PARAMETERS"},
    "raytrace": {
        "mirror": "MIRROR",
        "obstruction": "OBSTRUCT",
        "reflectivity": "REFLECT-TRANS",
        "back_reflectivity": "BACKSIDE-REFLECT",
        "collimator_reflectivity": "COLLIMATOR-REFLECT",
        "scattering": "SEGMENT1-SCATTERING",
        "coarse_area": "EFFAREACRS",
        "teldef": "TELDEF",
    },
    "arf": {
        "quantum_efficiency": "QE_OBL",
        "contamination": "COLUMN_DENSITY",
        "fine_area": "EFFAREAFNE",
        "coarse_area": "EFFAREACRS",
        "teldef": "TELDEF",
    },
    "expmap": {"instrument_map": "INSTMAP_DET", "teldef": "TELDEF"},
}
"""Product, role and codename: what ``xtdrmf``, ``xrtraytrace``, ``xaxmaarfgen`` and ``xaexpmap`` ask ``quzcif`` for."""

_WITH_MODE = {"RMF_PARAMETERS"}


@dataclass(frozen=True, kw_only=True)
class Situation:
    """The observation that calibration files must be valid for.

    Attributes
    ----------
    time : Time or None
        When; now if None.
    datamode : str
        DATAMODE; its first seven letters count.
    cistatus : int
        Charge injection on (1) or off (0).
    telescope, instrument : str
        TELESCOP and INSTRUME of the database.
    """

    time: Time | None = None
    datamode: str = "WINDOW1"
    cistatus: int = 1
    telescope: str = "XRISM"
    instrument: str = "XTEND"

    def query(self, codename: str) -> Query:
        """Return what to look for."""
        mode = _MODE.format(datamode=self.datamode[:7], cistatus=self.cistatus) if codename in _WITH_MODE else "-"
        return Query(codename=codename, telescope=self.telescope, instrument=self.instrument, expression=mode)


def roles(products: Iterable[str]) -> dict[tuple[str, str], str]:
    """Return the codename of each (product, role).

    Raises
    ------
    RequestError
        If a product is not known.
    """
    found = {}
    for product in products:
        if product not in NEEDS:
            close = difflib.get_close_matches(product, NEEDS, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"choose from {', '.join(NEEDS)}."
            raise RequestError(f"There is no product {product!r} with calibration files.", hint)
        found.update({(product, role): codename for role, codename in NEEDS[product].items()})
    return found
