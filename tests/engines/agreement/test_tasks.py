"""Net curves and groupings against a second program's lcmath, grppha and ftgrouppha."""

import numpy as np
import pytest
from astropy.io import fits

from tests.engines.agreement import cases
from xtendsrc.measure.grouping import group
from xtendsrc.measure.netcurve import read_curve, subtract


@pytest.mark.parametrize("docor", ["yes", "no"])
@pytest.mark.parametrize("mode", ["31300010", "31200010"])
def test_net_curves_of_burst_modes(bench, mode, docor):
    """The live fraction divides all rates once, or not at all; errors add in quadrature."""
    case = cases.draw(11)
    case.dataclass, case.live = mode, "DEADC"
    both = bench(case)
    for name in ("circle", "annulus"):
        both.extractor("fitsbinlc", "[PI=83:1666]", name, binlc=160, lcthresh=0)
        (both.folder / "fitsbinlc.out").rename(f"{name}.lc")
    given = {"infile": "circle.lc", "bgfile": "annulus.lc", "outfile": "net.lc", "multb": 0.4375, "err_mode": 2}
    assert both.task("lcmath", **given, multi=1, addsubr="no", docor=docor) == 0
    (source, header), (background, _), (theirs, _) = (read_curve(f"{n}.lc") for n in ("circle", "annulus", "net"))
    deadc = header["DEADC"] if docor == "yes" else 1.0
    assert (deadc < 1) == (docor == "yes")
    ours = subtract(source, background, 0.4375, deadc)
    for name in ("TIME", "RATE", "ERROR", "FRACEXP"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=3e-7, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("least", [1, 3, 20, 25, 5000])
def test_groups_of_at_least_so_many_counts(bench, least):
    both = bench(cases.draw(12))
    counts = both.extractor("phafile", "", "circle", binf=1)["SPECTRUM"].data["COUNTS"]
    ours = group(counts, f"min {least}")
    given = {"infile": "phafile.out", "comm": f"group min {least}", "tempc": "exit", "outfile": "grp.pha"}
    assert both.task("grppha", **given) == 0
    given = {"infile": "phafile.out", "outfile": "ft.pha", "grouptype": "min", "groupscale": least}
    assert both.task("ftgrouppha", **given) == 0
    for name in ("grp.pha", "ft.pha"):
        table = fits.getdata(name, "SPECTRUM")
        np.testing.assert_array_equal(ours.grouping, table["GROUPING"], err_msg=name)
        np.testing.assert_array_equal(ours.quality, table["QUALITY"], err_msg=name)
