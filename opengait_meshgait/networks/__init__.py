"""The networks: pure modules, from silhouettes to embeddings and, on request, to a body."""

from opengait_meshgait.networks.complexity import count_flops
from opengait_meshgait.networks.meshgait import SILHOUETTE_SIZE, MeshGaitNet, MeshGaitOutput
from opengait_meshgait.networks.reconstruction import Reconstruction
from opengait_meshgait.networks.registry import BACKBONES
from opengait_meshgait.networks.soft_argmax import VolumeExtent, soft_argmax

__all__ = [
    "BACKBONES",
    "SILHOUETTE_SIZE",
    "MeshGaitNet",
    "MeshGaitOutput",
    "Reconstruction",
    "VolumeExtent",
    "count_flops",
    "soft_argmax",
]
