"""Pictures of one frame: everything is where crop space has it."""

import cv2
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from opengait_meshgait.body.crop import to_pixels
from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.raster import rasterize
from opengait_meshgait.networks import VolumeExtent, soft_argmax
from opengait_meshgait.visual.drawing import (
    HEIGHT,
    LEFT,
    LINE,
    WIDTH,
    draw_grid,
    draw_heatmaps,
    draw_markers,
    draw_mesh,
    draw_silhouette,
    encode,
    shade,
    turned,
)

OCTAHEDRON = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]]) * 0.2 + [0, 0.5, 0]
FACES = np.array([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])


def pixel(x, y):
    """Where a point of crop space lies in a picture, px from its corner."""
    return WIDTH / 2 + 240 * x, 8 + 240 * y


def test_silhouettes_are_where_crop_space_has_them():
    silhouette = np.zeros((64, 64), np.uint8)
    silhouette[16:32, 32] = 255
    rows, columns = np.nonzero(draw_silhouette(silhouette)[..., 0])
    left, top = pixel(-0.5 / 64, 0.25)
    right, bottom = pixel(0.5 / 64, 0.5)
    np.testing.assert_allclose([columns.min(), columns.max() + 1], [left, right], atol=1)
    np.testing.assert_allclose([rows.min(), rows.max() + 1], [top, bottom], atol=1)


@pytest.mark.parametrize("cell", [(0, 3, 2), (1, 8, 6), (1, 14, 9)])
def test_heatmaps_peak_where_their_markers_are(cell):
    volume = torch.zeros(1, 2, 16, 11)
    volume[(0, *cell)] = 1
    extent = VolumeExtent.of_silhouettes(64, 44, 0.4)
    point = soft_argmax(volume, extent).numpy()
    black = np.zeros((64, 64), np.uint8)
    heat = draw_heatmaps(volume.numpy(), extent.half_width, black).sum(-1)
    rows, columns = np.nonzero(heat == heat.max())
    found = columns.mean() + 0.5, rows.mean() + 0.5
    np.testing.assert_allclose(found, pixel(*point[0, :2]), atol=1)
    rows, columns = np.nonzero(draw_markers(black, point, None)[..., 0] > 120)
    np.testing.assert_allclose((columns.mean() + 0.5, rows.mean() + 0.5), pixel(*point[0, :2]), atol=0.6)


def test_each_marker_has_its_own_peak():
    volumes = torch.zeros(2, 1, 16, 11)
    volumes[0, 0, 2, 5] = 1  # certain
    volumes[1, 0, 12:15, 4:7] = 1 / 9  # vague, and as bright
    heat = draw_heatmaps(volumes.numpy(), 0.34, np.zeros((64, 64), np.uint8)).sum(-1)
    assert abs(int(heat[: HEIGHT // 2].max()) - int(heat[HEIGHT // 2 :].max())) < 150


def test_true_markers_lie_below():
    black, point = np.zeros((64, 64), np.uint8), np.array([[0.1, 0.5, 0]])
    both = draw_markers(black, point, point + np.array([0.1, 0, 0]))
    red, green = (np.argwhere(both[..., channel] > 150).mean(0) for channel in (0, 1))
    assert red[1] < green[1]
    hidden = draw_markers(black, point, point).astype(int) - draw_markers(black, point, None)
    assert np.abs(hidden).max() < 40  # smoothed rims


def test_meshes_cover_what_the_rasteriser_says():
    body = load_body()
    vertices = body.v_template * torch.tensor([0.4, -0.4, -0.4]) + torch.tensor([0, 0.5, 0])
    expected = np.zeros((HEIGHT, WIDTH), bool)
    # Crop space without the margins above and below; half a pixel aside.
    expected[8:-8] = rasterize(to_pixels(vertices[None], HEIGHT - 16, WIDTH), body.faces, HEIGHT - 16, WIDTH)[0]
    picture = draw_mesh(vertices.numpy(), body.faces.numpy(), (90, 140, 200), 0)
    drawn = (picture != picture[0, 0]).any(-1)
    assert (drawn & expected).sum() / (drawn | expected).sum() > 0.85
    assert (expected & ~drawn).sum() / expected.sum() < 0.05


def test_turning():
    points = np.array([[1.0, 0.5, 0], [0, 0, 1]])
    np.testing.assert_allclose(turned(points, 0), points)
    # From the camera's right: what was far away is to the right, what was to the right is near.
    np.testing.assert_allclose(turned(points, 90), [[0, 0.5, -1], [1, 0, 0]], atol=1e-12)


@pytest.mark.parametrize("winding", [1, -1])
@pytest.mark.parametrize("degrees", [0, 90])
def test_a_mesh_shows_its_near_half_whatever_its_winding(winding, degrees):
    points, faces = turned(OCTAHEDRON, degrees), FACES[:, ::winding]
    front, brightness = shade(points[faces])
    assert len(front) == len(brightness) == 4
    assert (faces[front] == points[:, 2].argmin()).any(1).all()
    pictures = [draw_mesh(OCTAHEDRON, FACES[:, ::way], (90, 140, 200), degrees) for way in (1, winding)]
    np.testing.assert_array_equal(*pictures)


def test_heatmaps_from_the_right():
    volumes = np.full((1, 8, 16, 11), 1e-6)
    volumes[0, 6, 4] = 1  # far, and high
    heat = draw_heatmaps(volumes.transpose(0, 3, 2, 1), 0.35).sum(-1)
    rows, columns = np.nonzero(heat == heat.max())
    x, y = pixel(0.35 * (6 / 7 * 2 - 1), 4 / 15)
    np.testing.assert_allclose((columns.mean() + 0.5, rows.mean() + 0.5), (x, y), atol=1)


def test_a_grid_has_its_pictures_in_their_places():
    pictures = [[np.full((HEIGHT, WIDTH, 3), 10 * row + column, np.uint8) for column in range(3)] for row in range(2)]
    grid = draw_grid(pictures, ["a", "b"], ["x", "y", "z"])
    assert grid.shape == (LINE + 2 * HEIGHT, LEFT + 3 * WIDTH, 3)
    for row in range(2):
        for column in range(3):
            assert (grid[LINE + row * HEIGHT :, LEFT + column * WIDTH :][:HEIGHT, :WIDTH] == 10 * row + column).all()
    assert grid[:LINE, LEFT:].min() < 128 and grid[LINE:, :LEFT].min() < 128, "texts"


def test_pictures_keep_their_colours():
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 200
    for ending, tolerance in ((".png", 0), (".jpg", 3)):
        found = cv2.imdecode(np.frombuffer(encode(red, ending), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        np.testing.assert_allclose(found.astype(int), red, atol=tolerance)
    found = cv2.imdecode(np.frombuffer(encode(Figure(figsize=(2, 1), facecolor="red")), np.uint8), cv2.IMREAD_COLOR)
    assert found.shape == (150, 300, 3) and (found == [0, 0, 255]).all()
