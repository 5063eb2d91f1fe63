"""The HDF5 files of an output directory in the hands of somebody who has h5py and has never heard of xtendsrc."""

from __future__ import annotations

import json
from pathlib import Path

import astropy.units as u
import h5py
import numpy as np
import pytest
from astropy.io import fits


@pytest.fixture(scope="module")
def output(star):
    return Path(star.registry.root)


def opened(output, product):
    with h5py.File(output / "registry.h5") as index:
        rows = index["index"][()]
        (row,) = rows[rows["key"] == product.key.encode()]
        link = index[f"products/{product.key[:2]}"].get(product.key, getlink=True)
    return h5py.File(output / link.filename), row


@pytest.mark.parametrize(
    ("declare", "extension"),
    [
        (lambda s: s.images(energy=(0.5, 2) * u.keV, binning=4, obs_id="900001010")[0], 0),
        (lambda s: s.lightcurves(bin=200 * u.s, obs_id="900001010")[0], "RATE"),
        (lambda s: s.spectra(response="nominal", obs_id="900001010")[0], "SPECTRUM"),
    ],
    ids=["image", "netcurve", "sourcespectrum"],
)
def test_a_stranger_finds_file_units_header_and_columns(star, output, declare, extension):
    product = declare(star)
    file, row = opened(output, product)
    with file, fits.open(product.path) as hdus:
        assert "fits_file" in file.attrs["about"]
        path = output / file.attrs["fits_file"].decode()
        assert path == product.path == output / row["path"].decode()
        assert json.loads(file["entry"][()])["kind"] == product.kind
        hdu = hdus[extension]
        header = fits.Header.fromstring(file["arrays/header"].asstr()[()], sep="\n")
        assert len(header) > 20  # all but the stamps and checksums that the file got when it was committed
        kept = [key for key in header if key not in ("HISTORY", "COMMENT", "", "CHECKSUM")]
        assert {key: header[key] for key in kept} == {key: hdu.header[key] for key in kept}
        if extension == 0:
            np.testing.assert_array_equal(file["arrays/image"][()], hdu.data)
            assert file["arrays/image"].attrs["units"] == hdu.header["BUNIT"]
            return
        table = file[f"arrays/{extension} columns"]
        assert list(table.dtype.names) == hdu.columns.names
        assert list(table.attrs["units"]) == [unit or "" for unit in hdu.columns.units]
        for name in hdu.columns.names:
            np.testing.assert_array_equal(table[name], hdu.data[name])


def test_the_index_says_what_its_columns_are(output, star):
    star.registry.fold()
    with h5py.File(output / "registry.h5") as index:
        for name in ("index", "fingerprints"):
            table = index[name]
            units = dict(zip(table.dtype.names, table.attrs["units"], strict=True))
            assert (units["size"], units["mtime_ns"]) == ("byte", "ns")
            assert all(column in table.attrs["about"] for column in ("size", "mtime_ns"))
        assert index.attrs["about"]
