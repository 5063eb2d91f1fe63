"""The engine that talks to PyXspec, against a stand-in that speaks its protocol and misbehaves as XSPEC does."""

import os
import subprocess
import sys
import time
from pathlib import Path

import astropy.units as u
import numpy as np
import psutil
import pytest
from astropy.io import fits

import xtendsrc as xs
import xtendsrc.testing.xspec
from tests.fit.simple import FLAT, dataset
from xtendsrc.errors import EngineUnavailableError, FitError
from xtendsrc.fit import engines, native, xspec
from xtendsrc.fit.background import BackgroundModel, with_backgrounds
from xtendsrc.fit.model import parse
from xtendsrc.fit.options import FitOptions
from xtendsrc.fit.parameters import Choices, Term
from xtendsrc.fit.xspecscript import parse_result_text

STANDIN = Path(xtendsrc.testing.xspec.__file__).parent
ROOT = Path(xtendsrc.__file__).parents[1]


def runner(fault="", timeout=120.0):
    path = os.pathsep.join([str(STANDIN), str(ROOT)])
    return xspec.XspecRunner(timeout=timeout, environment={"PYTHONPATH": path, "XSPEC_STANDIN": fault})


def flat_pair():
    rng = np.random.default_rng(1)
    return [dataset(rng.poisson(20.0, 50)), dataset(rng.poisson(12.0, 50), exposure=500.0)]


FLAT_OPTIONS = FitOptions(None, "constant 5", choices=Choices(**FLAT))


def agree(mine, other, within=0.05):
    assert mine.statistic == pytest.approx(other.statistic, abs=1e-3)
    assert mine.dof == other.dof
    for name, parameter in other.parameters.items():
        allowed = within * parameter.error if parameter.error > 0 else 1e-6
        assert mine.parameters[name].value == pytest.approx(parameter.value, abs=allowed), name


def test_pyxspec_gives_what_the_native_engine_gives(truth):
    spectrum = xs.Spectrum.read(next(truth.glob("src.pi*")))
    options = {"energy": (0.5, 10) * u.keV, "group": "fwhm/1"}
    direct = spectrum.fit("tbabs*powerlaw", **options)
    problem = direct.with_data().problem
    asked = FitOptions((0.5, 10.0), "fwhm/1", errors="profile")
    made = xspec.fit([s.dataset for s in problem.selections], problem.terms, asked, runner=runner())
    agree(made, direct.result)
    assert (made.engine, made.converged, made.statistic_name) == ("xspec", True, "wstat")
    index = made.parameters["powerlaw.PhoIndex"]
    assert index.profiled
    assert index.error == pytest.approx(direct.parameters["powerlaw.PhoIndex"].error, rel=0.02)
    np.testing.assert_allclose(made.covariance, direct.covariance, rtol=0.02)
    assert made.flux(2 * u.keV, 10 * u.keV).value == pytest.approx(direct.flux(2 * u.keV, 10 * u.keV).value, rel=1e-3)


def test_joint_fits_factors_and_ties_are_said_in_numbers():
    pair, terms = flat_pair(), [Term(parse("powerlaw"))]
    agree(xspec.fit(pair, terms, FLAT_OPTIONS, runner=runner()), native.fit(pair, terms, FLAT_OPTIONS))
    own = [Term(parse("powerlaw"), vary=("norm",))]
    tied = FitOptions(
        None,
        "constant 5",
        choices=Choices(FLAT["start"], (*FLAT["freeze"], "factor[2]"), (), {"powerlaw.norm[2]": "0.6 * powerlaw.norm"}),
    )
    job = xspec.plan(pair, own, tied).job
    assert {p.name: p.link for p in job.places if p.link} == {"powerlaw.norm[2]": "0.6 * p3"}
    agree(xspec.fit(pair, own, tied, runner=runner()), native.fit(pair, own, tied))


def test_background_models_have_their_own_response():
    rng = np.random.default_rng(2)
    one = dataset(rng.poisson(30.0, 50), background=rng.poisson(40.0, 50), back_backscal=4.0)
    both, terms = with_backgrounds([one], Term(parse("powerlaw")), {"nxb": BackgroundModel(parse("powerlaw"))})
    names = ("powerlaw.PhoIndex", "nxb:powerlaw.PhoIndex")
    options = FitOptions(None, "constant 5", choices=Choices(dict.fromkeys(names, 0.0), names))
    made = xspec.fit(both, terms, options, modelled=True, runner=runner())
    agree(made, native.fit(both, terms, options, modelled=True))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("crash", "ended by signal SIGSEGV: terminate called"),
        ("error", r"ended with code 1: .*No variable parameters for fit"),
        ("silent", "without a result"),
    ],
)
def test_failures_of_xspec_are_errors_that_hold_what_it_printed(fault, said):
    with pytest.raises(FitError, match=said) as caught:
        xspec.fit(flat_pair(), [Term(parse("powerlaw"))], FLAT_OPTIONS, runner=runner(fault))
    if fault != "silent":
        assert caught.value.log


def test_much_output_neither_blocks_nor_is_kept_whole():
    result = xspec.fit(flat_pair(), [Term(parse("powerlaw"))], FLAT_OPTIONS, runner=runner("chatty"))
    assert result.converged


def test_what_hangs_is_stopped_with_its_children(tmp_path):
    start = time.monotonic()
    with pytest.raises(FitError, match="took longer than 3 s and was stopped"):
        xspec.fit(flat_pair(), [Term(parse("powerlaw"))], FLAT_OPTIONS, runner=runner("hang", timeout=3.0))
    assert time.monotonic() - start < 15
    mine = psutil.Process().children(recursive=True)
    assert not [p for p in mine if "fit.py" in " ".join(p.cmdline())]


def test_xspec_ends_with_the_process_that_asked_for_it(tmp_path):
    script = """
import sys
from tests.fit.test_xspec import FLAT_OPTIONS, flat_pair, runner
from xtendsrc.fit import xspec
from xtendsrc.fit.model import parse
from xtendsrc.fit.parameters import Term
xspec.fit(flat_pair(), [Term(parse("powerlaw"))], FLAT_OPTIONS, runner=runner("hang"))
"""
    tests = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(tests)]), "TMPDIR": str(tmp_path)}
    asking = subprocess.Popen([sys.executable, "-c", script], cwd=tests, env=environment)
    deadline = time.monotonic() + 60
    while not (found := _running(tmp_path)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert found
    asking.kill()
    asking.wait()
    _, alive = psutil.wait_procs(found, timeout=5)
    assert not alive


def _running(folder):
    """The processes that run in a scratch folder below this one."""
    found = []
    for process in psutil.process_iter(["cwd"]):
        if (process.info["cwd"] or "").startswith(str(folder)):
            found.append(process)
    return found if len(found) > 1 else []


def test_pyxspec_is_never_imported_here():
    assert "xspec" not in sys.modules


def test_the_program_is_asked_in_its_own_language(tmp_path):
    """A stand-in for the program ``xspec`` that answers in the form that the commands ask for."""
    program = tmp_path / "xspec"
    answer = "statistic 12.5 12.5001\nparam powerlaw.PhoIndex 0 0.01\nsigma powerlaw.PhoIndex -1\n"
    answer += "param powerlaw.norm 0.004 0.01\nsigma powerlaw.norm 1e-4\n"
    answer += "param factor[2] 1.2 0.01\nsigma factor[2] 0.1\ncovariance 1e-8 0 0.01\n"
    program.write_text(f'#!/bin/sh\ntest "$2" = fit.xcm || exit 3\ncat > result.txt <<"EOF"\n{answer}EOF\n')
    program.chmod(0o755)
    how = xspec.XspecRunner("", str(program))
    result = xspec.fit(flat_pair(), [Term(parse("powerlaw"))], FLAT_OPTIONS, runner=how)
    assert (result.statistic, result.converged) == (12.5, True)
    assert result.parameters["factor[2]"].value == 1.2
    assert result.parameters["powerlaw.norm"].error == pytest.approx(1e-4)
    assert result.covariance[1, 1] == 0.01


def test_the_plan_can_be_read_and_written(tmp_path):
    made = xspec.plan(flat_pair(), [Term(parse("powerlaw"))], FLAT_OPTIONS)
    folder = made.write(tmp_path / "plan")
    compile(made.pyxspec, "fit.py", "exec")
    assert 'AllData("1:1 spectrum1.pi 2:2 spectrum2.pi")' in made.pyxspec
    commands = made.xcm.splitlines()
    assert "data 1:1 spectrum1.pi 2:2 spectrum2.pi" in commands
    assert "model constant*(powerlaw) & /*" in commands
    assert "freeze 1" in commands  # the constant of the first spectrum
    assert "thaw 4" in commands  # that of the second
    with fits.open(folder / "spectrum1.pi") as hdus:
        table = hdus["SPECTRUM"]
        assert table.header["RESPFILE"] == "response1.rmf"
        np.testing.assert_array_equal(table.data["GROUPING"].reshape(-1, 5), [[1, -1, -1, -1, -1]] * 10)


def test_answers_of_the_program_are_read():
    found = parse_result_text("statistic 3 4\nparam a.b 1.5 0.1 0 0 2 2\nerror a.b 1 2 FFFFFFFFF 1 1\n")
    assert (found["statistic"], found["converged"]) == (3.0, False)
    assert found["parameters"]["a.b"] == {"value": 1.5, "sigma": -1.0, "error": [1.0, 2.0, "FFFFFFFFF"]}


def test_without_any_engine_the_error_names_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(engines, "available", lambda engine: "" if engine == "native" else "it is not here")
    model = parse("tbabs*(powerlaw + vrnei)")
    with pytest.raises(EngineUnavailableError, match=r"does not know vrnei.*xspec: it is not here.*install HEASoft"):
        engines.choose([model])
    assert engines.choose([parse("powerlaw")]) == "native"
    with (
        xs.settings(atomdb=tmp_path),
        pytest.raises(EngineUnavailableError, match=r"AtomDB's tables.*fetch"),
    ):
        engines.choose([parse("tbabs*apec")], "native")
