"""Pure functions from embeddings to recognition figures, and from bodies to millimetres."""

from opengait_meshgait.evaluation.bodies import LOW_IOU, BodyErrors, body_errors, iou_metrics, point_errors
from opengait_meshgait.evaluation.protocols import PROTOCOLS, Protocol, find_protocol
from opengait_meshgait.evaluation.recognition import evaluate_recognition
from opengait_meshgait.evaluation.retrieval import METRICS
from opengait_meshgait.evaluation.split import Split, split_gallery

__all__ = [
    "LOW_IOU",
    "METRICS",
    "PROTOCOLS",
    "BodyErrors",
    "Protocol",
    "Split",
    "body_errors",
    "evaluate_recognition",
    "find_protocol",
    "iou_metrics",
    "point_errors",
    "split_gallery",
]
