"""Ties, limits, names: what is understood, and how the rest is refused."""

import astropy.units as u
import numpy as np
import pytest

from tests.fit.simple import dataset, perfect
from tests.products.ogip import write_arf, write_rmf
from xtendsrc.errors import FitError, GridMismatchError, InputFileError, RequestError, UnitsError
from xtendsrc.fit import native
from xtendsrc.fit.data import Counts, Dataset
from xtendsrc.fit.model import parse
from xtendsrc.fit.options import FitOptions
from xtendsrc.fit.parameters import Choices, Term
from xtendsrc.fit.response import Response
from xtendsrc.fit.ties import in_order, parse_tie

NAMES = ("powerlaw.norm", "powerlaw.PhoIndex", "powerlaw.norm[2]", "nxb:gaussian_2.norm")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("powerlaw.norm", 2.0),
        ("2 * powerlaw.norm + 0.5", 4.5),
        ("sqrt(powerlaw.norm[2]) / -powerlaw.PhoIndex", -2.0),
        ("nxb:gaussian_2.norm ** 2", 25.0),
        ("log10(100) * phoindex", 3.0),
    ],
)
def test_expressions_are_arithmetic_over_names(text, value):
    values = dict(zip(NAMES, (2.0, 1.5, 9.0, 5.0), strict=True))
    assert parse_tie("powerlaw.norm[2]", text, NAMES).value(values) == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    ["__import__('os')", "powerlaw.norm.real", "(1).__class__", "powerlaw.norm if 1 else 2", "1 +", "'a'", "f(1)"],
)
def test_nothing_else_is_understood(text):
    with pytest.raises(RequestError):
        parse_tie("powerlaw.norm[2]", text, NAMES)


def test_circles_are_refused_and_order_does_not_matter():
    a, b = (
        parse_tie("powerlaw.norm", "powerlaw.PhoIndex", NAMES),
        parse_tie("powerlaw.PhoIndex", "powerlaw.norm[2]", NAMES),
    )
    assert [t.target for t in in_order([a, b])] == ["powerlaw.PhoIndex", "powerlaw.norm"]
    with pytest.raises(RequestError, match="circle"):
        in_order([a, parse_tie("powerlaw.PhoIndex", "2 * powerlaw.norm", NAMES)])


def fit(band=None, group="none", data=None, **choices):
    data = data or dataset(np.full(50, 20))
    return native.fit([data], [Term(parse("tbabs*powerlaw"))], FitOptions(band, group, choices=Choices(**choices)))


def test_misspelt_parameters_get_the_nearest_name():
    with pytest.raises(RequestError, match=r"no parameter 'powerlaw.PhoIndx'.*did you mean powerlaw.PhoIndex"):
        fit(start={"powerlaw.PhoIndx": 2.0})
    with pytest.raises(RequestError, match=r"'tbabs.nHH'.*did you mean tbabs.nH"):
        fit(freeze=("tbabs.nHH",))


def test_senseless_starts_limits_and_bands_are_refused():
    with pytest.raises(RequestError, match=r"powerlaw.PhoIndex starts at 40, outside its limits -3 to 10"):
        fit(start={"powerlaw.PhoIndex": 40.0})
    with pytest.raises(RequestError, match=r"limits of tbabs.nH are 3 and 1"):
        fit(limits={"nH": (3.0, 1.0)})
    with pytest.raises(RequestError, match="no good channel between 20 and 30 keV"):
        fit(band=(20.0, 30.0))
    with pytest.raises(RequestError, match="not an energy band"):
        fit(band=(5.0, 2.0))
    with pytest.raises(FitError, match="no counts in the band"):
        fit(data=dataset(np.zeros(50, int)))
    with pytest.raises(FitError, match="3 parameters are free and there are 2 bins"):
        fit(group="constant 25")
    with pytest.raises(UnitsError):
        fit().flux(2, 10)
    with pytest.raises(RequestError, match="not an energy band"):
        fit().flux(10 * u.keV, 2 * u.keV)


def test_grids_that_do_not_match_are_refused():
    with pytest.raises(GridMismatchError, match="50 channels and its response 40"):
        Dataset(Counts.of(np.ones(50, int), 10.0), perfect(40))
    with pytest.raises(GridMismatchError, match="50 channels and its background 49"):
        Dataset(Counts.of(np.ones(50, int), 10.0), perfect(50), Counts.of(np.ones(49, int), 10.0))


@pytest.mark.parametrize("value", [np.nan, np.inf, -5.0])
def test_responses_that_cannot_be_are_refused_by_name(tmp_path, small, value):
    matrix, low, high, e_min, e_max = small
    wrong, area = np.where(matrix > 0, 1.0, 0.0), np.ones(40)
    wrong[7, 7] = area[3] = value
    rmf = write_rmf(tmp_path / "good.rmf", *small)
    with pytest.raises(InputFileError, match=r"wrong\.arf"):
        Response.read(rmf, write_arf(tmp_path / "wrong.arf", low, high, area))
    response = Response.read(rmf)
    if value < 0:
        return
    with pytest.raises(InputFileError, match="mine: its area hold"):
        Response(response.edges, response.matrix, response.channels, e_min, e_max, area, name="mine")
    broken = response.matrix.copy()
    broken.data[3] = value
    with pytest.raises(InputFileError, match="mine: its matrix hold"):
        Response(response.edges, broken, response.channels, e_min, e_max, name="mine")
