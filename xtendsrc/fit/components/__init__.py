"""The components that are evaluated in NumPy.

Each is a function of its parameters in XSPEC's order (without ``norm``), the grid and the settings of the model. An
additive one returns photons/cm2/s in each bin for a norm of one, a multiplicative one the factor of each bin; a
convolution is given the photons of each bin as well, and returns them changed.
"""

from __future__ import annotations

from xtendsrc.fit.components import absorption, convolution, lines, plasma, powerlaws, simple, thermal

NATIVE = {
    **simple.COMPONENTS,
    **absorption.COMPONENTS,
    **powerlaws.COMPONENTS,
    **lines.COMPONENTS,
    **thermal.COMPONENTS,
    **plasma.COMPONENTS,
}
"""Additive and multiplicative components by name."""

CONVOLUTIONS = convolution.COMPONENTS
"""Convolutions by name."""

PLASMA = plasma.COMPONENTS.keys()
"""Components that need AtomDB's tables."""

__all__ = ["CONVOLUTIONS", "NATIVE", "PLASMA"]
