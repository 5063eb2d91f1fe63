"""Files opened by the wrong class, and other questions that have no answer."""

from __future__ import annotations

import astropy.units as u
import pytest
from astropy.io import fits

import xtendsrc as xs
from xtendsrc.errors import InputFileError, InputNotFoundError, RequestError
from xtendsrc.measure.grouping import Scheme

KINDS = ("Image", "ExpMap", "LightCurve", "Spectrum")


@pytest.fixture
def files(star):
    products = {
        "Image": star.image(obs_id="900001010", energy=(0.5, 2) * u.keV, binning=4),
        "ExpMap": star.expmap(obs_id="900001010", binning=4),
        "LightCurve": star.lightcurve(obs_id="900001010", bin=200 * u.s),
        "Spectrum": star.spectrum(obs_id="900001010", response="nominal"),
    }
    return {name: product.path for name, product in products.items()}


def content_of(name, path):
    product = getattr(xs, name).read(path)
    return {"LightCurve": lambda p: p.table, "Spectrum": lambda p: p.counts}.get(name, lambda p: p.data)(product)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_a_file_is_opened_as_what_it_is_and_as_nothing_else(files, name, other):
    if name == other:
        assert len(content_of(name, files[other])) > 0
    else:
        with pytest.raises(InputFileError, match=files[other].name):
            content_of(name, files[other])


def test_files_of_others_are_told_by_what_they_hold(tmp_path, files):
    bare = tmp_path / "bare.fits"
    for name in ("LightCurve", "Spectrum"):
        with fits.open(files[name]) as hdus:
            del hdus[0].header["XTSKIND"]
            hdus.writeto(bare, overwrite=True, output_verify="ignore")
        assert len(content_of(name, bare)) > 0
        with pytest.raises(InputFileError, match="is no image file"):
            content_of("Image", bare)
    with pytest.raises(InputFileError, match="has no RATE extension; it has PRIMARY, SPECTRUM"):
        content_of("LightCurve", bare)


@pytest.mark.parametrize(
    ("texts", "spelling"),
    [
        (("min 1", "MIN 1", " min   01 "), "min 1"),
        (("constant 4", "Constant  4"), "constant 4"),
        (("fwhm/3", "FWHM / 3", "fwhm/3.0"), "fwhm/3"),
        (("fwhm/3, background >= 1", "fwhm/3 background 1"), "fwhm/3, background >= 1"),
        (("fwhm/2.5, counts >= 10",), "fwhm/2.5, counts >= 10"),
        (("min 2000000",), "min 2000000"),
        ((None, "", "none", " None "), None),
    ],
)
def test_one_grouping_has_one_spelling_and_so_one_product(star, texts, spelling):
    for text in texts:
        assert Scheme.parse(text).text == spelling
        assert Scheme.parse(spelling) == Scheme.parse(text)
    keys = {star.spectrum(obs_id="900001010", grouping=text, response="nominal").key for text in texts}
    assert len(keys) == 1


def test_a_picture_needs_the_ending_of_one(star, tmp_path):
    for name in ("picture.foo", "picture"):
        with pytest.raises(RequestError, match="png"):
            star.image(obs_id="900001010", energy=(0.5, 2) * u.keV, binning=4).save_view(tmp_path / name)
    assert list(tmp_path.glob("picture*")) == []


def test_a_name_is_text(position, archive, tmp_path):
    with pytest.raises(RequestError, match="The name 5 of a source is not text"):
        xs.PointSource(position, name=5, archive=archive, output=tmp_path)


def test_a_sample_says_what_is_wrong_with_its_file(archive, tmp_path):
    place = {"archive": archive, "output": tmp_path / "out"}
    with pytest.raises(InputNotFoundError, match=r"gone\.csv"):
        xs.Sample.from_table(tmp_path / "gone.csv", **place)
    odd = tmp_path / "odd.xyz"
    odd.write_bytes(b"\x00\x01\x02")
    with pytest.raises(InputFileError, match=r"odd\.xyz cannot be read as a table"):
        xs.Sample.from_table(odd, **place)
