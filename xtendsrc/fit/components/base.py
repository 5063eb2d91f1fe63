"""What components share: the settings of a model and the types of their functions."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xtendsrc.errors import ModelError
from xtendsrc.fit.grid import Grid

Array = NDArray[np.float64]

ABUNDANCES = ("angr", "aspl", "feld", "aneb", "grsa", "wilm", "lodd", "lpgp", "lpgs", "felc")
CROSS_SECTIONS = ("vern", "bcmc", "obcm")


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """What XSPEC keeps as global state and a model here carries with it.

    Attributes
    ----------
    abund : str
        Table of solar abundances, by XSPEC's name.
    xsect : str
        Photoelectric cross sections, by XSPEC's name; ``tbabs`` always uses its own.
    hubble : float
        Hubble constant in km/s/Mpc.
    deceleration : float
        Deceleration parameter q0, used where ``dark_energy`` is 0.
    dark_energy : float
        Density of dark energy; with another value than 0 the universe is flat.
    """

    abund: str = "wilm"
    xsect: str = "vern"
    hubble: float = 70.0
    deceleration: float = 0.0
    dark_energy: float = 0.73

    def __post_init__(self) -> None:
        for name, known in (("abund", ABUNDANCES), ("xsect", CROSS_SECTIONS)):
            if (value := getattr(self, name)) not in known:
                near = difflib.get_close_matches(str(value), known, n=1, cutoff=0.0)[0]
                raise ModelError(
                    f"{name} cannot be {value!r}.", f"the nearest is {near!r}; known are {', '.join(known)}."
                )
        if not self.hubble > 0:
            raise ModelError(f"A Hubble constant of {self.hubble} km/s/Mpc makes no sense.", "give about 70.")


Native = Callable[[Array, Grid, ModelSettings], Array]
Convolution = Callable[[Array, Grid, ModelSettings, Array], Array]
