"""Supervision of the 24 SMPL joints."""

from opengait_meshgait.losses.points import PointLoss
from opengait_meshgait.losses.registry import LOSSES


@LOSSES.register
class JointLoss(PointLoss):
    """Predicted against true positions of the 24 SMPL joints; logs the MPJPE in mm."""

    error_name = "mpjpe_mm"
