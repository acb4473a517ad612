"""The networks: pure modules, from silhouettes to embeddings and, on request, to a body."""

# What registers itself must be imported here, so that every config finds it.
from opengait_meshgait.networks.backbones import Plain, ResNet9
from opengait_meshgait.networks.complexity import count_flops
from opengait_meshgait.networks.estimator import HeatmapEstimator
from opengait_meshgait.networks.heatmap_features import HeatmapFeatures
from opengait_meshgait.networks.meshgait import SILHOUETTE_SIZE, MeshGaitNet, MeshGaitOutput
from opengait_meshgait.networks.reconstruction import Reconstruction
from opengait_meshgait.networks.registry import BACKBONES
from opengait_meshgait.networks.soft_argmax import VolumeExtent, soft_argmax

__all__ = [
    "BACKBONES",
    "SILHOUETTE_SIZE",
    "HeatmapEstimator",
    "HeatmapFeatures",
    "MeshGaitNet",
    "MeshGaitOutput",
    "Plain",
    "Reconstruction",
    "ResNet9",
    "VolumeExtent",
    "count_flops",
    "soft_argmax",
]
