"""Every picture draws, and the page holds all of them in one file."""

import re

import numpy as np
import pytest
import torch

from opengait_meshgait.networks import MeshGaitOutput, VolumeExtent
from opengait_meshgait.visual.drawing import HEIGHT, LEFT, LINE, WIDTH
from opengait_meshgait.visual.figures import (
    bodies_figure,
    curves_figure,
    heatmaps_figure,
    training_picture,
    views_figure,
    walkers_figure,
)
from opengait_meshgait.visual.frames import BodyFrame
from opengait_meshgait.visual.page import PageSection, write_page

OCTAHEDRON = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]) * 0.2 + [0, 0.5, 0]
FACES = np.array([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])


@pytest.fixture
def sample():
    volumes = np.full((6, 4, 16, 11), 1 / (4 * 16 * 11))
    silhouette = np.full((64, 44), 255, np.uint8)
    extent = VolumeExtent(0.34, 0.5)
    return BodyFrame(silhouette, volumes, extent, OCTAHEDRON, OCTAHEDRON + 0.01, FACES, OCTAHEDRON, OCTAHEDRON)


def test_page_is_one_file_with_every_picture(sample, tmp_path):
    figures = [
        walkers_figure(np.zeros((2, 3, 64, 44), np.uint8), ["a", "b"], ["0°", "45°", "90°"]),
        bodies_figure({"0001 nm-01\n90°": sample, "0002 nm-01\n0°": sample}),
        heatmaps_figure(sample, {"head": 0, "left hand": 3}),
        curves_figure({"loss": {"a": ([1, 2], [3.0, 2.0]), "b": ([1, 2], [3.0, 1.0])}}),
        views_figure({"a": np.eye(3) * 50}, ["000", "045", "090"]),
    ]
    for picture, rows, columns in zip(figures, (2, 2, 2), (3, 7, 3)):
        assert picture.shape == (LINE + rows * HEIGHT, LEFT + columns * WIDTH, 3)
    sections = [
        PageSection("Pictures <of> walkers", figures=figures),
        PageSection("T", table=[["", "x"], ["a", "1 & 2"]]),
    ]
    path = tmp_path / "report.html"
    write_page(path, "Mesh-Gait", "lead", sections)
    page = path.read_text()
    assert len(re.findall(r'src="data:image/png;base64,[A-Za-z0-9+/=]{1000,}"', page)) == len(figures)
    assert "Pictures &lt;of&gt; walkers" in page
    assert "1 &amp; 2" in page
    assert not re.search(r'(src|href)="(?!data:)', page), "the page must not refer to anything outside"


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
