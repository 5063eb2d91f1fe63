"""The energy bins a model is evaluated on, and what is worth remembering about them."""

from __future__ import annotations

from collections import OrderedDict
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from xtendsrc.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from numpy.typing import ArrayLike, NDArray

T = TypeVar("T")
K = TypeVar("K", bound="Hashable")

REMEMBERED = 24
"""How many derived arrays a grid keeps; the one unused for longest goes first."""
SHIFTED = 4
"""How many redshifts a grid keeps with what was derived for them."""


class Grid:
    """Contiguous energy bins.

    Parameters
    ----------
    edges : array of float, shape (n + 1,)
        Bin edges in keV, finite, above zero, increasing.

    Raises
    ------
    ModelError
        If the edges are not that.
    """

    def __init__(self, edges: ArrayLike) -> None:
        self.edges = np.ascontiguousarray(edges, dtype=float)
        if self.edges.ndim != 1 or self.edges.size < 2:
            raise ModelError(f"Energy edges of shape {self.edges.shape} make no bins.", "give a list of edges in keV.")
        if not np.isfinite(self.edges).all() or self.edges[0] <= 0 or (np.diff(self.edges) <= 0).any():
            raise ModelError("Energy edges must be finite, above zero, and increase.", "sort them, without repeats.")
        self.edges.flags.writeable = False
        self._memory: OrderedDict[Hashable, Any] = OrderedDict()
        self._shifted: OrderedDict[float, Grid] = OrderedDict()

    @classmethod
    def of(cls, edges: ArrayLike | Grid) -> Grid:
        """Return the grid of these edges; equal edges give the same grid, with what it remembers."""
        return edges if isinstance(edges, Grid) else _grid_of(np.ascontiguousarray(edges, dtype=float).tobytes())

    @property
    def size(self) -> int:
        """Number of bins."""
        return self.edges.size - 1

    @property
    def low(self) -> NDArray[np.float64]:
        """Lower edges in keV."""
        return self.edges[:-1]

    @property
    def high(self) -> NDArray[np.float64]:
        """Upper edges in keV."""
        return self.edges[1:]

    @cached_property
    def width(self) -> NDArray[np.float64]:
        """Bin widths in keV."""
        return np.diff(self.edges)

    @cached_property
    def centre(self) -> NDArray[np.float64]:
        """Arithmetic bin centres in keV."""
        return 0.5 * (self.low + self.high)

    def shifted(self, redshift: float) -> Grid:
        """Return the bins in the frame of a source at this redshift: energies times (1 + redshift)."""
        if not redshift:
            return self
        return _kept(self._shifted, float(redshift), lambda: Grid(self.edges * (1.0 + redshift)), SHIFTED)

    def remember(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what was made under this key, making it the first time."""
        found: T = _kept(self._memory, key, make, REMEMBERED)
        return found


def _kept(memory: OrderedDict[K, T], key: K, make: Callable[[], T], most: int) -> T:
    """Return what a memory has under a key, or make it; the oldest goes when there is too much."""
    try:
        memory.move_to_end(key)
        return memory[key]
    except KeyError:  # not there, or another thread has just let it go
        value = make()
    memory[key] = value
    while len(memory) > most:
        memory.popitem(last=False)
    return value


@lru_cache(maxsize=32)
def _grid_of(edges: bytes) -> Grid:
    return Grid(np.frombuffer(edges))
