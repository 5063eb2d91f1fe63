"""Native exposure maps and BACKSCAL against a second program, at other places, rolls and bins than the golden ones."""

import numpy as np
import pytest
from astropy.io import fits

from tests.engines.agreement import cases
from xtendsrc.events.gti import GTI
from xtendsrc.measure.attitude import attitude_bins
from xtendsrc.measure.backscal import backscal
from xtendsrc.measure.detector import Detector, detector_of
from xtendsrc.measure.ehk import read_attitude
from xtendsrc.measure.exposure import exposure_map
from xtendsrc.measure.focalplane import FocalPlane
from xtendsrc.regions import RegionSet

START = cases.MISSION
GOOD = [(START + 0.25, START + 1200.0), (START + 1900.5, START + 2400.75), (START + 2410.0, START + 2411.5)]

# nominal RA, Dec, roll; wander in arcmin and degrees of roll; delta, numphi; calibration sources masked
PLACES = {
    "south": ((81.259, -69.0, 264.638), 0.8, 0.02, (0.7, 2), True),
    "pole": ((10.0, 85.0, 33.0), 0.6, 0.05, (0.5, 3), False),
    "east of zero": ((0.05, 12.5, 90.0), 0.4, 0.0, (0.5, 3), True),
    "west of zero": ((359.95, -30.0, 180.0), 0.4, 0.03, (0.7, 1), False),
    "steady": ((200.0, 0.0, 45.0), 0.0, 0.0, (20, 1), True),
}


def write_ehk(path, nominal, wander, turn):
    """One row a second; the optical axis 0.3 arcmin from the spacecraft's."""
    time = START - 10 + np.arange(2500.0)
    phase = 2 * np.pi * (time - START + 0.3) / 700.0
    dec = nominal[1] + wander / 60 * np.cos(1.7 * phase)
    ra = nominal[0] + wander / 60 * np.sin(phase) / np.cos(np.radians(nominal[1]))
    values = {"TIME": time, "RA": ra, "DEC": dec, "ROLL": nominal[2] + turn * np.sin(2.3 * phase)}
    values |= {"SXI_RA_PNT": ra, "SXI_DEC_PNT": dec + 0.3 / 60}
    header = fits.Header({"RA_NOM": nominal[0], "DEC_NOM": nominal[1], "PA_NOM": nominal[2]})
    header.update({"RA_OBJ": nominal[0], "DEC_OBJ": nominal[1], "MJDREFI": 58484, "MJDREFF": 8.0074074074e-4})
    columns = [fits.Column(name, "1D", array=array) for name, array in values.items()]
    fits.BinTableHDU.from_columns(columns, header=header, name="EHK").writeto(path)


def write_detector(folder):
    """The strips of a window with bad rows, columns and pixels, a calibration source; flickering pixels in spans."""
    rng = np.random.default_rng(8)
    codes = np.full((1810, 1810), -1, dtype=np.int16)
    for x, y in cases.STRIPS:
        codes[y - 1 : y + 639, x - 1 : x + 79] = 0
    j, i = np.indices(codes.shape)
    codes[(codes == 0) & (np.hypot(i + 1 - 733, j + 1 - 1480) <= 40)] = 1
    codes[(codes == 0) & ((i % 80 == 33) | (j == 700) | (rng.random(codes.shape) < 0.01))] = 2
    fits.PrimaryHDU(codes).writeto(folder / "bad.fits")
    y, x = np.nonzero(codes == 0)
    pick = rng.choice(len(x), 300, replace=False)
    first = START + rng.uniform(-50, 1000, 300)
    spans = [np.repeat(x[pick] + 1, 2), np.repeat(y[pick] + 1, 2)]
    spans += [np.stack([first, first + 150], axis=1).ravel(), np.stack([first + 90, first + 400], axis=1).ravel()]
    forms = (("DETX", "1I"), ("DETY", "1I"), ("START", "1D"), ("STOP", "1D"))
    columns = [fits.Column(name, form, array=array) for (name, form), array in zip(forms, spans, strict=True)]
    fits.BinTableHDU.from_columns(columns, name="PIXELS").writeto(folder / "flicker.fits")


def task(both, width, mask, pixels):
    parameters = {"ehkfile": "ehk.fits", "gtifile": "good.fits", "instrume": "XTEND", "badimgfile": "bad.fits"}
    parameters |= {"pixgtifile": pixels, "outfile": "map.fits", "outmaptype": "EXPOSURE", "delta": width[0]}
    parameters |= {"numphi": width[1], "maskcalsrc": "yes" if mask else "no", "instmap": "inst.fits"}
    assert both.task("xaexpmap", **parameters, logfile="NONE") == 0


@pytest.fixture
def observation(bench):
    """Write the files of one place, and make the map with the task: ``observation(name, pixels)``."""

    def make(name, pixels="NONE"):
        nominal, wander, turn, width, mask = PLACES[name]
        both = bench(cases.draw(1))
        write_ehk(both.folder / "ehk.fits", nominal, wander, turn)
        write_detector(both.folder)
        cases.write_gti(both.folder / "good.fits", GOOD, fits.Header())
        header = fits.Header({"FOC_XOFF": -172.5, "FOC_YOFF": -174.5})
        fits.writeto("inst.fits", (fits.getdata("bad.fits") >= 0).astype(np.int16), header)
        task(both, width, mask, pixels)
        return both, read_attitude("ehk.fits"), width, mask

    return make


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        ("south", "flicker.fits"),
        ("pole", "NONE"),
        ("east of zero", "NONE"),
        ("west of zero", "NONE"),
        ("steady", "flicker.fits"),
    ],
)
def test_maps(observation, name, pixels):
    _, attitude, width, mask = observation(name, pixels)
    header = fits.Header({"DATACLAS": "31100010"})
    detector = detector_of("bad.fits", header, None if pixels == "NONE" else pixels, mask)
    good = GTI.from_pairs(GOOD)
    made = exposure_map(attitude, good, detector, FocalPlane(), "SKY", width)
    with fits.open("map.fits") as theirs:
        assert np.abs(made.data - theirs[0].data).max() < 3e-7 * good.total
        table = theirs["OFFAXISHIST"].data
        assert len(table) == len(made.bins)
        assert (len(table) > 1) == (name != "steady")
        mine = [(*b.theta, *b.phi, b.seconds, b.seconds / good.total, *b.pointing, *b.axis) for b in made.bins]
        for row, one in zip(table, mine, strict=True):
            np.testing.assert_allclose(one, list(row), rtol=1e-9, atol=2e-6)
        assert theirs["OFFAXISHIST"].header["EXPOSURE"] == pytest.approx(made.exposure, abs=1e-6)


def test_backscal_with_every_norm(observation):
    both, *_ = observation("steady")
    spectrum = both.extractor("phafile", "", "circle", binf=1)
    assert spectrum["SPECTRUM"].header["BACKSCAL"] > 0
    with fits.open("map.fits") as hdus:
        data, total = hdus[0].data.astype(float), hdus["OFFAXISHIST"].header["EXPOSURE"]
    middle = [round(float(np.average(np.arange(1, 2431), weights=data.sum(axis=axis)))) for axis in (0, 1)]
    text = f"physical\ncircle({middle[0]},{middle[1]},70)\n-box({middle[0]},{middle[1] + 20},31,12,20)\n"
    (both.folder / "part.reg").write_text(text)
    mask = RegionSet.read(both.folder / "part.reg").image_mask(((1, 2430), (1, 2430)))
    for norm, value in (("EXPOSURE", total), ("MAX", data[mask].max()), ("10000.0", 1e4)):
        given = {"infile": "phafile.out", "regfile": "part.reg", "expfile": "map.fits", "norm": norm}
        assert both.task("ahbackscal", **given, logfile="NONE") == 0
        found = fits.getval("phafile.out", "BACKSCAL", "SPECTRUM")
        assert backscal(data, mask, value) == pytest.approx(found, rel=1e-7)


def test_a_pointing_across_zero_hours_is_like_any_other(tmp_path):
    """The task averages RA as a number; the map of a pointing must not depend on where RA counts from."""
    codes = np.full((1810, 1810), -1, dtype=np.int16)
    codes[600:640, 700:780] = 0
    maps = []
    for number, ra in enumerate((0.0, 140.0)):
        write_ehk(tmp_path / f"ehk{number}.fits", (ra, -40.0, 70.0), 0.7, 0.02)
        with fits.open(tmp_path / f"ehk{number}.fits", mode="update") as hdus:
            for name in ("RA", "SXI_RA_PNT"):
                hdus[1].data[name] %= 360.0
        attitude = read_attitude(tmp_path / f"ehk{number}.fits")
        maps.append(exposure_map(attitude, GTI.from_pairs(GOOD), Detector(codes), FocalPlane(), "SKY", (0.6, 2)))
    assert len(maps[0].bins) == len(maps[1].bins) > 2
    np.testing.assert_allclose(maps[0].data, maps[1].data, rtol=0, atol=1e-5)


def test_a_row_alone_at_the_end_of_an_interval_makes_no_bin(tmp_path):
    """The pointing leaves for another bin at the very second at which the good time ends."""
    write_ehk(tmp_path / "ehk.fits", (10.0, 0.0, 0.0), 0.0, 0.0)
    with fits.open(tmp_path / "ehk.fits", mode="update") as hdus:
        late = hdus[1].data["TIME"] >= START + 1000
        for name in ("DEC", "SXI_DEC_PNT"):
            hdus[1].data[name][late] += 5 / 60
    bins = attitude_bins(read_attitude(tmp_path / "ehk.fits"), GTI([START], [START + 1000]), 1.0, 1)
    assert [one.seconds for one in bins] == [1000.0]
