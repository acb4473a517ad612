"""The networks: pure modules, from silhouettes to embeddings and, on request, to a body."""

# What registers itself must be imported here, so that every config finds it.
from opengait_meshgait.networks.backbones import DeepGaitV2, GaitGL, GaitPart, GaitSet, Plain, ResNet9, SwinGait
from opengait_meshgait.networks.build import (
    NETWORK_KEYS,
    count_flops,
    fitting_weights,
    load_checkpoint,
    load_weights,
    make_network,
    other_network,
)
from opengait_meshgait.networks.estimator import HeatmapEstimator
from opengait_meshgait.networks.heatmap_features import HeatmapFeatures
from opengait_meshgait.networks.lda_head import DEFAULT_MARKER_WEIGHT, LDAHead
from opengait_meshgait.networks.meshgait import MATCHED, SILHOUETTE_SIZE, MeshGaitNet, MeshGaitOutput
from opengait_meshgait.networks.recognition import Recognition
from opengait_meshgait.networks.reconstruction import Reconstruction
from opengait_meshgait.networks.registry import BACKBONES
from opengait_meshgait.networks.soft_argmax import VolumeExtent, soft_argmax

__all__ = [
    "BACKBONES",
    "DEFAULT_MARKER_WEIGHT",
    "DeepGaitV2",
    "GaitGL",
    "GaitPart",
    "GaitSet",
    "NETWORK_KEYS",
    "SILHOUETTE_SIZE",
    "HeatmapEstimator",
    "HeatmapFeatures",
    "LDAHead",
    "MATCHED",
    "MeshGaitNet",
    "MeshGaitOutput",
    "Plain",
    "Recognition",
    "Reconstruction",
    "ResNet9",
    "SwinGait",
    "VolumeExtent",
    "count_flops",
    "fitting_weights",
    "load_checkpoint",
    "load_weights",
    "make_network",
    "other_network",
    "soft_argmax",
]
