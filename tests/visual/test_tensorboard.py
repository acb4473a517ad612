"""What TensorBoard shows."""

import torch

from opengait_meshgait.networks import MeshGaitOutput
from opengait_meshgait.visual.drawing import HEIGHT, WIDTH
from opengait_meshgait.visual.tensorboard import training_picture


def test_unknown_markers_are_not_painted():
    sils, output = torch.zeros(2, 3, 64, 44), MeshGaitOutput(torch.zeros(2, 8, 1), torch.zeros(2, 4, 1))
    markers = torch.full((2, 3, 5, 3), 0.2)
    markers[0, 1] = 0
    first, second, third = training_picture(sils, output, markers).split(WIDTH, dim=2)
    assert first.shape == (3, HEIGHT, WIDTH)
    assert torch.equal(first, third) and first.any()
    assert not second.any()
    assert not training_picture(sils, output, markers * 0).any()


def test_heatmaps_are_in_the_lower_row():
    volumes = torch.zeros(1, 2, 3, 4, 16, 11)
    volumes[..., 8, 5] = 0.25
    output = MeshGaitOutput(torch.zeros(1, 8, 1), torch.zeros(1, 4, 1), heatmaps=volumes)
    picture = training_picture(torch.zeros(1, 2, 64, 44), output)
    assert picture.shape == (3, 2 * HEIGHT, 2 * WIDTH)
    assert 0.9 < picture[:, HEIGHT:].max() <= 1 and not picture[:, :HEIGHT].any()
