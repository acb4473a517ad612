import numpy as np
import pytest

from opengait_meshgait.prepare.contact_sheet import MOST_TILES, _legend, contact_sheet

TILE_HEIGHT, TILE_WIDTH, SIDE = 234, 198, 192


def tile(name="0001/nm-01/090", frame=3, iou=0.41, size=64):
    """A silhouette on the left half of rows 16 to 47, a body on the right half of the same rows; a column is shared."""
    silhouette, mask = np.zeros((size, size), np.uint8), np.zeros((size, size), bool)
    rows = slice(size // 4, 3 * size // 4)
    silhouette[rows, size // 4 : size // 2 + size // 8] = 255
    mask[rows, size // 2 - size // 8 : 3 * size // 4] = True
    return name, frame, iou, silhouette, mask


@pytest.mark.parametrize("size", [64, 128])
def test_what_is_silhouette_body_both_and_neither(size):
    picture = contact_sheet([tile(size=size)])
    assert picture.dtype == np.uint8 and picture.shape == (TILE_HEIGHT, TILE_WIDTH, 3)
    middle, seen, both, body = SIDE // 2, SIDE * 5 // 16, SIDE // 2, SIDE * 11 // 16
    assert (picture[4, 4] == 0).all()
    blue, green, red = picture[middle, seen].tolist()
    assert blue == green == red > 100
    for column in (both, body):
        blue, green, red = picture[middle, column].tolist()
        assert blue < green < red
    assert picture[middle, both].sum() > picture[middle, body].sum()
    edge = picture[middle, SIDE * 3 // 4 - 1]
    assert edge.tolist() == [0, 140, 255]


def test_a_body_that_fills_the_picture_keeps_its_outline():
    name, frame, iou, silhouette, mask = tile()
    picture = contact_sheet([(name, frame, iou, silhouette, np.ones_like(mask))])
    assert picture[0, 50].tolist() == [0, 140, 255]


def test_labels_are_written_and_differ():
    def label(**kwargs):
        return contact_sheet([tile(**kwargs)])[SIDE:]

    assert (label().max() > 150) and len(np.unique(label())) > 5
    for other in ({"name": "0002/nm-01/090"}, {"frame": 4}, {"iou": 0.42}):
        assert (label(**other) != label()).any()


def test_long_and_foreign_names_stay_in_their_tile():
    picture = contact_sheet([tile(name="längerer Name/" * 9 + "end"), tile()])
    assert (picture[SIDE:, TILE_WIDTH - 4 : TILE_WIDTH] == 32).all()
    np.testing.assert_array_equal(picture[:, TILE_WIDTH:], contact_sheet([tile()]))


def test_tiles_come_in_reading_order_and_the_last_row_is_filled_up():
    tiles = [tile(frame=number) for number in range(5)]
    picture = contact_sheet(tiles, columns=3)
    assert picture.shape == (2 * TILE_HEIGHT, 3 * TILE_WIDTH, 3)
    np.testing.assert_array_equal(picture[TILE_HEIGHT:, :TILE_WIDTH], contact_sheet([tiles[3]]))
    assert (picture[TILE_HEIGHT:, 2 * TILE_WIDTH :] == 32).all()


def test_at_most_48_tiles_and_at_least_one():
    assert contact_sheet([tile()] * (MOST_TILES + 7)).shape == (6 * TILE_HEIGHT, 8 * TILE_WIDTH, 3)
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([])


def test_the_legend_has_the_colours_of_the_tiles():
    legend, picture = _legend(TILE_WIDTH), contact_sheet([tile()])
    middle = SIDE // 2
    seen = [picture[middle, column] for column in (SIDE * 5 // 16, SIDE // 2, SIDE * 11 // 16)]
    np.testing.assert_allclose([legend[14 + 16 * row, 10] for row in range(3)], seen, atol=1)
    assert legend.shape[1] == TILE_WIDTH
    assert (legend[:, -12:] == 32).all()  # the words fit above one tile
