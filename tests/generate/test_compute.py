"""Batches: made once, remade when something changes, one failure stopping nothing else."""

import hashlib
import os
import pickle
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits

import xtendsrc as xs
from xtendsrc.errors import (
    AmbiguousProductError,
    CalibrationMissingError,
    EngineUnavailableError,
    NoObservationsError,
    ProductError,
    RequestError,
    XtendsrcWarning,
)


@pytest.fixture
def own(archive, tmp_path):
    """An observation whose files the test may change."""
    shutil.copytree(archive / "900001010", tmp_path / "archive" / "900001010")
    return xs.Observation(tmp_path / "archive" / "900001010", output=tmp_path / "out").dataclasses["300000a0"]


def test_declaring_makes_nothing_and_computing_twice_makes_it_once(full, tmp_path):
    images = full.images([(0.5, 2), (2, 10)] * u.keV, binning=(2, 4))
    assert [repr(i) for i in images]
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").rglob("*.fits"))
    assert {i.status for i in images} == {"missing"}
    first = xs.compute(images)
    assert (len(first.made), len(first.ready), len(first.failed)) == (4, 0, 0)
    stamps = {i.path: i.path.stat().st_mtime_ns for i in images}
    again = xs.compute(images)
    assert (len(again.made), len(again.ready)) == (0, 4)
    assert {p: p.stat().st_mtime_ns for p in stamps} == stamps
    assert len(xs.plan(images)) == 0
    assert {i.status for i in images} == {"ready"}


def test_counts_are_those_of_the_event_file(full):
    """The event file itself, through astropy alone, is the truth."""
    with fits.open(full.file("events")) as hdus:
        pi = hdus["EVENTS"].data["PI"]
        assert full.image(channels=(83, 1666)).data.sum() == ((pi >= 83) & (pi <= 1666)).sum()
        assert full.spectrum().counts.sum() == (pi >= 0).sum()


def test_another_process_finds_the_products(full, archive, tmp_path):
    full.image(binning=4).compute()
    again = xs.Observation(archive / "900001010", output=tmp_path / "out").dataclasses["300000a0"].image(binning=4)
    assert again.status == "ready"
    assert again.provenance["engine"] == "native"


def test_a_changed_input_is_noticed_and_named(own):
    image = own.image(binning=4)
    image.compute()
    path = own.file("events")
    with fits.open(path) as hdus:
        hdus["EVENTS"].data = hdus["EVENTS"].data[:100]
        hdus.writeto(path, overwrite=True)
    fresh = xs.Observation(own.observation.path, output=own.registry.root).dataclasses["300000a0"].image(binning=4)
    assert fresh.status == "stale"
    assert os.path.basename(path) in fresh.status_reason  # noqa: PTH119 - a string, as the reason has it
    assert fresh.data.sum() <= 100
    assert fresh.status == "ready"


def test_a_touched_input_with_the_same_content_is_not_stale(own):
    image = own.image(binning=4)
    image.compute()
    os.utime(own.file("events"))
    assert image.status == "ready"


@pytest.mark.parametrize("damage", ["delete", "truncate", "overwrite"])
def test_a_damaged_product_is_made_again(full, damage):
    image = full.image(binning=4)
    path, truth = image.path, image.data.copy()
    if damage == "delete":
        path.unlink()
    elif damage == "truncate":
        path.write_bytes(path.read_bytes()[:5000])
    else:
        path.write_bytes(b"not FITS")
    assert image.status in ("missing", "stale")
    assert image.status_reason
    np.testing.assert_array_equal(image.data, truth)


def test_one_failure_stops_nothing_else_and_is_remembered(full, tmp_path):
    off_field = tmp_path / "off.reg"
    off_field.write_text("physical\ncircle(-500,-500,20)\n")
    bad, good = full.spectrum(region=off_field), full.image(binning=4)
    with pytest.warns(XtendsrcWarning, match="1 failed"):
        report = xs.compute(bad, good)
    assert [o.result for o in report.outcomes if o.key == good.key] == ["made"]
    assert len(report.failed) == 1
    assert "region" in report.failed[0].reason
    assert report.table["reason"][report.table["result"] == "failed"][0]
    assert bad.status == "failed"
    assert "region" in bad.status_reason
    with pytest.raises(ProductError, match="failed before"):
        _ = bad.data if hasattr(bad, "data") else bad.counts
    with pytest.raises(ProductError, match="region"):
        bad.compute()


def test_force_makes_again_only_what_was_asked_for(full):
    image = full.image(binning=4)
    first = image.compute().path.stat().st_mtime_ns
    assert xs.plan(image, force=True)["reason"][0] == "asked for again"
    image.compute(force=True)
    assert image.path.stat().st_mtime_ns > first


def test_eight_threads_make_it_once(full):
    made, barrier = [], threading.Barrier(8)

    def work():
        barrier.wait()
        report = xs.compute(full.image(binning=8))
        made.extend(report.made)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_settings_choose_the_engine_and_a_missing_one_is_an_error(full):
    with xs.settings(engine="heasoft"):
        table = xs.plan(full.image(binning=4))
    assert "HEASoft" in table["reason"][0]
    with pytest.raises(ProductError, match="HEASoft"):
        full.image(binning=4).compute(engine="heasoft")
    assert issubclass(CalibrationMissingError, EngineUnavailableError)


def test_a_calibrated_response_is_refused_with_the_way_out(source):
    spectrum = source.spectrum(obs_id="900001010", response="calibrated")
    with pytest.raises(ProductError, match='response="nominal"'):
        spectrum.rmf.compute()


def test_what_is_not_a_product_is_refused():
    with pytest.raises(RequestError, match="not a product"):
        xs.compute(5)


@pytest.mark.parametrize("options", [{"jobs": 0}, {"jobs": -1}, {"jobs": 1.5}, {"engine": "numpy"}])
def test_options_of_a_batch_are_checked(full, options):
    with pytest.raises(RequestError, match="Next step"):
        xs.compute(full.image(binning=8), **options)
    assert full.image(binning=8).status == "missing"


def test_an_engine_or_a_grouping_unknown_is_refused_when_declared(full, source):
    with pytest.raises(RequestError, match="numpy"):
        full.image(engine="numpy")
    with pytest.raises(RequestError, match="min20"):
        source.spectrum(obs_id="900001010", grouping="min20")


def test_a_rate_map_is_a_product_made_after_its_two_images(source):
    rates = source.ratemap(obs_id="900001010", binning=8)
    assert len(xs.compute(rates).made) == 3
    assert {rates.image.status, rates.expmap.status, rates.status} == {"ready"}
    exposed = np.isfinite(rates.data)
    seconds = rates.expmap.data[exposed] * rates.image.header["DEADC"]
    np.testing.assert_allclose(rates.data[exposed] * seconds, rates.image.data[exposed], rtol=1e-5, atol=1e-6)
    assert len(xs.compute(source.ratemap(obs_id="900001010", binning=8)).made) == 0


def test_what_an_engine_remarks_is_logged(full, caplog):
    """TIMEDEL is 4 s in full window."""
    with caplog.at_level("WARNING", logger="xtendsrc"):
        full.lightcurve(bin=200 * u.s).compute()
        assert not caplog.text
        full.lightcurve(bin=10 * u.s).compute()
    assert "10 s is not a multiple of the frame time 4 s" in caplog.text


def test_repeated_remarks_and_failures_are_one_line_a_batch(full, caplog, tmp_path):
    curves = full.lightcurves(bin=[10, 14, 18] * u.s, channels=[(83, 332), (333, 999)])
    with caplog.at_level("WARNING", logger="xtendsrc"):
        report = xs.compute(curves)
    (line,) = (r.getMessage() for r in caplog.records)
    assert line.startswith("900001010 300000a0 lightcurve_")
    assert "(and 5 more products): " in line
    assert line.endswith(report.made[0].warnings[0])
    off = [tmp_path / f"off{n}.reg" for n in range(4)]
    for number, path in enumerate(off):
        path.write_text(f"physical\ncircle(-{500 + number},-500,20)\n")
    with pytest.warns(XtendsrcWarning, match="4 failed") as caught:
        report = xs.compute([full.spectrum(region=path) for path in off])
    assert len(report.failed) == 4
    assert len(str(caught[0].message).splitlines()) == 2
    assert "(and 3 more products)" in str(caught[0].message)


def test_sources_travel(source):
    """Also after their observations were looked up."""
    image = source.image(obs_id="900001010")
    again = pickle.loads(pickle.dumps(source))
    assert again.image(obs_id="900001010").key == image.key
    assert repr(pickle.loads(pickle.dumps(xs.Sample([source])))[0]) == repr(source)


def test_the_choices_are_those_that_hold_the_source(source):
    """32000010 is the other half of the windowed observation and does not hold the star."""
    with pytest.raises(NoObservationsError) as caught:
        source.image(dataclass="32000010")
    assert "None" not in str(caught.value)
    assert "900002010 31100010" in caught.value.next_step
    assert "32000010" not in caught.value.next_step


def test_singular_methods_need_exactly_one(source):
    with pytest.raises(AmbiguousProductError, match="900002010") as caught:
        source.image()
    assert "dataclass=" in caught.value.next_step
    assert source.image(obs_id="900001010").obs_id == "900001010"
    assert len(source.images()) == 2
    with pytest.raises(NoObservationsError, match="choose among"):
        source.image(obs_id="900009990")


def test_an_input_that_cannot_be_read_fails_its_products_only(own):
    Path(own.file("bimg")).unlink()
    os.mkfifo(own.file("bimg"))
    bad, good = own.expmap(binning=8), own.image(binning=8)
    report = xs.compute(bad, good, quiet=True, progress=False)
    assert [o.key for o in report.made] == [good.key]
    assert "not a regular file" in report.failed[0].reason
    assert bad.status == "missing"


def test_a_product_carries_the_digest_of_what_was_read_or_is_not_made(own, monkeypatch):
    """The event file is replaced after the batch was planned, while its product is being made."""
    from xtendsrc.products.image import native

    path, real = Path(own.file("events")), native.make_image

    def slow(job, batch):
        made = real(job, batch)
        new = path.with_name("new")
        new.write_bytes(path.read_bytes() + bytes(2880))
        new.replace(path)
        return made

    monkeypatch.setattr(native, "make_image", slow)
    image = own.image(binning=8)
    report = xs.compute(image, quiet=True, progress=False, executor="serial")
    assert "changed while" in report.failed[0].reason
    monkeypatch.setattr(native, "make_image", real)
    image.compute(progress=False)
    assert hashlib.sha256(path.read_bytes()).hexdigest() in image.provenance["inputs"].values()


def test_many_products_of_one_data_class_need_few_open_files(full):
    """No more files are open at once than for a tenth of the products, whatever their number."""
    code = (
        "import resource, sys, xtendsrc as xs\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))\n"
        f"dc = xs.Observation({str(full.observation.path)!r}, output={str(full.observation.output)!r})\n"
        f"dc = dc.dataclasses[{full.code!r}]\n"
        "images = [dc.image(channels=(100, 200 + n), binning=90) for n in range(250)]\n"
        "report = xs.compute(images, quiet=True, progress=False, executor='serial')\n"
        "sys.exit(repr([o.reason for o in report.failed][:1]) if report.failed else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
