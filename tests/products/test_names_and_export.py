"""Names of files that people recognise, spectra exported with what belongs to them, products that sources share."""

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits

import xtendsrc as xs
from xtendsrc.errors import RequestError

ONE = {"obs_id": "900001010"}


@pytest.fixture(scope="module")
def made(archive, position, tmp_path_factory):
    """A source whose spectrum is made."""
    out = tmp_path_factory.mktemp("out")
    source = xs.PointSource(position, 2 * u.arcmin, name="NGC 1234", archive=archive, output=out)
    with xs.settings(progress=False):
        spectrum = source.spectrum(response="nominal", grouping="min 5", **ONE).compute()
    return source, spectrum


def test_file_names_tell_source_and_role(made):
    _, spectrum = made
    start = "xa900001010xtd_300000a0_"
    assert spectrum.path.name.startswith(f"{start}NGC_1234_pha_")
    assert spectrum.background.path.name.startswith(f"{start}NGC_1234_bkg_pha_")
    assert spectrum.rmf.path.name.startswith(f"{start}NGC_1234_rmf-NOMINAL_")
    names = sorted(p.name for p in spectrum.path.parent.glob("*.fits"))
    assert sum("_NGC_1234_bkg_" in name for name in names) == 2  # as extracted, and scaled
    assert sum(name.startswith(f"{start}expmap") for name in names) == 1  # it belongs to the data class
    links = fits.getheader(spectrum.path, "SPECTRUM")
    assert links["BACKFILE"] == spectrum.background.path.name
    assert (spectrum.path.parent / links["ANCRFILE"]).is_file()


@pytest.mark.parametrize("name", ["a" * 200, "Ω Cen / <core>", "1ES 1959+650", "...", "x y " * 30])
def test_names_of_linked_files_fit_into_one_card(made, name):
    _, spectrum = made
    for request in spectrum.request.walk():
        for role in ("", "bkg"):
            file = request.file_name(name, role)
            assert len(file) <= 68
            assert file.isascii()
            assert not set(file) & set(" /<>|\\'\"[]()")
            assert file.endswith(f"_{request.key[:8]}.fits")


def test_the_name_does_not_enter_the_key(made, archive, position):
    source, spectrum = made
    other = xs.PointSource(position, 2 * u.arcmin, name="another", archive=archive, output=source.registry)
    again = other.spectrum(response="nominal", grouping="min 5", **ONE)
    assert again.key == spectrum.key
    assert again.status == "ready"
    before = again.path
    again.compute(force=True)
    assert again.path == before  # one file, whoever has it made
    assert len(list(before.parent.glob(f"*{again.key[:8]}.fits"))) == 1


def test_a_shared_product_belongs_to_all_who_asked(archive, position, tmp_path):
    registry = xs.Registry(tmp_path / "out")
    near = position.directional_offset_by(0 * u.deg, 3 * u.arcmin)
    one, two = (
        xs.PointSource(p, 1 * u.arcmin, name=n, archive=archive, output=registry)
        for p, n in ((position, "one"), (near, "two"))
    )
    xs.compute(one.images(binning=8, **ONE), two.images(binning=8, **ONE))
    for name in ("one", "two"):
        assert registry.table(source=name)["kind"].tolist() == ["image"]
    three = xs.PointSource(near, 1 * u.arcmin, name="three", archive=archive, output=registry)
    report = xs.compute(three.images(binning=8, **ONE))
    assert (len(report.made), len(report.ready)) == (0, 1)
    assert len(xs.Registry(tmp_path / "out").table(source="three")) == 1
    assert xs.Sample([one, two, three]).table()["ready"].tolist() == [1, 1, 1]
    read_only = xs.Registry(tmp_path / "out", read_only=True)
    four = xs.PointSource(near, 1 * u.arcmin, name="four", archive=archive, output=read_only)
    assert len(xs.compute(four.images(binning=8, **ONE)).ready) == 1


def test_an_exported_spectrum_reads_the_same_anywhere(made, tmp_path):
    _, spectrum = made
    paths = spectrum.export(tmp_path / "there" / "agn")
    assert {role: path.name for role, path in paths.items()} == {
        "spectrum": "agn.pi",
        "background": "agn_bkg.pi",
        "rmf": "agn.rmf",
        "arf": "agn.arf",
    }
    (tmp_path / "there").rename(tmp_path / "moved")
    again = xs.Spectrum.read(tmp_path / "moved" / "agn.pi")
    np.testing.assert_array_equal(again.counts, spectrum.counts)
    np.testing.assert_array_equal(again.grouping, spectrum.grouping)
    np.testing.assert_array_equal(again.background.counts, spectrum.background.counts)
    np.testing.assert_allclose(again.background_scale, spectrum.background_scale)
    np.testing.assert_array_equal(again.arf.area_cm2, spectrum.arf.area_cm2)
    assert (again.rmf.matrix != spectrum.rmf.matrix).nnz == 0
    assert again.response_kind == "nominal"
    with fits.open(tmp_path / "moved" / "agn.pi", checksum=True) as hdus:
        assert not [key for key in hdus[0].header if key.startswith("XTS")]
        assert [hdu.verify_checksum() for hdu in hdus] == [1] * len(hdus)


def test_exports_do_not_overwrite_and_may_be_of_counts_alone(made, tmp_path):
    source, spectrum = made
    spectrum.export(tmp_path / "a")
    with pytest.raises(RequestError, match=r"a\.rmf"):
        spectrum.export(tmp_path / "a")
    spectrum.export(tmp_path / "a", overwrite=True)
    raw = source.dataclasses("900001010")[0].spectrum(source.region)
    assert list(raw.export(tmp_path / "raw")) == ["spectrum"]
    assert fits.getheader(tmp_path / "raw.pi", "SPECTRUM")["BACKFILE"] == "none"
    for name in ("", "b" * 80):
        with pytest.raises(RequestError, match="name"):
            spectrum.export(name)
