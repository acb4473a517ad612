"""Pure functions from embeddings to recognition figures, and from bodies to millimetres."""

from opengait_meshgait.evaluation.bodies import LOW_IOU, BodyErrors, body_errors, iou_metrics, point_errors
from opengait_meshgait.evaluation.cross_view import PROTOCOLS, evaluate_indoor_dataset, split_indoor_dataset
from opengait_meshgait.evaluation.evaluators import EVALUATORS, Split
from opengait_meshgait.evaluation.gait3d import evaluate_Gait3D, split_Gait3D
from opengait_meshgait.evaluation.retrieval import METRICS

__all__ = [
    "EVALUATORS",
    "LOW_IOU",
    "METRICS",
    "PROTOCOLS",
    "BodyErrors",
    "Split",
    "body_errors",
    "evaluate_Gait3D",
    "evaluate_indoor_dataset",
    "iou_metrics",
    "point_errors",
    "split_Gait3D",
    "split_indoor_dataset",
]
