"""The picture of virtual markers."""

import numpy as np
import pytest

from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.markers import load_markers
from opengait_meshgait.visual.markers import BODY_SIDES, SIDE_COLOURS, marker_sides, markers_figure, visible

# A tetrahedron with its tip towards the viewer, and a vertex of no triangle behind its far side.
SPIKE = np.array([[0, 0, -1], [-1, -1, 0], [1, -1, 0], [0, 1, 0], [0, 0, 1], [3, 3, 0]], float)
FACES = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 2, 3]])


@pytest.fixture(scope="module")
def shown():
    body = load_body()
    markers = load_markers(body=body)
    return tuple(t.numpy() for t in (body.v_template, body.faces, markers.vertex_ids, markers.flip))


def test_what_hides_what():
    every = np.arange(len(SPIKE))
    assert visible(SPIKE, FACES, every).tolist() == [True, True, True, True, False, True]
    behind = SPIKE * [1, 1, -1]
    assert visible(behind, FACES, every).tolist() == [False, True, True, True, True, True]


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
