"""Supervision of the mesh's vertices."""

from opengait_meshgait.losses.points import PointLoss
from opengait_meshgait.losses.registry import LOSSES


@LOSSES.register
class MeshLoss(PointLoss):
    """Predicted against true positions of the mesh's vertices; logs the MPVPE in mm."""

    error_name = "mpvpe_mm"
