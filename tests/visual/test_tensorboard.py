"""What TensorBoard shows."""

import torch

from opengait_meshgait.networks import MeshGaitOutput
from opengait_meshgait.visual.tensorboard import training_picture


def test_unknown_markers_are_not_painted():
    sils, output = torch.zeros(2, 3, 64, 44), MeshGaitOutput(torch.zeros(2, 8, 1), torch.zeros(2, 4, 1))
    markers = torch.full((2, 3, 5, 3), 0.2)
    markers[0, 1] = 0
    first, second, third = training_picture(sils, output, markers).split(44 * 4, dim=2)
    assert first.shape == (3, 64 * 4, 44 * 4)
    assert torch.equal(first, third) and first.any()
    assert not second.any()
    assert not training_picture(sils, output, markers * 0).any()
