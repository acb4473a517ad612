"""The tables from which a model config is built."""

from opengait_meshgait.common.registry import Registry

BACKBONES = Registry("backbone")
"""What ``backbone_cfg`` and ``heatmap_cfg`` name: modules that see one frame at a time, ``[n, 1, h, w]``."""

LAYERS = Registry("layer")
"""What has a section of its own name in the model config: ``SeparateFCs``, ``SeparateBNNecks``, ``HeatmapFeatures``."""
