"""Training losses: identity and 3D body, and their sum."""

from opengait_meshgait.losses.aggregate import LossSum, NonFiniteLossError
from opengait_meshgait.losses.cross_entropy import CrossEntropyLoss
from opengait_meshgait.losses.points import JointLoss, MarkerLoss, MeshLoss
from opengait_meshgait.losses.registry import (
    BODY_TERMS,
    COMPARED,
    LOSSES,
    RECOGNITION_TERMS,
    SILHOUETTE_TERM,
    emitted_terms,
    loss_inputs,
)
from opengait_meshgait.losses.silhouette import SilhouetteLoss
from opengait_meshgait.losses.triplet import TripletLoss

__all__ = [
    "BODY_TERMS",
    "COMPARED",
    "LOSSES",
    "RECOGNITION_TERMS",
    "SILHOUETTE_TERM",
    "CrossEntropyLoss",
    "JointLoss",
    "LossSum",
    "MarkerLoss",
    "MeshLoss",
    "NonFiniteLossError",
    "SilhouetteLoss",
    "TripletLoss",
    "emitted_terms",
    "loss_inputs",
]
