"""What Xtend is: energy scale, data classes, CCD layout, DET <-> FOC <-> SKY, calibration sources.

Conventions
-----------
Pixels are 1-based, with pixel centres at integers, as the columns of an event file have them. Angles are degrees,
times seconds, unless a Quantity is taken or given. Numbers marked *guess* in their documentation were inferred:
where a file's header has the value, the header is used.
"""

from __future__ import annotations

from xtendsrc.instrument.area import Rectangle, active_area, contained, window_rows
from xtendsrc.instrument.ccd import (
    CALIBRATION_SOURCES,
    CCD,
    CCD_SIZE,
    CCDS,
    Circle,
    act_to_det,
    ccd_id_at,
    charge_injection_rows,
    det_to_act,
    flagged_rows,
    in_calibration_source,
)
from xtendsrc.instrument.dataclass import DataClassCode
from xtendsrc.instrument.energy import (
    EV_PER_CHANNEL,
    PI_CHANNELS,
    band_to_channels,
    channel_edges,
    channels_to_band,
)
from xtendsrc.instrument.geometry import (
    DET_CENTRE,
    DET_SIZE,
    FOC_OFFSET,
    OPTICAL_AXIS,
    PIXEL_ARCSEC,
    PIXEL_DEG,
    SKY_CENTRE,
    SKY_SIZE,
    Geometry,
    det_to_foc,
    foc_to_det,
)

__all__ = [
    "CALIBRATION_SOURCES",
    "CCD",
    "CCDS",
    "CCD_SIZE",
    "DET_CENTRE",
    "DET_SIZE",
    "EV_PER_CHANNEL",
    "FOC_OFFSET",
    "OPTICAL_AXIS",
    "PIXEL_ARCSEC",
    "PIXEL_DEG",
    "PI_CHANNELS",
    "SKY_CENTRE",
    "SKY_SIZE",
    "Circle",
    "DataClassCode",
    "Geometry",
    "Rectangle",
    "act_to_det",
    "active_area",
    "band_to_channels",
    "ccd_id_at",
    "channel_edges",
    "channels_to_band",
    "charge_injection_rows",
    "contained",
    "det_to_act",
    "det_to_foc",
    "flagged_rows",
    "foc_to_det",
    "in_calibration_source",
    "window_rows",
]
