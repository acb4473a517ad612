"""Tiny networks."""

import pytest
import torch

from opengait_meshgait.networks import MeshGaitNet, Reconstruction

MARKERS, VERTICES = 5, 30
RESNET9 = {
    "type": "ResNet9",
    "block": "BasicBlock",
    "channels": [4, 4, 6, 8],
    "layers": [1, 1, 1, 1],
    "strides": [1, 2, 2, 1],
    "maxpool": False,
}
HEATMAPS = {"type": "HeatmapEstimator", "markers": MARKERS, "depth": 3, "channels": [4, 6, 8]}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture
def reconstruction():
    interpolation = torch.rand(VERTICES, MARKERS).softmax(1)
    return Reconstruction(interpolation, torch.rand(24, VERTICES).softmax(1))


@pytest.fixture
def make_net():
    """Build a tiny network; keywords replace or add arguments."""

    def make(**changes):
        arguments = {
            "backbone_cfg": RESNET9,
            "SeparateFCs": {"out_channels": 6},
            "SeparateBNNecks": {"class_num": 4},
            "bin_num": [4, 1],
            "heatmap_cfg": HEATMAPS,
            "HeatmapFeatures": {"channels": [4, 6]},
        }
        return MeshGaitNet(**{**arguments, **changes})

    return make


@pytest.fixture
def sils():
    """Three sequences of four frames, ``[3, 4, 64, 44]``."""
    return (torch.rand(3, 4, 64, 44) > 0.5).float()
