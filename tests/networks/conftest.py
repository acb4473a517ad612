"""Tiny networks."""

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

from opengait_meshgait.networks import MeshGaitNet, Reconstruction

MARKERS, VERTICES = 5, 30
SIDES, FLIPS = torch.tensor([1.0, -1.0, 1.0, -1.0, 0.0]), torch.tensor([1, 0, 3, 2, 4])
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
    start = torch.tensor([0.0, 0.5, 0.0]) + 0.1 * torch.randn(MARKERS, 3)
    return Reconstruction(interpolation, torch.rand(24, VERTICES).softmax(1), SIDES, FLIPS, start)


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
            "Discriminant": {"channels": 3},
        }
        return MeshGaitNet(**{**arguments, **changes})

    return make


@pytest.fixture
def sils():
    """Three sequences of four frames, ``[3, 4, 64, 44]``."""
    return (torch.rand(3, 4, 64, 44) > 0.5).float()


@pytest.fixture
def blobs():
    """Draw ellipses ``[n, 1, 64, 44]`` and four points fixed to each ``[n, 4, 3]``: middle, top, left and right."""
    generator = torch.Generator().manual_seed(0)

    def draw(n):
        cx, cy, rx, ry = (torch.rand(4, n, generator=generator) * torch.tensor([[0.2], [0.3], [0.08], [0.1]])).add_(
            torch.tensor([[-0.1], [0.35], [0.08], [0.15]])
        )
        y, x = torch.meshgrid((torch.arange(64) + 0.5) / 64, (torch.arange(44) - 21.5) / 64, indexing="ij")
        u, v = (x - cx[:, None, None]) / rx[:, None, None], (y - cy[:, None, None]) / ry[:, None, None]
        z = 2 * (rx - 0.12)  # near ones look wide
        points = [(cx, cy, z), (cx, cy - ry, z), (cx - rx, cy, z), (cx + rx, cy, z)]
        return (u**2 + v**2 < 1)[:, None].float(), torch.stack([torch.stack(p, -1) for p in points], 1)

    return draw


@pytest.fixture(scope="session")
def torchvision_operators():
    """Those that torchvision for CUDA needs declared to load beside a CPU torch: once a process, or PyTorch refuses."""
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library  # with which they would go


@pytest.fixture(scope="session")
def opengait_model(torchvision_operators):
    """A function that imports one of OpenGait's model files, without the others and what those import."""
    source = Path(os.environ["OPENGAIT_ROOT"]) / "opengait"
    sys.path.insert(0, str(source))
    before = set(sys.modules)
    try:
        pytest.importorskip("torchvision", exc_type=Exception)
        package = ModuleType("modeling.models")
        package.__path__ = [str(source / "modeling/models")]
        sys.modules["modeling.models"] = package
        pytest.importorskip("modeling.base_model")
        yield lambda name: importlib.import_module(f"modeling.models.{name}")
    finally:
        sys.path.remove(str(source))
        for name in set(sys.modules) - before:
            if name.startswith("modeling.models"):
                del sys.modules[name]
