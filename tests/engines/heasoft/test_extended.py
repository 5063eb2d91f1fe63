"""Ray-tracing of extended sources: what xaarfgen is called with, and where its photons then come from."""

import gzip
import itertools
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from xtendsrc.engines import heasoft
from xtendsrc.engines.protocol import Job
from xtendsrc.errors import RequestError
from xtendsrc.events.selection import Selection
from xtendsrc.products.arf.request import ARFRequest
from xtendsrc.products.expmap.request import ExpMapRequest
from xtendsrc.products.raytrace.request import RaytraceRequest
from xtendsrc.products.rmf.request import RMFRequest
from xtendsrc.products.spectrum.request import SpectrumRequest
from xtendsrc.regions import RegionSet
from xtendsrc.settings import settings
from xtendsrc.testing.heasoft import environment, install

STEADY = Path(__file__).parents[2] / "data/expmap/steady"
FILES = {role: (str(STEADY / f"{role}.fits.gz"),) for role in ("events", "ehk", "bimg")}
WHERE = {"obs_id": "900001010", "dataclass": "300000a0"}
POSITION = (81.27323767214676, -69.64945387884104)
EXPMAP = ExpMapRequest(**WHERE)
SOURCE = RegionSet.read(STEADY / "src.reg")
RMF = RMFRequest(spectrum=SpectrumRequest(selection=Selection(), region=SOURCE, **WHERE), **WHERE)
BLUR = 6 * (1.3 / 3.357) ** 2
"""arcmin2; mean square radius of the stand-in's point-spread function, a gamma distribution of order 2."""

RECORDER = '#!/bin/sh\nprintf "%s\\n" "$@" > "{record}"\nexec "{task}" "$@"\n'


@pytest.fixture(scope="module")
def headas(tmp_path_factory):
    """A stand-in whose xaarfgen writes down the words it is called with."""
    root = install(tmp_path_factory.mktemp("recorded"))
    task = (root / "bin/xaarfgen").rename(root / "xaarfgen-itself")
    (root / "bin/xaarfgen").write_text(RECORDER.format(record=root / "record", task=task))
    (root / "bin/xaarfgen").chmod(0o755)
    return root


@pytest.fixture
def make(headas, monkeypatch, tmp_path):
    """Make a product; gives its path and the words of the call by parameter."""
    for name, value in environment(headas).items():
        monkeypatch.setenv(name, value)
    numbers = itertools.count()

    def run(request, **needs):
        scratch = tmp_path / f"s{next(numbers)}"
        scratch.mkdir()
        made = heasoft.make(Job(request=request, files=FILES, needs=needs), scratch)
        record = headas / "record"
        words = record.read_text().splitlines() if record.exists() else []
        return made.path, dict(word.split("=", 1) for word in words)

    with settings(runner="direct"):
        yield run


@pytest.fixture
def needs(make, tmp_path):
    """Map and matrix for a ray trace."""
    expmap = tmp_path / "map.fits"
    expmap.write_bytes(gzip.decompress((STEADY / "exp_SKY_cal0.fits.gz").read_bytes()))
    spectrum, _ = make(RMF.spectrum)
    return {"expmap": str(expmap), "rmf": make(RMF, spectrum=spectrum)[0]}


def rays(**shape):
    return RaytraceRequest(position=POSITION, expmap=EXPMAP, rmf=RMF, numphoton=1000, **shape, **WHERE)


def offsets(path):
    """Photons to the East and North of the source, arcmin."""
    table = fits.getdata(path, "EVENTS")
    east = (table["RA"] - POSITION[0]) * np.cos(np.radians(POSITION[1])) * 60
    return east, (table["DEC"] - POSITION[1]) * 60


def square(path):
    east, north = offsets(path)
    return float(np.mean(east**2 + north**2))


ALWAYS = {
    "telescop": "XRISM",
    "instrume": "XTEND",
    "erange": "0.3 15 0 0",
    "regmode": "RADEC",
    "numphoton": "1000",
    "seed": "7",
    "source_ra": "81.27323767214676",
    "source_dec": "-69.64945387884104",
    "auxtransfile": "NONE",
    "minphoton": "100",
}


def test_a_point(make, needs):
    path, words = make(rays(), **needs)
    assert words | ALWAYS | {"sourcetype": "POINT", "imgfile": "NONE"} == words
    assert square(path) == pytest.approx(BLUR, rel=0.05)


def test_a_flat_circle_has_its_radius_in_arcmin(make, needs):
    path, words = make(rays(source_type="FLATCIRCLE", shape=(5.0,)), **needs)
    assert words | ALWAYS | {"sourcetype": "FLATCIRCLE", "flatradius": "5.0", "imgfile": "NONE"} == words
    assert square(path) == pytest.approx(5.0**2 / 2 + BLUR, rel=0.05)


def test_a_beta_model_has_core_beta_and_outer_radius(make, needs):
    core, largest = 1.25, 8.0
    path, words = make(rays(source_type="BETAMODEL", shape=(core, 2 / 3, largest)), **needs)
    assert words | ALWAYS | {"sourcetype": "BETAMODEL", "imgfile": "NONE"} == words
    assert [float(w) for w in words["betapars"].split()] == pytest.approx([core, 2 / 3, largest], rel=1e-5)
    edge = np.hypot(1, largest / core)  # brightness (1 + (r/core)^2)^-1.5, cut at the outer radius
    expected = core**2 * (edge + 1 / edge - 2) / (1 - 1 / edge)
    assert square(path) == pytest.approx(expected + BLUR, rel=0.05)


def test_an_image_is_handed_over_with_its_band(make, needs, tmp_path):
    image = tmp_path / "a rather long name of a cleaned and smoothed image of the source, with blanks (final).fits"
    data = np.zeros((21, 21), dtype=np.float32)
    data[16, 10] = 1  # 3 arcmin to the North
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 11.0, "CRPIX2": 11.0})
    header.update({"CRVAL1": POSITION[0], "CRVAL2": POSITION[1], "CDELT1": -0.5 / 60, "CDELT2": 0.5 / 60})
    header.update({"CUNIT1": "deg", "CUNIT2": "deg"})
    fits.writeto(image, data, header)
    request = rays(source_type="IMAGE", image=str(image), erange=(0.3, 15.0, 0.5, 2.0))
    path, words = make(request, **needs)
    given = {"sourcetype": "IMAGE", "imgfile": "image.fits", "erange": "0.3 15 0.5 2"}
    assert words | ALWAYS | given == words
    east, north = (float(np.mean(v)) for v in offsets(path))
    assert (east, north) == pytest.approx((0.0, 3.0), abs=0.05)


def test_the_arf_repeats_the_source_of_its_ray_trace(make, needs):
    request = rays(source_type="FLATCIRCLE", shape=(3.0,))
    traced, _ = make(request, **needs)
    arf = ARFRequest(
        region=SOURCE,
        raytrace=request,
        position=POSITION,
        source_type="FLATCIRCLE",
        shape=(3.0,),
        expmap=EXPMAP,
        rmf=RMF,
        **WHERE,
    )
    path, words = make(arf, raytrace=traced, **needs)
    given = {"sourcetype": "FLATCIRCLE", "flatradius": "3.0", "xrtevtfile": "raytrace.fits"}
    assert words | ALWAYS | given == words
    east, north = offsets(traced)
    inside = np.mean(np.hypot(east, north) < 2.0)
    assert 0.2 < inside < 0.6
    assert fits.getdata(path, "SPECRESP")["SPECRESP"].max() > 0


@pytest.mark.parametrize(
    ("shape", "what"),
    [
        ({"source_type": "FLATCIRCLE"}, "FLATCIRCLE"),
        ({"source_type": "BETAMODEL", "shape": (1.0,)}, "BETAMODEL"),
        ({"source_type": "POINT", "shape": (1.0,)}, "POINT"),
        ({"source_type": "IMAGE"}, "image"),
        ({"source_type": "IMAGE", "image": "map.fits"}, "energies of the image"),
        ({"source_type": "FLATCIRCLE", "shape": (-5.0,)}, "-5"),
        ({"source_type": "FLATCIRCLE", "shape": (5.0,), "image": "map.fits"}, "map.fits"),
    ],
)
def test_a_shape_that_does_not_fit_its_type_is_refused(make, needs, shape, what):
    with pytest.raises(RequestError, match=what):
        make(rays(**shape), **needs)
