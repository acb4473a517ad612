"""Training losses: identity and 3D body, each in a file of its own, and their sum."""

from opengait_meshgait.losses.aggregate import LossSum, NonFiniteLossError
from opengait_meshgait.losses.cross_entropy import CrossEntropyLoss
from opengait_meshgait.losses.joint import JointLoss
from opengait_meshgait.losses.marker import MarkerLoss
from opengait_meshgait.losses.mesh import MeshLoss
from opengait_meshgait.losses.registry import LOSSES
from opengait_meshgait.losses.terms import BODY_TERMS, RECOGNITION_TERMS, loss_inputs
from opengait_meshgait.losses.triplet import TripletLoss

__all__ = [
    "BODY_TERMS",
    "LOSSES",
    "RECOGNITION_TERMS",
    "CrossEntropyLoss",
    "JointLoss",
    "LossSum",
    "MarkerLoss",
    "MeshLoss",
    "NonFiniteLossError",
    "TripletLoss",
    "loss_inputs",
]
