"""Exposure maps, scaled spectra, responses, net curves and reprocessing through the tasks."""

import gzip
import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from xtendsrc.engines import heasoft, native
from xtendsrc.engines.protocol import Job
from xtendsrc.errors import EngineUnavailableError, InputNotFoundError, MissingKeywordError, TaskError
from xtendsrc.events.selection import Selection
from xtendsrc.products.arf.request import ARFRequest
from xtendsrc.products.expmap.request import ExpMapRequest
from xtendsrc.products.lightcurve.request import LightCurveRequest
from xtendsrc.products.netcurve.request import NetCurveRequest
from xtendsrc.products.raytrace.request import RaytraceRequest
from xtendsrc.products.rmf.request import RMFRequest
from xtendsrc.products.sourcespectrum.request import SourceSpectrumRequest
from xtendsrc.products.spectrum.request import SpectrumRequest
from xtendsrc.regions import RegionSet
from xtendsrc.regions.shapes import Shape
from xtendsrc.settings import settings
from xtendsrc.testing.heasoft import environment, install

STEADY = Path(__file__).parents[2] / "data/expmap/steady"
FILES = {role: (str(STEADY / f"{role}.fits.gz"),) for role in ("events", "ehk", "bimg")}
WHERE = {"obs_id": "900001010", "dataclass": "300000a0"}
EXPMAP = ExpMapRequest(**WHERE)
BAND = Selection(channels=(100, 1666))
POSITION = (81.27323767214676, -69.64945387884104)


@pytest.fixture(scope="module")
def standin(tmp_path_factory):
    return install(tmp_path_factory.mktemp("standin"))


@pytest.fixture
def make(standin, monkeypatch, tmp_path):
    for name, value in environment(standin).items():
        monkeypatch.setenv(name, value)
    numbers = itertools.count()

    def run(request, engine="heasoft", **needs):
        scratch = tmp_path / f"{request.kind}{next(numbers)}"
        scratch.mkdir()
        job = Job(request=request, files=FILES, needs=needs)
        made = heasoft.make(job, scratch) if engine == "heasoft" else next(iter(native.make([job], scratch)))
        if isinstance(made, Exception):
            raise made
        return made.path

    with settings(runner="direct"):
        yield run


@pytest.fixture
def regions():
    return {name: RegionSet.read(STEADY / f"{name}.reg") for name in ("src", "bkg")}


def spectrum_of(region):
    return SpectrumRequest(selection=Selection(), region=region, **WHERE)


def test_exposure_maps_agree_with_ahexpmap_and_with_the_native_engine(make):
    theirs, ours = (fits.getdata(make(EXPMAP, engine)) for engine in ("heasoft", "native"))
    golden = fits.getdata(STEADY / "exp_SKY_cal0.fits.gz")
    assert np.abs(theirs - ours).max() < 1e-4 * ours.max()
    assert np.abs(theirs - golden).max() < 1e-4 * golden.max()


def test_binned_maps_are_means_with_the_right_physical_coordinates(make):
    path = make(ExpMapRequest(binning=4, **WHERE))
    data, header = fits.getdata(path, header=True)
    golden = fits.getdata(STEADY / "bin4_avg.fits.gz")
    assert np.abs(data - golden).max() < 1e-5 * golden.max()
    assert (header["CRVAL1P"], header["CDELT1P"], header["LTV1"], header["LTM1_1"]) == (2.5, 4.0, 0.375, 0.25)
    assert "OFFAXISHIST" in [hdu[1] for hdu in fits.info(path, output=False)]


def test_backscal_has_one_norm_for_source_and_background(make, regions):
    expmap = STEADY / "exp_SKY_cal0.fits.gz"
    with fits.open(expmap) as hdus:
        norm = hdus["OFFAXISHIST"].header["EXPOSURE"]
        image = hdus[0].data.astype(float)
    got = {}
    for name, region in regions.items():
        request = SourceSpectrumRequest(spectrum=spectrum_of(region), expmap=EXPMAP, **WHERE)
        path = make(request, spectrum=make(spectrum_of(region)), expmap=str(expmap))
        got[name] = fits.getheader(path, "SPECTRUM")["BACKSCAL"]
        inside = region.image_mask(((1, 2430), (1, 2430)))
        assert got[name] == pytest.approx(image[inside].sum() / norm / 2430**2, rel=1e-6)
    golden = fits.getheader(STEADY / "src_exposure.pha.gz", "SPECTRUM")["BACKSCAL"]
    assert got["src"] == pytest.approx(golden, rel=1e-6)


def test_a_source_spectrum_names_its_companions_and_is_grouped(make, regions):
    spectrum = make(spectrum_of(regions["src"]))
    expmap = str(STEADY / "exp_SKY_cal0.fits.gz")
    request = SourceSpectrumRequest(spectrum=spectrum_of(regions["src"]), expmap=EXPMAP, grouping="min 20", **WHERE)
    back = "/some/where/xa900001010_bkg.fits"
    path = make(request, spectrum=spectrum, expmap=expmap, background=back)
    with fits.open(path) as hdus:
        header, table = hdus["SPECTRUM"].header, hdus["SPECTRUM"].data
        assert (header["BACKFILE"], header["RESPFILE"]) == ("xa900001010_bkg.fits", "none")
        starts = np.flatnonzero(table["GROUPING"] == 1)
        good = [s for s in starts if table["QUALITY"][s] == 0]
        sums = np.add.reduceat(table["COUNTS"], starts)[[list(starts).index(s) for s in good]]
        assert len(sums) > 5
        assert sums.min() >= 20


@pytest.mark.parametrize("grouping", ["min 20", "constant 5", "fwhm/3"])
def test_groupings_agree_with_the_native_engine(make, regions, grouping):
    spectrum = make(spectrum_of(regions["src"]))
    needs = {"spectrum": spectrum, "expmap": str(STEADY / "exp_SKY_cal0.fits.gz")}
    request = SourceSpectrumRequest(spectrum=spectrum_of(regions["src"]), expmap=EXPMAP, grouping=grouping, **WHERE)
    theirs, ours = (fits.getdata(make(request, engine, **needs), "SPECTRUM") for engine in ("heasoft", "native"))
    for name in ("COUNTS", "GROUPING", "QUALITY"):
        assert np.array_equal(theirs[name], ours[name]), name


def test_responses_share_one_ray_trace(make, regions, tmp_path):
    spectrum = make(spectrum_of(regions["src"]))
    expmap = str(tmp_path / "map.fits")
    Path(expmap).write_bytes(gzip.decompress((STEADY / "exp_SKY_cal0.fits.gz").read_bytes()))
    rmf = RMFRequest(spectrum=spectrum_of(regions["src"]), **WHERE)
    rmf_path = make(rmf, spectrum=spectrum)
    rays = RaytraceRequest(position=POSITION, expmap=EXPMAP, rmf=rmf, numphoton=1000, **WHERE)
    rays_path = make(rays, expmap=expmap, rmf=rmf_path)
    before = Path(rays_path).read_bytes()
    areas = []
    for region in (regions["src"], RegionSet("icrs", (Shape("circle", (*POSITION, 1 / 60)),))):
        arf = ARFRequest(region=region, raytrace=rays, position=POSITION, expmap=EXPMAP, rmf=rmf, **WHERE)
        path = make(arf, expmap=expmap, rmf=rmf_path, raytrace=rays_path)
        areas.append(fits.getdata(path, "SPECRESP")["SPECRESP"].max())
    assert areas[0] != areas[1]
    assert Path(rays_path).read_bytes() == before


def test_net_curves_subtract_by_exposed_area(make, regions):
    curves = [LightCurveRequest(selection=BAND, region=regions[n], bin=200.0, **WHERE) for n in ("src", "bkg")]
    source, background = (make(c) for c in curves)
    expmap = str(STEADY / "exp_SKY_cal0.fits.gz")
    request = NetCurveRequest(source=curves[0], background=curves[1], expmap=EXPMAP, **WHERE)
    path = make(request, source=source, background=background, expmap=expmap)
    image = fits.getdata(expmap).astype(float)
    ratio = np.divide(*(image[regions[n].image_mask(((1, 2430), (1, 2430)))].sum() for n in ("src", "bkg")))
    net, own, other = (fits.getdata(p, "RATE") for p in (path, source, background))
    native_net = fits.getdata(make(request, "native", source=source, background=background, expmap=expmap), "RATE")
    for name in native_net.names:
        assert net[name] == pytest.approx(native_net[name], rel=1e-4, abs=1e-6), name
    assert net["RATE"] == pytest.approx(own["RATE"] - ratio * other["RATE"], rel=1e-4, abs=1e-6)
    assert net["ERROR"] == pytest.approx(np.hypot(own["ERROR"], ratio * other["ERROR"]), rel=1e-4, abs=1e-6)
    assert np.all(net["ERROR_HI"] > 0)


def test_calibration_discs_by_coordpnt_lie_where_ours_do(make):
    from xtendsrc.events.eventlist import read_header
    from xtendsrc.instrument import Geometry
    from xtendsrc.regions import calibration_discs

    header = read_header(STEADY / "events.fits.gz")
    theirs = heasoft.calibration_region(header)
    ours = calibration_discs(Geometry.from_header(header), "icrs")
    for a, b in zip(theirs.shapes, ours.shapes, strict=True):
        assert a.values == pytest.approx(b.values, abs=2e-4)


def test_a_header_without_a_pointing_has_no_calibration_discs(make):
    with pytest.raises(MissingKeywordError, match="RA_NOM"):
        heasoft.calibration_region(fits.Header())


def test_a_particle_background_needs_its_output_directory_before_it_starts(make, tmp_path):
    with pytest.raises(InputNotFoundError, match="nowhere"):
        heasoft.nxb_spectrum({}, RegionSet.read(STEADY / "src.reg"), tmp_path / "nowhere")


@pytest.fixture
def observation(tmp_path):
    root = tmp_path / "archive/900001010"
    uf, auxil = root / "xtend/event_uf", root / "auxil"
    uf.mkdir(parents=True)
    auxil.mkdir()
    shutil.copy(STEADY / "events.fits.gz", uf / "xa900001010xtd_p0300000a0_uf.evt.gz")
    (uf / "xa900001010xtd_p0300000a0_uf.bimg").write_bytes(gzip.decompress((STEADY / "bimg.fits.gz").read_bytes()))
    roles = {}
    for role in ("att", "orb", "gen_gti", "hk", "mkf", "ehk"):
        roles[role] = str(auxil / f"xa900001010_{role}.fits.gz")
        shutil.copy(STEADY / "ehk.fits.gz", roles[role])
    return uf, roles


def test_reprocessing_never_writes_into_the_archive(make, observation):
    uf, roles = observation
    with pytest.raises(TaskError, match="archive tree"):
        heasoft.process(uf, roles, uf.parent / "again")


def test_reprocessing_counts_errors_and_event_lists(make, observation, tmp_path):
    uf, roles = observation
    done = heasoft.process(uf, roles, tmp_path / "output", seed=11)
    assert done.result.parameters["numerrs"] == "0"
    assert any(p.name.endswith("_cl.evt") for p in done.files)
    assert "seed=11" in done.result.command
    shutil.copy(uf / "xa900001010xtd_p0300000a0_uf.bimg", uf / "xa900001010xtd_p032000010_uf.evt")
    with pytest.raises(TaskError, match=r"errors|cleaned events"):
        heasoft.process(uf, roles, tmp_path / "output2")
    assert not (tmp_path / "output2").exists()


def test_an_old_release_makes_no_arf(make, regions, standin, monkeypatch, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(standin, old)
    (old / "bin/fversion").write_text("#!/bin/sh\necho 01Jan2025_V6.34\n")
    monkeypatch.setenv("HEADAS", str(old))
    rmf = RMFRequest(spectrum=spectrum_of(regions["src"]), **WHERE)
    with pytest.raises(EngineUnavailableError, match=r"6\.36 or later"):
        make(RaytraceRequest(position=POSITION, expmap=EXPMAP, rmf=rmf, **WHERE))
