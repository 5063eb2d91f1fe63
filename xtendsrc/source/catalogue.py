"""The observations on disk, opened once and shared by all sources of a sample."""

from __future__ import annotations

import logging
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from xtendsrc.archive.layout import CLEANED
from xtendsrc.errors import XtendsrcError

if TYPE_CHECKING:
    from astropy.coordinates import SkyCoord
    from astropy.units import Quantity

    from xtendsrc.registry import Registry
    from xtendsrc.source.observation import Observation

logger = logging.getLogger(__name__)


class Catalogue:
    """The ObsID directories below one directory.

    Parameters
    ----------
    path : str or Path
        Directory with ObsID directories at any depth, or one of them.
    output : Registry or path
        Where products of these observations are kept.
    events : str, optional
        Which cleaned event files are taken, as for `Observation`.
    """

    def __init__(self, path: str | Path, output: Registry | str | Path, events: str = CLEANED) -> None:
        self.path = Path(path)
        self._output, self._events = output, events

    @cached_property
    def observations(self) -> dict[str, Observation]:
        """All observations that can be read, by ObsID; one that cannot is logged and left out.

        Raises
        ------
        NoObservationsError
            If the directory holds no ObsID directory.
        """
        from xtendsrc.archive.layout import find_observations
        from xtendsrc.source.observation import Observation

        found: dict[str, Observation] = {}
        for directory in find_observations(self.path):
            try:
                observation = Observation(directory, output=self._output, events=self._events)
            except (XtendsrcError, OSError) as error:
                logger.warning("%s is left out: %s", directory, error)
                continue
            if (first := found.setdefault(observation.obs_id, observation)) is not observation:
                logger.warning("%s is left out: %s has the same ObsID.", directory, first.path)
        return found

    @cached_property
    def pointings(self) -> dict[str, tuple[float, float]]:
        """ICRS right ascension and declination of each pointing, degrees; an unknown one is logged and left out."""
        found = {}
        for obs_id, observation in self.observations.items():
            try:
                place = observation.pointing.icrs
            except (XtendsrcError, OSError) as error:
                logger.warning("%s is left out: %s", obs_id, error)
                continue
            found[obs_id] = (float(place.ra.deg), float(place.dec.deg))
        return found

    def separations(self, position: SkyCoord) -> dict[str, float]:
        """Degrees from a position to each pointing, by ObsID; for all of them at once."""
        place = position.icrs
        return self._separations(float(place.ra.deg), float(place.dec.deg))

    def _separations(self, right_ascension: float, declination: float) -> dict[str, float]:
        import numpy as np
        from astropy.coordinates import angular_separation

        if not self.pointings:
            return {}
        ra, dec = np.radians(np.array(list(self.pointings.values())).T)
        apart = angular_separation(np.radians(right_ascension), np.radians(declination), ra, dec)
        return dict(zip(self.pointings, np.degrees(apart).tolist(), strict=True))

    def holding(self, position: SkyCoord, radius: Quantity) -> dict[str, Observation]:
        """Return the observations pointed within a radius of a position and with a data class that reads it."""
        chosen, degrees = {}, float(radius.to_value("deg"))
        place = position.icrs
        ra, dec = float(place.ra.deg), float(place.dec.deg)
        for obs_id, apart in self._separations(ra, dec).items():
            observation = self.observations[obs_id]
            try:
                if apart <= degrees and observation.reading(ra, dec):
                    chosen[obs_id] = observation
            except (XtendsrcError, OSError) as error:
                logger.warning("%s is left out: %s", obs_id, error)
        return chosen

    def __len__(self) -> int:
        return len(self.observations)

    def __repr__(self) -> str:
        return f"<Catalogue of {self.path}>"
