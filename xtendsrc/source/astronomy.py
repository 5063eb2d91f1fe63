"""What a source is as a thing in the sky: its distance, lengths on it, and where it falls in each observation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from xtendsrc.errors import InputFileError, NoObservationsError, RequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from astropy.cosmology import FLRW
    from astropy.table import QTable
    from astropy.units import Quantity

    from xtendsrc.source.catalogue import Catalogue
    from xtendsrc.source.observation import Observation
    from xtendsrc.source.source import Source


EPOCH = "2025-01-01"
"""Time to which positions with proper motions are moved."""


class SkyObject:
    """Distances and places of a `Source`; the class inherits these."""

    redshift: float | None
    cosmology: FLRW | None = None

    @property
    def _cosmology(self) -> FLRW:
        from astropy.cosmology import default_cosmology

        return self.cosmology or default_cosmology.get()

    def _known_redshift(self) -> float:
        if self.redshift is None or not self.redshift > 0:
            raise RequestError(
                f"{_itself(self).name} has no redshift above 0: its distance is unknown.",
                "give redshift=, e.g. 0.0179.",
            )
        return self.redshift

    @property
    def luminosity_distance(self) -> Quantity:
        """Luminosity distance, Mpc, in the source's cosmology (astropy's default one if none was given).

        Raises
        ------
        RequestError
            If the source has no redshift.
        """
        return self._cosmology.luminosity_distance(self._known_redshift())

    @property
    def angular_diameter_distance(self) -> Quantity:
        """Angular-diameter distance, Mpc."""
        return self._cosmology.angular_diameter_distance(self._known_redshift())

    @property
    def kpc_per_arcmin(self) -> float | None:
        """Proper kiloparsecs an arcminute at the source's redshift; None without one."""
        if self.redshift is None or not self.redshift > 0:
            return None
        return float(self._cosmology.kpc_proper_per_arcmin(self.redshift).value)

    def angles(self, radii: Any) -> Quantity:
        """Radii as angles in arcmin, whether given as angles or as lengths at the source's redshift.

        Raises
        ------
        RequestError
            If they have no unit of an angle or a length, or are lengths and there is no redshift.
        """
        import astropy.units as u

        values = radii if isinstance(radii, u.Quantity) else None
        if values is None:
            raise RequestError(f"The radii {radii!r} have no unit.", "give for example [0, 1, 2] * u.arcmin.")
        if values.unit.is_equivalent(u.arcmin):
            return values.to(u.arcmin)
        if not values.unit.is_equivalent(u.kpc):
            raise RequestError(f"Radii in {values.unit} are neither angles nor lengths.", "give arcmin, or kpc.")
        self._known_redshift()
        return values.to_value(u.kpc) / self.kpc_per_arcmin * u.arcmin

    def convert_radius(self, radius: Quantity, unit: str = "arcmin") -> Quantity:
        """A radius in another unit, between angles and lengths at the source's redshift.

        Parameters
        ----------
        radius : Quantity
            An angle or a length.
        unit : str
            Of what is returned, such as ``"kpc"`` or ``"deg"``.
        """
        import astropy.units as u

        angle, wanted = self.angles(radius), u.Unit(unit)
        if wanted.is_equivalent(u.arcmin):
            return angle.to(wanted)
        self._known_redshift()
        return (angle.to_value(u.arcmin) * self.kpc_per_arcmin * u.kpc).to(wanted)

    # --- observations --------------------------------------------------------------------------------------------

    def info(self) -> QTable:
        """Return the place of the source in each data class that holds it, without reading events.

        Returns
        -------
        QTable
            One row a data class: ``obs_id``, ``dataclass``, ``date``, ``exposure`` (live seconds of the header),
            ``off_axis``, ``detx``, ``dety``, ``ccd``, ``covered`` (part of the source region on the area that is read).
            What is known of the source itself is in ``meta``, with the observations that were left out and why.
        """
        from astropy.table import QTable

        source = _itself(self)
        rows = [_facts(source, dc) for dc in source.dataclasses()]
        units = {"exposure": "s", "off_axis": "arcmin"}
        table = QTable(rows=rows, names=list(rows[0]), units=units)
        table.meta.update(
            name=source.name,
            position=source.position.to_string("hmsdms"),
            radius=str(source.radius),
            redshift=source.redshift,
            disassociated=dict(self.disassociated),
        )
        return table

    def ranking(self, by: str = "significance", **options: Any) -> QTable:
        """Data classes that hold the source, the best first.

        Parameters
        ----------
        by : {"significance", "counts", "rate", "exposure", "covered", "off_axis"}
            What to order by; ``off_axis`` puts the smallest first.
        **options
            As for `Source.photometry`.
        """
        choices = ("significance", "counts", "rate", "exposure", "covered", "off_axis")
        if by not in choices:
            raise RequestError(f"Data classes are not ranked by {by!r}.", f"choose among {', '.join(choices)}.")
        source = _itself(self)
        table = source.info() if by in ("exposure", "covered", "off_axis") else source.photometry(**options)
        values = np.asarray(getattr(table[by], "value", table[by]), dtype=float)
        order = np.argsort(values if by == "off_axis" else -np.nan_to_num(values, nan=-np.inf), kind="stable")
        return table[order]

    @property
    def disassociated(self) -> dict[str, str]:
        """ObsIDs that are left out of everything, with the reason."""
        path = self._notes
        if not path.is_file():
            return {}
        try:
            notes = json.loads(path.read_text(encoding="utf-8"))
            return {str(obs_id): str(reason) for obs_id, reason in notes["disassociated"].items()}
        except (ValueError, KeyError, AttributeError) as error:
            raise InputFileError(f"{path} cannot be read: {error}.", "correct or remove it.") from error

    def disassociate(self, obs_id: str, reason: str) -> None:
        """Leave an observation out of everything from now on; kept beside the products.

        Parameters
        ----------
        obs_id : str
            Which.
        reason : str
            Why, for tables and for whoever comes later.

        Raises
        ------
        RequestError
            If the source has no such observation, or there is no reason.
        """
        source = _itself(self)
        if not reason.strip():
            raise RequestError("An observation is left out for a reason.", "give one, such as 'flare'.")
        if obs_id not in source.observations and obs_id not in self.disassociated:
            listed = ", ".join(source.observations)
            raise RequestError(f"{source.name} has no observation {obs_id}.", f"choose among {listed}.")
        self._note({**self.disassociated, obs_id: reason})

    def associate(self, obs_id: str) -> None:
        """Take back what `disassociate` did."""
        self._note({k: v for k, v in self.disassociated.items() if k != obs_id})

    @property
    def _notes(self) -> Path:
        source = _itself(self)
        return Path(source.registry.root) / "sources" / f"{source.file_name}.json"

    def _note(self, disassociated: dict[str, str]) -> None:
        path = self._notes
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps({"disassociated": disassociated}, indent=1) + "\n", encoding="utf-8")
        part.replace(path)
        self.__dict__.pop("observations", None)


def _itself(thing: SkyObject) -> Source:
    """What inherits the properties is a source."""
    return cast("Source", thing)


def _facts(source: Source, dc: Any) -> dict[str, Any]:
    detx, dety = (float(v) for v in dc.geometry.icrs_to_det(source.position))
    chip = next((box.ccd_id + 1 for box in dc.active_area if box.contains(detx, dety)), 0)
    return {
        "obs_id": dc.obs_id,
        "dataclass": str(dc.code),
        "date": str(dc.header.get("DATE-OBS", "")),
        "exposure": float(dc.header.get("EXPOSURE", np.nan)),
        "off_axis": float(dc.geometry.off_axis(detx, dety)),
        "detx": detx,
        "dety": dety,
        "ccd": chip,
        "covered": dc.covered_fraction(source.region),
    }


def place_of(target: Any) -> Any:
    """A position from what may stand for one: a pair (ra, dec), or a row of a table with these columns.

    Numbers without a unit are degrees, in ICRS. A SkyCoord with a proper motion and the time it holds for is moved to
    the start of 2025, by which a source has shifted within the mission by less than its PSF. Everything else is
    returned as it is.
    """
    import astropy.units as u
    from astropy.coordinates import SkyCoord
    from astropy.time import Time

    if isinstance(target, (tuple, list)) and len(target) == 2:
        return SkyCoord(*(u.Quantity(value, None if hasattr(value, "unit") else u.deg) for value in target))
    names = {name.lower(): name for name in getattr(target, "colnames", ())}
    if names and not isinstance(target, SkyCoord):
        if missing := {"ra", "dec"} - set(names):
            raise RequestError(f"The row has no column {', '.join(sorted(missing))}.", "name its columns ra and dec.")
        return place_of(tuple(_with_unit(target, names[name]) for name in ("ra", "dec")))
    if (
        isinstance(target, SkyCoord)
        and target.isscalar
        and target.obstime is not None
        and "s" in target.data.differentials
    ):
        return target.apply_space_motion(new_obstime=Time(EPOCH))
    return target


def _with_unit(row: Any, name: str) -> Any:
    """A value of a row with the unit of its column, degrees if it has none."""
    import astropy.units as u

    value = row[name]
    return value if hasattr(value, "unit") and value.unit is not None else value * (row.columns[name].unit or u.deg)


def held_observations(source: Source, catalogue: Catalogue) -> dict[str, Observation]:
    """The observations of a catalogue that hold a source, without those that were disassociated.

    Raises
    ------
    NoObservationsError
        If there is none; it names the pointings that came close.
    """
    held = catalogue.holding(source.position, source.search_radius)
    left_out = source.disassociated
    found = {obs_id: observation for obs_id, observation in held.items() if obs_id not in left_out}
    if held and not found:
        raise NoObservationsError(
            f"All observations of {source.name} were disassociated: {', '.join(held)}.", "associate one of them."
        )
    if not found:
        close = nearest(catalogue.separations(source.position))
        raise NoObservationsError(
            f"No observation of {len(catalogue)} under {catalogue.path} holds {source.name} "
            f"({source.position.to_string('hmsdms', precision=0)}).{close}",
            "check the position and the archive directory, or give download=True.",
        )
    return found


def nearest(separations: Mapping[str, float], number: int = 3) -> str:
    """The nearest pointings in words, from degrees by ObsID; empty if there are none."""
    apart = sorted((degrees * 60, obs_id) for obs_id, degrees in separations.items())
    close = [f"{obs_id} points {distance:.1f}' away" for distance, obs_id in apart[:number]]
    return f" Nearest: {', '.join(close)}." if close else ""
