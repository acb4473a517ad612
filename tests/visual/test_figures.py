"""Every picture draws, the page holds all of them in one file, and markers show where they can be seen."""

import re

import numpy as np
import pytest
import torch

from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.markers import load_markers
from opengait_meshgait.networks import MeshGaitOutput, VolumeExtent
from opengait_meshgait.visual.charts import cmc_figure, curves_figure, groups_figure, views_figure
from opengait_meshgait.visual.drawing import HEIGHT, LEFT, LINE, WIDTH
from opengait_meshgait.visual.figures import (
    BODY_SIDES,
    SIDE_COLOURS,
    bodies_figure,
    heatmaps_figure,
    marker_sides,
    markers_figure,
    training_picture,
    visible,
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
        curves_figure("loss", {"a": ([1, 2], [3.0, 2.0]), "b": ([1, 2], [3.0, 1.0])}),
        views_figure("a", np.eye(3) * 50, ["000", "045", "090"]),
        cmc_figure("NM", {"a": np.array([50.0, 70, 80]), "b": np.array([60.0])}),
        groups_figure("by person", np.zeros((25, 2)), np.array([f"{number:02d}" for number in range(25)])),
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


def test_a_run_has_one_colour_in_all_charts():
    curve = [1, 2], [3.0, 2.0]
    both, alone = (curves_figure("loss", {"a": first, "b": curve}).axes[0].lines for first in (curve, ([], [])))
    assert len(alone) == 1 and alone[0].get_color() == both[1].get_color() != both[0].get_color()


@pytest.mark.parametrize("count", [8, 9, 24])
def test_every_run_has_a_line_of_its_own(count):
    names = [f"run {number}" for number in range(count)]
    curves = curves_figure("loss", {name: ([1, 2], [3.0, 2.0]) for name in names})
    for figure in (curves, cmc_figure("CMC", {name: np.array([50.0, 60.0]) for name in names})):
        lines = figure.axes[0].lines
        assert [line.get_label() for line in lines] == names
        assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == count


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


# A tetrahedron with its tip towards the viewer, and a vertex of no triangle behind its far side.
SPIKE = np.array([[0, 0, -1], [-1, -1, 0], [1, -1, 0], [0, 1, 0], [0, 0, 1], [3, 3, 0]], float)
SPIKE_FACES = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 2, 3]])


@pytest.fixture(scope="module")
def shown():
    body = load_body()
    markers = load_markers(body=body)
    return tuple(t.numpy() for t in (body.v_template, body.faces, markers.vertex_ids, markers.flip))


def test_what_hides_what():
    every = np.arange(len(SPIKE))
    assert visible(SPIKE, SPIKE_FACES, every).tolist() == [True, True, True, True, False, True]
    behind = SPIKE * [1, 1, -1]
    assert visible(behind, SPIKE_FACES, every).tolist() == [False, True, True, True, True, True]


def test_an_edge_on_triangle_hides_nothing():
    vertices = np.array([[0, -1, -2], [0, 1, -2], [0, 0, -1], [0, 0, 0]], float)
    assert visible(vertices, np.array([[0, 1, 2]]), np.array([3])).all()


@pytest.mark.parametrize("view", BODY_SIDES)
def test_views_are_rotations_with_the_head_up(view):
    np.testing.assert_allclose(BODY_SIDES[view] @ BODY_SIDES[view].T, np.eye(3))
    assert np.linalg.det(BODY_SIDES[view]) == pytest.approx(1)
    assert (BODY_SIDES[view] @ [0, 1, 0]).tolist() == [0, -1, 0]


def test_sides_of_the_stand_in(shown):
    vertices, _, ids, flip = shown
    sides = marker_sides(vertices[ids], flip)
    x = vertices[ids, 0]
    assert {name: sides.count(name) for name in SIDE_COLOURS} == {"left": 28, "right": 28, "midline": 8}
    assert all((value > 0) == (side == "left") for value, side in zip(x, sides) if side != "midline")
    assert all(sides[other] == {"left": "right", "right": "left", "midline": "midline"}[sides[k]] for k, other in
               enumerate(flip))  # fmt: skip


def test_face_and_back_of_the_stand_in(shown):
    vertices, faces, ids, _ = shown
    nose, seat = vertices[ids, 2].argmax(), np.where(vertices[ids, 1] > 0.3, 0, vertices[ids, 2]).argmin()
    front, back = (visible(vertices @ BODY_SIDES[view].T, faces, ids) for view in ("front", "back"))
    assert front[nose] and not back[nose]
    assert back[seat] and not front[seat]


def test_every_marker_has_its_number_in_the_picture(shown):
    figure = markers_figure(*shown, "title")
    texts = [[int(text.get_text()) for text in ax.texts] for ax in figure.axes]
    assert len(texts) == 3
    assert {number for numbers in texts for number in numbers} == set(range(64))
    assert figure.get_suptitle() == "title"
    assert [text.get_text() for text in figure.legends[0].texts] == ["left (28)", "right (28)", "midline (8)"]
    figure.canvas.draw()
    for ax in figure.axes:
        (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
        for text in ax.texts:
            assert left < text.xy[0] < right and top < text.xy[1] < bottom
