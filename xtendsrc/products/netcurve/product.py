"""Light curves net of background."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xtendsrc.products.lightcurve.product import LightCurve

if TYPE_CHECKING:
    from xtendsrc.products.netcurve.request import NetCurveRequest


class NetCurve(LightCurve):
    """A light curve net of background, with the two curves it comes from."""

    kind: str = "netcurve"

    @property
    def source_curve(self) -> LightCurve:
        """The curve of the source region."""
        return LightCurve(self._net.source, self.target)

    @property
    def background(self) -> LightCurve | None:
        """The curve of the background region, unscaled; None if no background was subtracted."""
        request = self._net.background
        return None if request is None else LightCurve(request, self.target)

    @property
    def _net(self) -> NetCurveRequest:
        from xtendsrc.products.netcurve.request import NetCurveRequest

        request = self.request
        assert isinstance(request, NetCurveRequest)
        return request
