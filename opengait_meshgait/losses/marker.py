"""Supervision of the virtual markers."""

from opengait_meshgait.losses.points import PointLoss
from opengait_meshgait.losses.registry import LOSSES


@LOSSES.register
class MarkerLoss(PointLoss):
    """Predicted against true positions of the virtual markers; logs the mean marker error in mm."""

    error_name = "marker_mm"
