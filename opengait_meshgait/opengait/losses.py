"""The body losses as OpenGait's aggregator builds them. They have no parameters, so a checkpoint needs nothing of them.

OpenGait averages gradients over the processes, and these losses add the weights of frames up over all of them, so
neither gathering nor scaling is needed.
"""

from modeling.losses.base import BaseLoss

from opengait_meshgait import losses


class JointLoss(losses.JointLoss, BaseLoss):
    """:class:`opengait_meshgait.losses.JointLoss`, for ``log_prefix: joint``."""


class MarkerLoss(losses.MarkerLoss, BaseLoss):
    """:class:`opengait_meshgait.losses.MarkerLoss`, for ``log_prefix: marker``."""


class MeshLoss(losses.MeshLoss, BaseLoss):
    """:class:`opengait_meshgait.losses.MeshLoss`, for ``log_prefix: mesh``."""
