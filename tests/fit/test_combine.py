"""Sums of spectra against those of HEASoft's tasks where these are right, and against the law that a sum must keep."""

import numpy as np
import pytest
from astropy.io import fits

import xtendsrc as xs
from tests.fit.simple import dataset
from tests.products.ogip import DATA
from xtendsrc.errors import GridMismatchError, InputFileError, RequestError
from xtendsrc.fit.combine import combine, combine_responses
from xtendsrc.fit.data import read_dataset
from xtendsrc.responses.file import read_arf, read_rmf

FOLDER = DATA / "combine"
PAIRS = {"srca": "one", "srcb": "two", "srcc": "one"}


def read(name):
    links = {kind: FOLDER / f"{PAIRS[name]}.{kind}.gz" for kind in ("rmf", "arf")}
    return read_dataset(FOLDER / f"{name}.pha.gz", background=FOLDER / f"bkg{name[-1]}.pha.gz", **links)


@pytest.fixture(scope="module")
def pair():
    return read("srca"), read("srcb")


def test_counts_and_exposure_are_those_of_mathpha(pair):
    summed = combine(pair)
    with fits.open(FOLDER / "ab_keys.pha.gz") as hdus:
        np.testing.assert_array_equal(summed.source.counts, hdus["SPECTRUM"].data["COUNTS"])
        assert summed.source.exposure == pytest.approx(hdus["SPECTRUM"].header["EXPOSURE"], rel=1e-6)


def test_response_is_that_of_addspec(pair):
    """addspec weights matrix times area by exposure (where every AREASCAL is one)."""
    response = combine_responses(pair)
    wanted = read_rmf(FOLDER / "spec.rsp.gz")["matrix"].toarray()
    found = response.matrix.toarray() * response.area[:, None]
    known = wanted > 0  # elements below the task's threshold are left out by it
    assert np.abs(found - wanted)[known].max() < 4e-7 * wanted.max()
    assert found[~known].max() < 2e-5 * wanted.max()


def test_area_is_the_weighted_mean_of_addarf(pair):
    times = np.array([d.source.exposure for d in pair])
    areas = [read_arf(FOLDER / f"{n}.arf.gz")["area"] for n in ("one", "two")]
    np.testing.assert_allclose(combine_responses(pair).area, np.average(areas, axis=0, weights=times), rtol=1e-12)
    with fits.open(FOLDER / "add.arf.gz") as hdus:  # 0.6 of the first and 0.4 of the second
        np.testing.assert_allclose(0.6 * areas[0] + 0.4 * areas[1], hdus[1].data["SPECRESP"], rtol=4e-7)


def test_a_model_predicts_as_many_counts_in_the_sum_as_in_the_spectra():
    """Also where AREASCAL is 0.8 in one of them, which addspec gives to all with the same matrix."""
    three = [read(name) for name in PAIRS]
    assert three[2].source.areascal[0] == pytest.approx(0.8)
    summed = combine(three)
    photons = np.random.default_rng(1).random(summed.response.edges.size - 1)
    parts = [d.source.exposure * d.source.areascal * d.response.fold(photons) for d in three]
    whole = summed.source.exposure * summed.source.areascal * summed.response.fold(photons)
    np.testing.assert_allclose(whole, np.sum(parts, axis=0), rtol=1e-10, atol=1e-10 * whole.max())


def scaled(data):
    own, other = data.source, data.background
    return (
        other.counts * own.exposure * own.backscal * own.areascal / (other.exposure * other.backscal * other.areascal)
    )


def test_scaled_backgrounds_add_up(pair):
    summed = combine(pair)
    np.testing.assert_allclose(scaled(summed), scaled(pair[0]) + scaled(pair[1]), rtol=1e-9)
    assert summed.background.poisson  # source and background of each were seen as long, and the areas have one ratio


def test_backgrounds_of_different_ratios_are_weighted_and_no_counts_any_more():
    rng = np.random.default_rng(2)
    first = dataset(np.full(50, 9), background=rng.poisson(30, 50), back_backscal=3.0)
    other = dataset(np.full(50, 7), background=rng.poisson(50, 50), back_backscal=5.0)
    summed = combine([first, other])
    np.testing.assert_allclose(scaled(summed), scaled(first) + scaled(other), rtol=1e-12)
    assert not summed.background.poisson
    own = scaled(summed)[0] / summed.background.counts[0]
    variance = first.background.counts / 9 + other.background.counts / 25
    np.testing.assert_allclose(own**2 * summed.background.stat_error**2, variance, rtol=1e-12)


def test_backgrounds_of_one_ratio_stay_counts():
    same = dataset(np.full(50, 9), background=np.full(50, 4), back_backscal=3.0)
    other = dataset(np.full(50, 7), exposure=500.0, background=np.full(50, 2), back_backscal=3.0)
    summed = combine([same, other])
    assert summed.background.poisson
    assert (summed.background.counts == 6).all()
    np.testing.assert_allclose(scaled(summed), 2.0)
    assert summed.select(None, "none").ratio[0] == pytest.approx(1 / 3)


def test_what_cannot_be_added_is_refused(pair):
    with pytest.raises(RequestError, match="One spectrum"):
        combine(pair[:1])
    with pytest.raises(RequestError, match="background and some have none"):
        combine([dataset(np.full(50, 9)), dataset(np.full(50, 9), background=np.full(50, 4))])
    links = {"background": FOLDER / "bkga.pha.gz", "arf": FOLDER / "othergrid.arf.gz"}
    shifted = read_dataset(FOLDER / "srca.pha.gz", rmf=FOLDER / "othergrid.rmf.gz", **links)
    with pytest.raises(GridMismatchError, match="different energies"):
        combine([pair[0], shifted])
    links["arf"] = FOLDER / "one.arf.gz"
    moved = read_dataset(FOLDER / "srca.pha.gz", rmf=FOLDER / "ebshift.rmf.gz", **links)
    with pytest.raises(GridMismatchError, match=r"channels .* different energies"):
        combine([pair[0], moved])


def spectrum(name):
    links = {kind: FOLDER / f"{PAIRS[name]}.{kind}.gz" for kind in ("rmf", "arf")}
    return xs.Spectrum.read(FOLDER / f"{name}.pha.gz", background=FOLDER / f"bkg{name[-1]}.pha.gz", **links)


def test_files_of_a_sum_are_read_back_the_same(tmp_path, pair):
    summed = xs.combine_spectra([spectrum("srca"), spectrum("srcb")], tmp_path, "both")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["both.arf", "both.pi", "both.rmf", "both_bkg.pi"]
    direct = combine(pair)
    np.testing.assert_array_equal(summed.counts, direct.source.counts)
    np.testing.assert_allclose(summed.rmf.matrix.toarray(), direct.response.matrix.toarray(), rtol=1e-12)
    np.testing.assert_allclose(summed.arf.area_cm2, direct.response.area)
    np.testing.assert_array_equal(summed.background.counts, direct.background.counts)
    with fits.open(summed.path) as hdus:
        time = np.sum(hdus["GTI"].data["STOP"] - hdus["GTI"].data["START"])
    singles = []
    for name in ("srca", "srcb"):
        with fits.open(FOLDER / f"{name}.pha.gz") as hdus:
            singles.append(np.sum(hdus["GTI"].data["STOP"] - hdus["GTI"].data["START"]))
    assert time == pytest.approx(sum(singles))
    with pytest.raises(InputFileError, match=r"has both.arf.* already"):
        xs.combine_spectra([spectrum("srca"), spectrum("srcb")], tmp_path, "both")


def test_read_out_modes_are_not_mixed_unawares(tmp_path):
    path = tmp_path / "burst.pha"
    with fits.open(FOLDER / "srcb.pha.gz") as hdus:
        hdus["SPECTRUM"].header["DATACLAS"] = "31200010"
        hdus.writeto(path)
    links = {kind: FOLDER / f"two.{kind}.gz" for kind in ("rmf", "arf")}
    burst = xs.Spectrum.read(path, background=FOLDER / "bkgb.pha.gz", **links)
    with pytest.raises(RequestError, match=r"different modes.*30000.*31200.*mixed=True"):
        xs.combine_spectra([spectrum("srca"), burst], tmp_path / "out")
    assert xs.combine_spectra([spectrum("srca"), burst], tmp_path / "out", mixed=True).counts.sum() > 0
