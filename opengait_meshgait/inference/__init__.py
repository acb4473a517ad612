"""What a trained model is good for: embeddings, identities, bodies."""

from opengait_meshgait.inference.loading import load
from opengait_meshgait.inference.model import BodySequence, GaitModel

__all__ = ["BodySequence", "GaitModel", "load"]
