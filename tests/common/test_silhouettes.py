import importlib.util
import os
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from opengait_meshgait.common.silhouettes import normalize_silhouette


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
