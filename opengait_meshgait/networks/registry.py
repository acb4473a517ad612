"""The tables from which a model config is built."""

from torch import nn

from opengait_meshgait.common.registry import Registry

BACKBONES = Registry("backbone", base=nn.Module)
"""What ``backbone_cfg`` names: modules that see frames ``[n, 1, h, w]``, or
:class:`~opengait_meshgait.networks.backbone.PartBackbone`, which sees whole sequences."""

ESTIMATORS = Registry("heatmap estimator")
"""What ``heatmap_cfg`` names."""

LAYERS = Registry("layer")
"""What has a section of its own name in the model config: ``SeparateFCs``, ``SeparateBNNecks``, ``HeatmapFeatures``."""
