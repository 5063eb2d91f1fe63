"""Drawing: what is shown is what is there, in axes that stay the user's."""

import io

import astropy.units as u
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time
from astropy.wcs import WCS

import xtendsrc as xs
from tests.products.ogip import write_spectrum
from xtendsrc.errors import BackgroundError, RequestError, XtendsrcWarning
from xtendsrc.products import LightCurve, Products, RateMap
from xtendsrc.products.image.product import Image
from xtendsrc.products.spectrum.product import Spectrum

ONE = {"obs_id": "900001010"}


@pytest.fixture(scope="module")
def products(star):
    """One ready product of every kind that is drawn."""
    image = star.images(energy=(0.5, 2) * u.keV, binning=(1, 4), **ONE)
    spectrum = star.spectra(response="nominal", **ONE)[0]
    curve = star.lightcurves(bin=200 * u.s, **ONE)[0]
    return {
        "fine": image[0],
        "image": image[1],
        "expmap": star.expmaps(binning=4, **ONE)[0],
        "netcurve": curve,
        "lightcurve": curve.source_curve,
        "spectrum": spectrum,
        "rmf": spectrum.rmf,
        "arf": spectrum.arf,
    }


KINDS = ("fine", "image", "expmap", "netcurve", "lightcurve", "spectrum", "rmf", "arf")


@pytest.fixture(autouse=True)
def _close():
    plt.close("all")
    yield
    plt.close("all")


def rendered(ax):
    """Draw a figure to the end, as a notebook would, and give its pixels."""
    buffer = io.BytesIO()
    ax.figure.savefig(buffer, dpi=40)
    buffer.seek(0)
    return plt.imread(buffer)


def drawn_image(ax):
    (image,) = ax.images
    return np.asarray(image.get_array())


# --- manners -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_view_returns_axes_and_leaves_everything_else_alone(products, kind):
    mine = plt.figure()
    before = dict(mpl.rcParams)
    ax = products[kind].view()
    assert isinstance(ax, mpl.axes.Axes)
    assert plt.fignum_exists(mine.number)
    assert ax.figure is not mine
    assert len(plt.get_fignums()) == 2
    assert dict(mpl.rcParams) == before
    assert "900001010" in ax.get_title() + ax.get_title("left")
    assert rendered(ax).std() > 0.01


@pytest.mark.parametrize("kind", ["netcurve", "lightcurve", "spectrum", "rmf", "arf"])
def test_view_draws_into_the_axes_it_is_given(products, kind):
    figure, axes = plt.subplots(1, 2)
    assert products[kind].view(ax=axes[1]) is axes[1]
    assert not axes[0].has_data()
    assert plt.get_fignums() == [figure.number]


def test_save_view_leaves_no_figure(products, tmp_path):
    for name in ("image", "spectrum"):
        path = products[name].save_view(tmp_path / "new folder" / f"{name}.png", dpi=50)
        assert plt.imread(path).std() > 0.01
    assert plt.get_fignums() == []


def test_a_gallery_has_axes_for_each(star):
    axes = star.images(energy=(0.5, 2) * u.keV, binning=(1, 4), **ONE).view()
    assert len(axes) == 2
    assert axes[0].figure is axes[1].figure


# --- images --------------------------------------------------------------------------------------------------------


def test_every_count_is_drawn_and_where_it_is(products):
    image = products["image"]
    ax = image.view()
    assert drawn_image(ax).sum() == image.counts
    assert ax.wcs.pixel_to_world(3, 4).separation(image.wcs.pixel_to_world(3, 4)) < 1e-9 * u.deg
    assert len(ax.figure.axes) == 2
    assert ax.figure.axes[1].get_ylabel() == "counts / pixel"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Right ascension", "Declination")
    blocks = products["fine"].view()
    assert drawn_image(blocks).sum() == products["fine"].counts
    assert blocks.figure.axes[1].get_ylabel() == "counts / 4 x 4 pixels"
    assert products["expmap"].view().figure.axes[1].get_ylabel() == "exposure (s)"


def test_the_source_is_drawn_at_its_position(products, position):
    for name in ("fine", "image"):
        ax = products[name].view(zoom_in=3 * u.arcmin)
        picture = ax.images[0]
        left, right, bottom, top = picture.get_extent()
        data = np.asarray(picture.get_array(), float)
        x, y = products[name].wcs.world_to_pixel(position)
        assert left < x < right
        assert bottom < y < top
        side = (right - left) / data.shape[1]
        rows, columns = np.indices(data.shape)
        arcmin = np.hypot(left + (columns + 0.5) * side - x, bottom + (rows + 0.5) * side - y) * 1.7684 / 60
        near = arcmin * products[name].binning < 1
        assert data[near].mean() > 20 * data[~near].mean()
        shown = np.array([ax.get_xlim(), ax.get_ylim()])
        np.testing.assert_allclose(shown.mean(axis=1), [x, y], atol=0.6)
        np.testing.assert_allclose(np.ptp(shown, axis=1), 2 * 180 / 1.7684 / products[name].binning, rtol=0.01)


def test_zoom_shows_three_radii_and_all_pixels(products):
    ax = products["fine"].view(zoom_in=True)
    assert np.ptp(ax.get_xlim()) == pytest.approx(3 * 2 * 120 / 1.7684, rel=0.01)
    assert drawn_image(ax).shape == products["fine"].shape


def test_regions_and_discs_are_outlined_on_the_sky(products, position):
    image = products["image"]
    assert not image.view().lines
    ax = image.view(view_regions=True)
    circle = ax.lines[0]
    sky = ax.wcs.pixel_to_world(*circle.get_xydata().T)
    np.testing.assert_allclose(sky.separation(position).arcmin, 2, atol=0.01)
    assert len(ax.lines) == 3  # the source and the discs of two calibration sources
    assert len(image.view(calibration=True).lines) == 2
    from regions import CircleSkyRegion

    other = CircleSkyRegion(position, 1 * u.arcmin)
    assert len(image.view(regions=other).lines) == 1


def test_stretches_and_limits(products):
    image = products["image"]
    for stretch in ("linear", "sqrt", "log", "asinh"):
        ax = image.view(stretch=stretch)
        norm = ax.images[0].norm
        assert (norm.vmin, norm.vmax) == (0, image.data.max())
        ticks = ax.figure.axes[1].get_yticks()
        assert len(ticks) > 2
        assert np.all(np.diff(ticks) > 0)
    norm = image.view(limits=(1, 5)).images[0].norm
    assert (norm.vmin, norm.vmax) == (1, 5)
    with pytest.raises(RequestError, match="stretch='magic'"):
        image.view(stretch="magic")


def test_smoothing_is_of_the_drawing_only(products):
    image = products["image"]
    before = image.data.copy()
    smooth = drawn_image(image.view(smooth=2.0))
    np.testing.assert_array_equal(image.data, before)
    assert smooth.sum() == pytest.approx(before.sum(), rel=1e-6)
    assert smooth.max() < before.max()


def test_cross_hair_is_at_its_position_in_any_frame(products, position):
    ax = products["image"].view(cross_hair=position.galactic)
    mark = ax.lines[-1].get_xydata()[0]
    assert ax.wcs.pixel_to_world(*mark).separation(position) < 0.1 * u.arcsec


def names(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()] if ax.get_legend() else []


def test_rate_maps_are_drawn_as_images_are(star, products, position):
    rates = star.ratemap(energy=(0.5, 2) * u.keV, binning=4, **ONE)
    ax = rates.view(view_regions=True, zoom_in=True)
    assert ax.figure.axes[1].get_ylabel() == "counts / s / pixel"
    assert ax.images[0].norm.vmax == pytest.approx(np.nanmax(rates.data))
    seconds = products["expmap"].data
    live = float(products["image"].header["LIVETIME"]) / float(products["image"].header["ONTIME"])
    drawn, exposed = drawn_image(ax), seconds > 100
    np.testing.assert_allclose(drawn[exposed] * seconds[exposed] * live, products["image"].data[exposed], rtol=1e-5)
    assert names(ax) == ["source region"]
    whole = rates.view().images[0].norm
    assert (whole.vmin, whole.vmax) == (0, pytest.approx(np.nanmax(rates.data[seconds > 0.2 * seconds.max()])))
    assert rates.view(limits=(0, 3)).images[0].norm.vmax == 3
    in_memory = RateMap(Image.read(products["image"].path), products["expmap"])
    np.testing.assert_allclose(drawn_image(in_memory.view()), drawn, rtol=1e-5)
    assert all(ax.has_data() for ax in Products([rates, in_memory]).view())


def test_headings_are_words(star, products):
    titles = {name: products[name].view().get_title() or products[name].view().get_title("left") for name in KINDS}
    assert titles["image"] == "a <star> & more: counts image, 0.5-2 keV, 4 x 4 pixels   (900001010, 300000a0)"
    assert "net light curve, 0.6-10 keV, bins of 200 s" in titles["netcurve"]
    assert "exposure map, 4 x 4 pixels" in titles["expmap"]
    assert "effective area" in titles["arf"]
    dc = star.dataclasses("900001010")[0]
    assert dc.spectrum().title == "Spectrum   (900001010, 300000a0)"


def test_a_legend_names_what_is_outlined_and_seen(products, position):
    image = products["image"]
    assert names(image.view()) == []
    assert names(image.view(view_regions=True)) == ["source region", "calibration sources"]
    assert names(image.view(view_regions=True, zoom_in=True)) == ["source region"]
    assert names(image.view(view_regions=True, legend=False)) == []
    from regions import CircleAnnulusSkyRegion, CircleSkyRegion

    ring = CircleAnnulusSkyRegion(position, 3 * u.arcmin, 5 * u.arcmin)
    ax = image.view(regions={"core": CircleSkyRegion(position, 1 * u.arcmin), "background": ring})
    assert names(ax) == ["core", "background"]
    assert len({line.get_color() for line in ax.lines}) == 2


def test_calibration_sources_are_left_out_when_told(products, star):
    assert len(products["image"].view(view_regions=True, calibration=False).lines) == 1
    assert "calibration sources" not in names(star.view_regions(calibration=False, **ONE))


def test_colours_follow_what_is_shown(products):
    """The star is the brightest place; away from it the scale ends at the brightest pixel of the part that is seen."""
    image = products["fine"]
    ax = image.view(zoom_in=20 * u.arcsec)
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    inside = image.data[round(low + 0.5) : round(high + 0.5), round(left + 0.5) : round(right + 0.5)]
    assert ax.images[0].norm.vmax == inside.max()
    assert image.view(limits=(None, 2)).images[0].norm.vmax == 2


def test_regions_on_a_detector_image_are_where_the_detector_sees_them(star, position):
    """DET of the star by the WCS-free formula of the instrument's coordinates."""
    image = star.image(frame="DET", binning=8, **ONE)
    dc = star.dataclasses("900001010")[0]
    detx, dety = (float(v) for v in dc.geometry.icrs_to_det(position))
    ax = image.view(view_regions=True)
    circle = ax.lines[0].get_xydata()
    np.testing.assert_allclose((circle.min(axis=0) + circle.max(axis=0)) / 2, [detx, dety], atol=0.1)
    np.testing.assert_allclose(np.hypot(*(circle - [detx, dety]).T), 120 / 1.7684, rtol=1e-3)
    events = dc.events
    near = np.hypot(events["DETX"] - detx, events["DETY"] - dety) < 120 / 1.7684
    near &= (events["PI"] >= 83) & (events["PI"] <= 1666)
    assert ax.images[0].get_array()[image.mask(star.region)].sum() == pytest.approx(near.sum(), rel=0.02)
    row, column = int((dety - 0.5) // 8), int((detx - 0.5) // 8)
    assert image.value_at(position) == image.data[row, column] > 0
    zoomed = image.view(zoom_in=True)
    assert np.mean(zoomed.get_xlim()) == pytest.approx(detx, abs=0.1)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"stretch": "sqr"}, "did you mean 'sqrt'"),
        ({"cmap": "virids"}, "did you mean 'viridis'"),
        ({"smooth": -1}, "smooth"),
        ({"smooth": "much"}, "smooth"),
        ({"limits": 5}, "limits"),
        ({"limits": (5, 1)}, "order"),
        ({"limits": ("a", "b")}, "limits"),
        ({"zoom_in": 3}, "unit"),
        ({"zoom_in": -3 * u.arcmin}, "positive"),
        ({"cross_hair": "here"}, "cross_hair"),
    ],
)
def test_options_that_make_no_sense_are_refused(products, options, told):
    with pytest.raises(RequestError, match=told):
        products["image"].view(**options)
    assert plt.get_fignums() == []


@pytest.mark.parametrize(
    ("kind", "option", "near"),
    [
        ("image", "strech", "stretch"),
        ("expmap", "zoomin", "zoom_in"),
        ("netcurve", "color", "colour"),
        ("netcurve", "part", "parts"),
        ("spectrum", "groupin", "grouping"),
        ("arf", "titel", "title"),
    ],
)
def test_an_unknown_option_is_answered_with_the_nearest(products, tmp_path, kind, option, near):
    for call in (products[kind].view, lambda **o: products[kind].save_view(tmp_path / "a.png", **o)):
        with pytest.raises(RequestError, match=f"did you mean '{near}'"):
            call(**{option: 1})
    with pytest.raises(RequestError, match="choose among"):
        products[kind].view(qqq=1)
    assert plt.get_fignums() == []
    assert not (tmp_path / "a.png").exists()


def test_a_picture_of_no_dots_is_refused(products, tmp_path):
    with pytest.raises(RequestError, match="dpi"):
        products["image"].save_view(tmp_path / "a.png", dpi=0)


def test_regions_are_drawn_where_no_background_fits(star, position):
    """Other sources over the whole field leave no place; the picture shows them and says so."""
    from regions import CircleSkyRegion

    crowd = [CircleSkyRegion(position.directional_offset_by(0 * u.deg, 30 * u.arcmin), 27 * u.arcmin)]
    crowd += [
        CircleSkyRegion(position.directional_offset_by(a * u.deg, 16 * u.arcmin), 13 * u.arcmin)
        for a in range(0, 360, 30)
    ]
    lost = xs.PointSource(
        position, 2 * u.arcmin, name="lost", archive=star._archive, output=star._output, interlopers=crowd
    )
    with pytest.raises(BackgroundError):
        lost.background_region(lost.dataclasses("900001010")[0])
    ax = lost.view_regions(**ONE)
    assert "source region" in names(ax)
    assert "other sources" in names(ax)
    assert "No background region" in ax.get_title()
    assert "lost: counts image" in ax.get_title()
    rendered(ax)


def test_a_gallery_shows_what_can_be_made(star, products, tmp_path):
    off = tmp_path / "off.reg"
    off.write_text("physical\ncircle(-500,-500,20)\n")
    bad = star.dataclasses("900001010")[0].spectrum(off)
    both = (products["image"], bad, products["arf"])
    with pytest.warns(XtendsrcWarning, match="1 failed"):
        drawn = Products(both).view()
    assert [bool(ax.has_data()) for ax in drawn] == [True, False, True]
    assert "region" in " ".join(drawn[1].texts[0].get_text().split())
    assert drawn[0].images


def test_a_detector_image_has_no_sky_positions(detector_image, position):
    with pytest.raises(RequestError, match="no sky positions"):
        detector_image.view(cross_hair=position)


@pytest.fixture
def image_of(tmp_path):
    """Make an image of any pixels and header."""

    def make(data, header):
        path = tmp_path / f"image{len(list(tmp_path.iterdir()))}.fits"
        fits.PrimaryHDU(data, header).writeto(path)
        return Image.read(path)

    return make


@pytest.fixture
def detector_image(image_of):
    data = np.zeros((20, 30), np.int32)
    data[3:9, 4:8] = 5
    header = fits.Header({"CTYPE1": "DETX", "CTYPE2": "DETY", "CRPIX1": 0.5, "CRPIX2": 0.5, "CDELT1": 8, "CDELT2": 8})
    header["IMGBIN"] = 8
    return image_of(data, header)


def test_detector_images_count_detector_pixels(detector_image):
    ax = detector_image.view()
    assert tuple(ax.images[0].get_extent()) == (0.5, 240.5, 0.5, 160.5)
    assert ax.get_xlabel() == "DETX (pixel)"
    low, high = ax.get_xlim()
    assert low < 4 * 8 + 0.5 < 8 * 8 + 0.5 < high


@pytest.mark.parametrize("empty", [0, np.nan])
def test_images_without_data_are_drawn(image_of, empty):
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CDELT1": -0.01, "CDELT2": 0.01})
    header.update({"CRVAL1": 80.0, "CRVAL2": -60.0, "CRPIX1": 5.0, "CRPIX2": 5.0})
    image = image_of(np.full((10, 12), empty, float), header)
    for options in ({"zoom_in": True}, {"stretch": "log"}, {"smooth": 1.0}):
        assert image.view(**options).has_data()
    rendered(image.view())


def test_axes_of_another_sky_are_drawn_on_and_keep_their_limits(products, position):
    header = fits.Header({"CTYPE1": "GLON-CAR", "CTYPE2": "GLAT-CAR", "CDELT1": -0.01, "CDELT2": 0.01})
    header.update({"CRVAL1": position.galactic.l.deg, "CRVAL2": 0.0, "CRPIX1": 50, "CRPIX2": 50})
    header["CRPIX2"] = 50 - position.galactic.b.deg / 0.01
    ax = plt.figure().add_subplot(projection=WCS(header))
    ax.set_xlim(30, 70)
    ax.set_ylim(31, 69)
    assert products["image"].view(ax=ax, view_regions=True, cross_hair=position) is ax
    assert (ax.get_xlim(), ax.get_ylim()) == ((30, 70), (31, 69))
    mesh = ax.collections[0]
    assert mesh.get_array().sum() == products["image"].counts
    on_screen = ax.lines[0].get_transform().transform(ax.lines[0].get_xydata())
    sky = ax.wcs.pixel_to_world(*ax.transData.inverted().transform(on_screen).T)
    np.testing.assert_allclose(sky.separation(position).arcmin, 2, atol=0.02)
    rendered(ax)


def test_axes_of_the_images_own_sky_need_no_resampling(products):
    ax = plt.figure().add_subplot(projection=products["fine"].wcs)
    products["fine"].view(ax=ax)
    assert len(ax.images) == 1


def test_axes_without_sky_are_refused(products, detector_image):
    with pytest.raises(RequestError, match="sky coordinates") as caught:
        products["image"].view(ax=plt.figure().add_subplot())
    assert "projection=" in caught.value.next_step
    with pytest.raises(RequestError, match="plain axes"):
        detector_image.view(ax=plt.figure().add_subplot(projection=products["image"].wcs))


# --- light curves --------------------------------------------------------------------------------------------------


def spans(ax):
    """The shaded stretches, as (low, high) on the axis."""
    return sorted((p.get_x(), p.get_x() + p.get_width()) for p in ax.patches)


def test_time_outside_good_intervals_is_shaded_at_both_ends(products):
    curve = products["lightcurve"]
    gti, ax = curve.gti, curve.view(time="mission")
    shaded = spans(ax)
    gaps = np.flatnonzero(gti.start[1:] - gti.stop[:-1] > 1.0)  # what is shorter is dead time between frames of 4 s
    starts, stops = np.append(gti.start[0], gti.start[gaps + 1]), np.append(gti.stop[gaps], gti.stop[-1])
    assert len(shaded) == len(starts) + 1
    np.testing.assert_allclose([low for low, _ in shaded[1:]], stops, atol=0.05)
    np.testing.assert_allclose([high for _, high in shaded[:-1]], starts, atol=0.05)
    low, high = ax.get_xlim()
    assert shaded[0][0] <= low < gti.start[0]
    assert shaded[-1][1] >= high > gti.stop[-1]
    assert not spans(curve.view(shade=False))
    good = (high - low) - sum(b - a for a, b in shaded)
    assert good == pytest.approx((stops - starts).sum(), rel=1e-3)


@pytest.mark.parametrize("time", ["hours", "seconds", "mission", "mjd", "utc"])
def test_points_are_at_their_times(products, time):
    curve = products["lightcurve"]
    ax = curve.view(time=time)
    shown = np.asarray(ax.lines[0].get_xdata())
    utc, start = curve.time.utc, curve.gti.start[0]
    epoch = Time("2019-01-01T00:00:00", scale="utc")
    if time == "utc":
        assert np.abs((Time(shown, format="datetime64", scale="utc") - utc).to_value("s")).max() < 1e-3
    elif time == "mjd":
        np.testing.assert_allclose((shown - utc.mjd) * 86400, 0, atol=1e-3)
        assert "MJD" in ax.get_xlabel()
    else:
        zero = 0 if time == "mission" else start
        scale = 3600 if time == "hours" else 1
        np.testing.assert_allclose(epoch.tt.mjd + (zero + shown * scale) / 86400, utc.tt.mjd, atol=1e-8, rtol=0)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), curve.rate.value)
    rendered(ax)


@pytest.fixture
def later(products, tmp_path):
    """The same curve, half a day later."""
    path = tmp_path / "later.fits"
    with fits.open(products["lightcurve"].path) as hdus:
        for hdu in hdus:
            for name in ("START", "STOP", "TIME"):
                if name in (hdu.columns.names if hasattr(hdu, "columns") else ()):
                    hdu.data[name] += 43200.0
        hdus.writeto(path)
    return LightCurve.read(path)


@pytest.mark.parametrize(("time", "second"), [(None, None), ("seconds", None), ("mjd", "mjd"), ("utc", None)])
def test_two_curves_share_one_time_axis(products, later, time, second):
    first = products["lightcurve"]
    ax = first.view(time=time)
    title = ax.get_title("left")
    later.view(ax=ax, time=second)
    points = [line for line in ax.lines if line.get_marker() == "o"]
    one, two = (np.asarray(line.get_xdata()) for line in points)
    days = {None: 0.5 * 24, "seconds": 43200, "mjd": 0.5, "utc": np.timedelta64(12, "h")}[time]
    gap = two[0] - one[0]
    assert abs(gap / days - 1) < 1e-6
    low, high = ax.get_xlim()
    seen = ax.xaxis.convert_units(np.concatenate([one, two]))
    assert low < seen.min() < seen.max() < high
    assert ax.get_title("left") == title
    labels = ax.get_legend_handles_labels()[1]
    assert len(set(labels)) == len(labels) == 3
    assert points[0].get_color() != points[1].get_color()
    with pytest.raises(RequestError, match="does not fit"):
        later.view(ax=ax, time="mission")


def test_two_spectra_and_two_areas_are_both_seen_whole(products, star):
    other = star.spectra(response="nominal", obs_id="900002010")[0]
    for name, second in (("spectrum", other), ("arf", other.arf)):
        ax = products[name].view()
        before = ax.get_xlim(), ax.get_ylim()
        second.view(ax=ax)
        alone = second.view()
        for old, both, new in zip(
            before, (ax.get_xlim(), ax.get_ylim()), (alone.get_xlim(), alone.get_ylim()), strict=True
        ):
            assert both[0] == pytest.approx(min(old[0], new[0]))
            assert both[1] >= max(old[1], new[1]) * 0.999
        assert any("900002010" in text for text in names(ax))


def test_an_unknown_time_axis_is_refused(products):
    with pytest.raises(RequestError, match="time='days'"):
        products["lightcurve"].view(time="days")
    assert plt.get_fignums() == []


def test_a_net_curve_shows_its_parts(products):
    labels = products["netcurve"].view().get_legend_handles_labels()[1]
    assert {"net", "source region", "background, scaled"} <= set(labels)
    alone = products["netcurve"].view(parts=False).get_legend_handles_labels()[1]
    assert "source region" not in alone


# --- spectra -------------------------------------------------------------------------------------------------------


def test_a_drawn_spectrum_sums_to_its_net_rate(products):
    spectrum = products["spectrum"]
    ax = spectrum.view(grouping="min 25", energy=(1, 8) * u.keV)
    grouped = spectrum.grouped("min 25", (1, 8) * u.keV)
    points = ax.lines[0].get_xydata()
    np.testing.assert_allclose(points[:, 0], (grouped.energy_lo + grouped.energy_hi) / 2)
    assert (points[:, 1] * grouped.width).sum() == pytest.approx(grouped.net_counts.sum() / grouped.exposure, rel=1e-9)
    assert ax.get_ylabel() == "counts / s / keV"
    assert "keV" in ax.get_xlabel()


def test_error_bars_of_a_spectrum_are_poissons(tmp_path):
    # Gehrels 1986: 4 counts give -1.914 +3.163
    counts = np.zeros(4096, int)
    counts[100:300] = 4
    ax = Spectrum.read(write_spectrum(tmp_path / "a.pi", counts)).view(grouping="none", energy=(0.6, 1.8) * u.keV)
    segments = ax.collections[1].get_segments()
    unit = 1000 * 0.006
    for (_, low), (_, high) in segments:
        assert low * unit == pytest.approx(4 - 1.914, abs=2e-3)
        assert high * unit == pytest.approx(4 + 3.163, abs=2e-3)


def test_nominal_responses_are_labelled(products):
    for name in ("spectrum", "rmf", "arf"):
        ax = products[name].view()
        assert "not calibrated" in ax.get_title() + ax.get_title("left")


def test_a_spectrum_without_counts_is_drawn_as_upper_limits(tmp_path):
    """Gehrels 1986: no count excludes more than 1.841 at one sigma."""
    spectrum = Spectrum.read(write_spectrum(tmp_path / "a.pi", np.zeros(4096, int)))
    ax = spectrum.view(grouping="constant 100", energy=(0.6, 1.8) * u.keV)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), 0)
    tops = np.array([high for (_, _), (_, high) in ax.collections[1].get_segments()])
    np.testing.assert_allclose(tops * 100 * 0.006 * spectrum.exposure.value, 1.841, atol=2e-3)
    rendered(ax)


@pytest.mark.parametrize("obs_id", ["900001010", "900002010"])
def test_the_limits_hold_source_and_background(star, obs_id):
    ax = star.view_regions(obs_id=obs_id)
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    for line in ax.lines:
        if line.get_label() in ("source region", "background"):
            x, y = line.get_xydata().T
            assert left < x.min() < x.max() < right
            assert low < y.min() < y.max() < high


def test_regions_of_a_source_are_drawn(star):
    ax = star.view_regions(**ONE)
    axes = np.atleast_1d(ax)[0]
    assert len(axes.lines) >= 4
