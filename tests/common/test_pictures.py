import importlib.util
import os
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.pictures import by_frame, frame_key, normalize_silhouette, picture_files, read_picture

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


def grey_person():
    picture = np.zeros((50, 40), np.uint8)
    cv2.ellipse(picture, (20, 25), (8, 22), 0, 0, 360, 255, -1)
    return picture


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "I;16"])
def test_every_kind_is_read_as_openCV_reads_it(mode, tmp_path):
    path = tmp_path / "a.png"
    image = Image.fromarray(grey_person().astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(grey_person())
    (image if mode == "I;16" else image.convert(mode)).save(path)
    read = read_picture(str(path))
    np.testing.assert_array_equal(read, cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
    np.testing.assert_array_equal(read > 127, grey_person() > 127)


def test_transparency_is_left_out(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(grey_person()).save(path, transparency=255)
    np.testing.assert_array_equal(read_picture(str(path)), grey_person())


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_the_opacity_of_cut_outs_is_read(mode, tmp_path):
    path = tmp_path / "a.png"
    photograph = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 40), dtype=np.uint8)).convert(mode)
    for opacity in (grey_person(), grey_person() * 0):
        photograph.putalpha(Image.fromarray(opacity))
        photograph.save(path)
        np.testing.assert_array_equal(read_picture(str(path)), opacity)
    photograph.putalpha(255)
    photograph.save(path)
    np.testing.assert_array_equal(read_picture(str(path)), cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))


def test_labels_of_16_bits_are_read(tmp_path):
    path, labels = tmp_path / "a.png", (grey_person() > 0).astype(np.uint16)
    Image.fromarray(labels).save(path)
    np.testing.assert_array_equal(read_picture(str(path)), labels)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.6, 0.95])
def test_truncated(share, tmp_path):
    path = tmp_path / "a.png"
    data = cv2.imencode(".png", grey_person())[1].tobytes()
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


def test_pictures_of_other_kinds_are_named(tmp_path):
    for name in ("1.png", "2.PNG", "1.jpg", "photograph.txt"):
        (tmp_path / name).touch()
    assert len(picture_files(tmp_path)) == 2  # the photograph of a frame that has a silhouette
    for name in ("3.jpg", "4.JPEG", "5.bmp"):
        (tmp_path / name).touch()
    with pytest.raises(
        UserError, match=r"holds 2 PNGs, and other pictures of 3 further frames \(3.jpg, 4.JPEG, 5.bmp\)"
    ):
        picture_files(tmp_path)
    for name in ("1.png", "2.PNG"):
        (tmp_path / name).unlink()
    assert picture_files(tmp_path) == {}


def test_no_files_are_no_frames():
    assert by_frame([]) == {}


def person(height=120, width=90, top=10, bottom=110, left=30, right=60) -> np.ndarray:
    image = np.zeros((height, width), np.uint8)
    image[top:bottom, left:right] = 255
    return image


def blobs(seed: int, height: int, width: int) -> np.ndarray:
    """A person-like heap of ellipses with ragged, grey edges."""
    rng = np.random.default_rng(seed)
    image = np.zeros((height, width), np.uint8)
    for _ in range(rng.integers(2, 7)):
        centre = (int(rng.integers(0, width)), int(rng.integers(0, height)))
        axes = (int(rng.integers(3, max(4, width // 4))), int(rng.integers(6, max(7, height // 2))))
        cv2.ellipse(image, centre, axes, float(rng.integers(-30, 30)), 0, 360, 255, -1)
    image[rng.random(image.shape) < 0.02] = rng.integers(0, 256)
    return cv2.GaussianBlur(image, (3, 3), 0) if seed % 2 else image


def odd_pictures() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    pictures = {f"blobs {k}": blobs(k, *rng.integers(40, 300, 2)) for k in range(60)}
    pictures |= {f"grey noise {k}": rng.integers(0, 256, (80, 60 + k), dtype=np.uint8) for k in range(4)}
    pictures |= {
        "empty": np.zeros((100, 80), np.uint8),
        "just too little": np.pad(np.full((10, 4), 250, np.uint8), 20),
        "just enough": np.pad(np.full((10, 4), 251, np.uint8), 20),
        "as tall as the picture": person(top=0, bottom=120),
        "already 64 rows": person(height=64, width=64, top=0, bottom=64),
        "at the left edge": person(left=0, right=20),
        "at the right edge": person(left=70, right=90),
        "first column only": person(left=0, right=1),
        "much wider than tall": person(width=900, top=50, bottom=80, left=100, right=850),
        "low and at the far right": person(width=400, top=60, bottom=90, left=350, right=400),
        "narrow picture": person(width=9, left=2, right=7),
        "one row": person(width=90, top=50, bottom=51, left=10, right=80),
        "sparse specks": np.kron(rng.random((60, 40)) < 0.02, np.eye(1, 16, dtype=np.uint8) * 255).astype(np.uint8),
        "centre exactly half": person(height=64, width=64, top=0, bottom=64, left=0, right=64),
    }
    return pictures


@pytest.fixture(scope="module")
def pretreatment():
    root = os.environ.get("OPENGAIT_ROOT")
    if not root:
        pytest.skip("set OPENGAIT_ROOT to an OpenGait checkout to compare with its pretreatment.py")
    spec = importlib.util.spec_from_file_location("pretreatment", Path(root) / "datasets" / "pretreatment.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_same_bytes_as_opengait(pretreatment, tmp_path):
    kept = dropped = 0
    for name, picture in odd_pictures().items():
        folder = tmp_path / name
        folder.mkdir()
        cv2.imwrite(str(folder / "0.png"), picture)
        pretreatment.imgs2pickle((("id", "type", "view"), [folder / "0.png"]), folder / "out")
        written = folder / "out" / "id" / "type" / "view" / "view.pkl"
        ours = normalize_silhouette(picture)
        if not written.exists():
            dropped += 1
            assert ours is None, name
            continue
        kept += 1
        theirs = pickle.loads(written.read_bytes())[0]
        assert ours is not None and ours.dtype == theirs.dtype, name
        np.testing.assert_array_equal(ours, theirs, err_msg=name)
    assert kept > 50 and dropped >= 3


@pytest.mark.parametrize("size", [64, 128])
def test_normalised_person_fills_the_height_and_sits_in_the_middle(size):
    out = normalize_silhouette(person(), size)
    assert out.shape == (size, size) and out.dtype == np.uint8
    assert out.any(axis=1).all()
    columns = np.flatnonzero(out.any(axis=0))
    assert abs((columns[0] + columns[-1]) / 2 - size / 2) <= 1
    assert abs(len(columns) - 0.3 * size) <= 2  # 30 wide, 100 tall: one scale for both axes


def test_place_and_size_in_the_picture_do_not_matter():
    reference = normalize_silhouette(person())
    np.testing.assert_array_equal(normalize_silhouette(np.pad(person(), ((7, 3), (0, 0)))), reference)
    for picture in (np.pad(person(), ((0, 0), (20, 40))), np.kron(person(), np.ones((2, 2), np.uint8))):
        # The width is rounded to whole pixels after scaling, so the outline may move by part of one.
        assert np.abs(normalize_silhouette(picture).astype(int) - reference).mean() < 4


def test_person_at_the_edge_is_filled_up_with_black():
    out = normalize_silhouette(person(left=0, right=20))
    assert out.shape == (64, 64) and not out[:, :25].any() and out[:, 32].all()


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((100, 80), np.uint8),
        np.pad(np.full((8, 4), 255, np.uint8), 20),
        person(left=0, right=1),
        np.full((200, 1), 255, np.uint8),
    ],
    ids=["empty", "too small", "no centre", "too narrow"],
)
def test_dropped_frames(picture):
    assert normalize_silhouette(picture) is None


def test_bad_arguments():
    with pytest.raises(ValueError, match="float64"):
        normalize_silhouette(np.zeros((64, 64)))
    with pytest.raises(ValueError, match=r"\[64, 64, 3\]"):
        normalize_silhouette(np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(ValueError, match="even"):
        normalize_silhouette(person(), 63)
