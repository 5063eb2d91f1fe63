"""The requests of a source in one data class: regions cleaned, background chosen, areas and exposures scaled.

The extraction region of a source product is the source's region without interlopers and without the calibration discs;
source and background are scaled with one exposure map.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from xtendsrc.errors import RequestError, did_you_mean
from xtendsrc.measure.grouping import Scheme
from xtendsrc.products.arf.request import ARFRequest
from xtendsrc.products.expmap.request import ExpMapRequest
from xtendsrc.products.lightcurve.request import LightCurveRequest
from xtendsrc.products.netcurve.request import NetCurveRequest
from xtendsrc.products.raytrace.request import RaytraceRequest
from xtendsrc.products.rmf.request import RMFRequest
from xtendsrc.products.sourcespectrum.request import SourceSpectrumRequest
from xtendsrc.products.spectrum.request import SpectrumRequest
from xtendsrc.source.placement import background as background_of
from xtendsrc.source.requests import Statement, lightcurve_request, spectrum_request

if TYPE_CHECKING:
    from xtendsrc.source.dataclass import DataClass
    from xtendsrc.source.source import Source

MIN_FRACTION = 0.5
"""Least exposed part of the live time a bin can reach, for net light curves."""


def netcurve_request(dc: DataClass, source: Source, *, background: Any = "auto", **options: Any) -> Statement:
    """State the net light curve of a source."""
    options.setdefault("min_fraction", MIN_FRACTION)
    chosen = background_of(source, dc, background)
    own = lightcurve_request(dc, source, region=source.region, exclude_calibration=True, **options).request
    assert isinstance(own, LightCurveRequest)
    own = replace(own, fraction_of="reachable")
    request = NetCurveRequest(
        obs_id=own.obs_id,
        dataclass=own.dataclass,
        source=own,
        background=None if chosen.region is None else replace(own, region=chosen.region),
        expmap=_expmap(own),
    )
    return Statement(request, chosen.remarks)


def sourcespectrum_request(
    dc: DataClass,
    source: Source,
    *,
    background: Any = "auto",
    response: str | None = "auto",
    grouping: str | None = None,
    gti: Any = None,
    grades: Any = None,
) -> Statement:
    """State the spectrum of a source with its background and responses."""
    kind, scheme = _response(response), Scheme.parse(grouping).text
    chosen = background_of(source, dc, background)
    own = spectrum_request(dc, source, region=source.region, exclude_calibration=True, gti=gti, grades=grades).request
    assert isinstance(own, SpectrumRequest)
    bare = SourceSpectrumRequest(obs_id=own.obs_id, dataclass=own.dataclass, spectrum=own, expmap=_expmap(own))
    scaled = None
    if chosen.region is not None:
        scaled = replace(bare, spectrum=replace(own, region=chosen.region), content="background")
    rmf = arf = None
    if kind is not None:
        rmf = RMFRequest(obs_id=own.obs_id, dataclass=own.dataclass, spectrum=own, response=kind)  # type: ignore[arg-type]  # checked
        arf = _arf(source, own, bare.expmap, rmf)
    optional = response == "auto"
    whole = replace(bare, background=scaled, rmf=rmf, arf=arf, optional_responses=optional, grouping=scheme)
    return Statement(whole, chosen.remarks)


def _response(response: str | None) -> str | None:
    """Return which response is linked: what is asked for; ``auto`` is a calibrated one where it can be made."""
    if response not in (None, "auto", "calibrated", "nominal"):
        meant = did_you_mean(response, ("auto", "calibrated", "nominal"))
        raise RequestError(
            f"response={response!r} is unknown{meant}.", 'choose "auto", "calibrated", "nominal" or None.'
        )
    return "calibrated" if response == "auto" else response


def _expmap(own: LightCurveRequest | SpectrumRequest) -> ExpMapRequest:
    return ExpMapRequest(obs_id=own.obs_id, dataclass=own.dataclass, gti=own.selection.gti)


def _arf(source: Source, own: SpectrumRequest, exposure: ExpMapRequest, rmf: RMFRequest) -> ARFRequest:
    position = (round(float(source.position.ra.deg), 9), round(float(source.position.dec.deg), 9))
    raytrace = None
    if rmf.response == "calibrated":
        raytrace = RaytraceRequest(
            obs_id=own.obs_id,
            dataclass=own.dataclass,
            position=position,
            expmap=exposure,
            rmf=rmf,
            source_type=source.source_type,  # type: ignore[arg-type]  # one of the literals by class
            shape=source.ray_shape,
        )
    assert own.region is not None
    return ARFRequest(
        obs_id=own.obs_id,
        dataclass=own.dataclass,
        region=own.region,
        exclude_calibration=own.exclude_calibration,
        raytrace=raytrace,
        position=position,
        source_type=source.source_type,  # type: ignore[arg-type]  # one of the literals by class
        shape=source.ray_shape,
        expmap=exposure,
        rmf=rmf,
        response=rmf.response,
    )
