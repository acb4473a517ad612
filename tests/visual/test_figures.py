"""Every picture draws, and the page holds all of them in one file."""

import re

import numpy as np
import pytest

from opengait_meshgait.visual.figures import (
    BodySample,
    bodies_figure,
    curves_figure,
    heatmaps_figure,
    views_figure,
    walkers_figure,
)
from opengait_meshgait.visual.page import Section, write_page

OCTAHEDRON = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]) * 0.2 + [0, 0.5, 0]
FACES = np.array([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])


@pytest.fixture
def sample():
    volumes = np.full((6, 4, 16, 11), 1 / (4 * 16 * 11))
    return BodySample("0001 nm-01 90°", np.ones((64, 44)), OCTAHEDRON, OCTAHEDRON, OCTAHEDRON + 0.01, volumes, 12.3)


def test_page_is_one_file_with_every_picture(sample, tmp_path):
    figures = [
        walkers_figure(np.zeros((2, 3, 64, 44)), ["a", "b"], ["0°", "45°", "90°"]),
        bodies_figure([sample, sample], FACES),
        heatmaps_figure(sample, {"head": 0, "left hand": 3}, np.array([[-0.34, 0.34], [0, 1], [-0.5, 0.5]])),
        curves_figure({"loss": {"a": ([1, 2], [3.0, 2.0]), "b": ([1, 2], [3.0, 1.0])}}),
        views_figure({"a": np.eye(3) * 50}, ["000", "045", "090"]),
    ]
    sections = [Section("Pictures <of> walkers", figures=figures), Section("T", table=[["", "x"], ["a", "1 & 2"]])]
    path = tmp_path / "report.html"
    write_page(path, "Mesh-Gait", "lead", sections)
    page = path.read_text()
    assert len(re.findall(r'src="data:image/png;base64,[A-Za-z0-9+/=]{1000,}"', page)) == len(figures)
    assert "Pictures &lt;of&gt; walkers" in page
    assert "1 &amp; 2" in page
    assert not re.search(r'(src|href)="(?!data:)', page), "the page must not refer to anything outside"


@pytest.mark.parametrize("winding", [1, -1])
@pytest.mark.parametrize("view", ["camera", "side"])
def test_a_mesh_shows_its_near_half_whatever_its_winding(winding, view):
    from matplotlib.figure import Figure

    from opengait_meshgait.visual.drawing import VIEWS, draw_mesh

    ax = Figure().subplots()
    draw_mesh(ax, OCTAHEDRON, FACES[:, ::winding], view)
    drawn = np.concatenate([path.vertices for path in ax.collections[0].get_paths()])
    near = (OCTAHEDRON @ VIEWS[view].T)[np.argmin((OCTAHEDRON @ VIEWS[view].T)[:, 2])]
    assert len(ax.collections[0].get_paths()) == 4
    assert np.isclose(drawn, near[:2]).all(1).any()
