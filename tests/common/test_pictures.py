import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.pictures import by_frame, frame_key, picture_files, read_picture

FILTERS = [cv2.IMWRITE_PNG_FILTER_NONE, cv2.IMWRITE_PNG_FILTER_PAETH, cv2.IMWRITE_PNG_ALL_FILTERS]


@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40))),
    st.sampled_from(FILTERS),
    st.integers(0, 9),
)
def test_grey_levels_are_what_was_written(tmp_path_factory, picture, kind, level):
    path = tmp_path_factory.mktemp("png") / "a.png"
    options = [cv2.IMWRITE_PNG_FILTER, kind, cv2.IMWRITE_PNG_COMPRESSION, level]
    path.write_bytes(cv2.imencode(".png", picture, options)[1].tobytes())
    read = read_picture(str(path))
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, picture)


def person():
    picture = np.zeros((50, 40), np.uint8)
    cv2.ellipse(picture, (20, 25), (8, 22), 0, 0, 360, 255, -1)
    return picture


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "I;16"])
def test_every_kind_is_read_as_openCV_reads_it(mode, tmp_path):
    path = tmp_path / "a.png"
    image = Image.fromarray(person().astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(person())
    (image if mode == "I;16" else image.convert(mode)).save(path)
    read = read_picture(str(path))
    np.testing.assert_array_equal(read, cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
    np.testing.assert_array_equal(read > 127, person() > 127)


def test_transparency_is_left_out(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(person()).save(path, transparency=255)
    np.testing.assert_array_equal(read_picture(str(path)), person())


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.6, 0.95])
def test_truncated(share, tmp_path):
    path = tmp_path / "a.png"
    data = cv2.imencode(".png", person())[1].tobytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(UserError, match=r"a\.png"):
        read_picture(str(path))


def test_missing(tmp_path):
    with pytest.raises(UserError, match="Cannot read .*No such file"):
        read_picture(str(tmp_path / "a.png"))


@pytest.mark.parametrize(
    "ordered", [["8", "0009", "10"], ["a-9-2", "a-10-1"], ["frame_1", "frame_2", "frame_10"], ["x", "x1", "y"]]
)
def test_frames_are_ordered_by_numbers(ordered):
    mixed = [ordered[-1], *ordered[:-1]]
    assert sorted(mixed, key=frame_key) == ordered


def test_pictures_of_a_folder(tmp_path):
    for name in ("10.png", "9.PNG", "gei.png", "notes.txt", ".hidden.png"):
        (tmp_path / name).touch()
    assert [path.rpartition("/")[2] for path in picture_files(tmp_path).values()] == ["9.PNG", "10.png"]
    (tmp_path / "009.png").touch()
    with pytest.raises(UserError, match=r"009\.png and 9\.PNG .* same frame"):
        picture_files(tmp_path)


def test_no_files_are_no_frames():
    assert by_frame([]) == {}
