"""The tables from which a model config is built, and the types of arguments that backbones share."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field
from torch import nn

from opengait_meshgait.common.registry import Registry
from opengait_meshgait.common.validation import mistake

BACKBONES = Registry("backbone", base=nn.Module)
"""What ``backbone_cfg`` names: modules that see frames ``[n, 1, h, w]``, or
:class:`~opengait_meshgait.networks.layers.PartBackbone`, which sees whole sequences."""

ESTIMATORS = Registry("heatmap estimator")
"""What ``heatmap_cfg`` names."""

LAYERS = Registry("layer")
"""What has a section of its own name in the model config: ``SeparateFCs``, ``SeparateBNNecks``, ``HeatmapFeatures``."""

Count = Annotated[int, Field(ge=1)]
TwoCounts = Annotated[Sequence[Count], Field(min_length=2, max_length=2)]
ThreeCounts = Annotated[Sequence[Count], Field(min_length=3, max_length=3)]
FourCounts = Annotated[Sequence[Count], Field(min_length=4, max_length=4)]


def _one(channels: int) -> int:
    if channels != 1:
        raise mistake(f"found {channels}; silhouettes have one channel: write 1, or leave it out.")
    return channels


InputChannels = Annotated[int, AfterValidator(_one)]
