"""The public interface: what is listed here keeps its name and meaning, everything else may change.

Registries hold what a config may name; `CONTRIBUTING.md` says how to add to them.
"""

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.engine.config import load_config
from opengait_meshgait.engine.testing import test
from opengait_meshgait.engine.training import train
from opengait_meshgait.inference.embeddings import read_embeddings
from opengait_meshgait.inference.faiss_index import FaissIndex
from opengait_meshgait.inference.identify import identify
from opengait_meshgait.inference.loading import load
from opengait_meshgait.inference.model import GaitModel
from opengait_meshgait.inference.search import SearchIndex
from opengait_meshgait.losses import LOSSES
from opengait_meshgait.networks import MeshGaitNet
from opengait_meshgait.networks.registry import BACKBONES, LAYERS

__all__ = [
    "BACKBONES",
    "LAYERS",
    "LOSSES",
    "FaissIndex",
    "GaitModel",
    "MeshGaitNet",
    "SearchIndex",
    "UserError",
    "identify",
    "load",
    "load_config",
    "read_embeddings",
    "test",
    "train",
]
