"""The tables from which a model config is built."""

from opengait_meshgait.common.registry import Registry

BACKBONES = Registry("backbone")
"""What ``backbone_cfg`` and ``heatmap_cfg`` name: modules that see frames ``[n, 1, h, w]``, or
:class:`~opengait_meshgait.networks.backbone.PartBackbone`, which sees whole sequences."""

LAYERS = Registry("layer")
"""What has a section of its own name in the model config: ``SeparateFCs``, ``SeparateBNNecks``, ``HeatmapFeatures``."""
