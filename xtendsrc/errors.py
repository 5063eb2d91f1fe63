"""Every error and warning of xtendsrc.

An error says what happened, to which file or product, and what to do next. Each class also inherits the builtin
exception it refines, so ``except FileNotFoundError`` and ``except XtendsrcError`` both catch what one expects.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def did_you_mean(name: object, choices: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` with the choice most like a name, whatever its case; empty if none is like it."""
    by_case = {choice.lower(): choice for choice in choices}
    near = difflib.get_close_matches(str(name).lower(), by_case, 1, 0.5)
    return f" (did you mean {by_case[near[0]]!r}?)" if near else ""


class XtendsrcError(Exception):
    """Base of every error raised on purpose by xtendsrc.

    Parameters
    ----------
    what : str
        What happened, naming the file, product or task concerned.
    next_step : str, optional
        What the reader can do about it.
    """

    def __init__(self, what: str, next_step: str = "") -> None:
        self.what = what
        self.next_step = next_step
        super().__init__(what, next_step)

    def __str__(self) -> str:
        return f"{self.what} Next step: {self.next_step}" if self.next_step else self.what


class XtendsrcWarning(UserWarning):
    """Base of every warning given by xtendsrc."""


# --- input files ------------------------------------------------------------------------------------------------


class InputFileError(XtendsrcError, ValueError):
    """An input file is there but cannot be used."""


class InputNotFoundError(XtendsrcError, FileNotFoundError):
    """A file, directory or observation that was named does not exist."""


class EncryptedFileError(InputFileError):
    """The file is still encrypted (proprietary data, ``*.gpg``)."""


class TruncatedFileError(InputFileError):
    """The file ends before its content does."""


class MissingColumnError(InputFileError):
    """A table lacks a column that is needed."""


class MissingKeywordError(InputFileError):
    """A header lacks a keyword that is needed."""


class NotXtendError(InputFileError):
    """The file belongs to another instrument or mission."""


class MissingGTIError(InputFileError):
    """An event file has no good time intervals."""


class CalibrationError(InputFileError):
    """A calibration file is there but cannot be used: damaged, of another instrument, or not valid at the time."""


class CaldbError(CalibrationError):
    """A calibration database, or its index, cannot be understood."""


class GTIError(XtendsrcError, ValueError):
    """Good time intervals that cannot be used: empty, reversed or without overlap."""


# --- what was asked for -----------------------------------------------------------------------------------------


class RequestError(XtendsrcError, ValueError):
    """A parameter of a product makes no sense."""


class UnitsError(RequestError, TypeError):
    """A quantity is missing its unit, or has the wrong one."""


class AmbiguousProductError(RequestError):
    """A singular method found more, or fewer, than one (ObsID, data class)."""


class NoObservationsError(XtendsrcError, LookupError):
    """No observation, or no data class, holds the source."""


class UnknownDataClassError(NoObservationsError, KeyError):
    """The observation has no data class of that code."""


class RegionError(XtendsrcError, ValueError):
    """A region that cannot be understood, is empty, or misses the field."""


class BackgroundError(RegionError):
    """No background region fits, or the one given cannot be used."""


# --- spectral models --------------------------------------------------------------------------------------------


class ModelError(XtendsrcError, ValueError):
    """A spectral model that cannot be understood or evaluated."""


class UnknownComponentError(ModelError):
    """A model names a component that does not exist."""


class UnknownParameterError(ModelError, KeyError):
    """A parameter that the model does not have."""


class ComponentUnavailableError(ModelError):
    """A component exists, but nothing on this machine can evaluate it."""


class TablesMissingError(ComponentUnavailableError):
    """A component needs tables that are not on this machine."""


class LibraryCrashError(ModelError, RuntimeError):
    """XSPEC's model library ended its process, or did not answer in time."""


# --- making products --------------------------------------------------------------------------------------------


class ProductError(XtendsrcError, RuntimeError):
    """A product could not be made."""


class GridMismatchError(ProductError):
    """Two images that must share a grid do not."""


class DeadTimeError(ProductError):
    """ONTIME, LIVETIME and DEADC of a file contradict each other."""


class FitError(ProductError):
    """A fit cannot be made of these data and this model, or the program that made it failed; ``log`` has its output."""

    log: str = ""


class EngineUnavailableError(ProductError):
    """The engine asked for cannot make this product on this machine."""


class CalibrationMissingError(EngineUnavailableError):
    """A calibrated product needs HEASoft or calibration files that are not here."""


class TaskError(ProductError):
    """A HEASoft task did not do what it was asked to do; ``log`` holds what it printed."""

    log: str = ""


class TaskParameterError(TaskError, ValueError):
    """A parameter is not in the task's ``.par`` file, or has a value the task cannot take."""


class UnfitTaskError(TaskError):
    """A HEASoft task is known to be wrong for this input; ``engine="auto"`` takes another engine then."""


class TaskTimeoutError(TaskError, TimeoutError):
    """A HEASoft task ran longer than allowed and was stopped."""


class TaskCancelledError(TaskError):
    """A HEASoft task was stopped because its batch was cancelled."""


class BatchError(ProductError):
    """Some products of a batch failed; ``report`` is the table of them."""

    def __init__(self, what: str, next_step: str = "", report: object = None) -> None:
        super().__init__(what, next_step)
        self.report = report


# --- registry and archive ---------------------------------------------------------------------------------------


class RegistryError(XtendsrcError, OSError):
    """The product registry cannot be read or written."""


class RegistryWarning(XtendsrcWarning):
    """The registry met damage and repaired it."""


class ArchiveError(XtendsrcError, OSError):
    """The archive could not be reached, or answered with something unusable."""


class DownloadError(ArchiveError):
    """Files could not be downloaded completely and verified; ``report`` is the table of what became of each."""

    def __init__(self, what: str, next_step: str = "", report: object = None) -> None:
        super().__init__(what, next_step)
        self.report = report


class ProprietaryDataError(DownloadError):
    """The data are not public yet."""
