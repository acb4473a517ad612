"""A tiny raw dataset: two people, two walks, silhouettes of the stand-in body itself, so that bodies fit them."""

import cv2
import numpy as np
import pytest
import torch

from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.layout import BETAS, CAM, POSE
from opengait_meshgait.body.raster import rasterize

FRAMES, SIDE = 6, 96
SEQUENCES = [(label, "nm-01", view) for label in ("0001", "0002") for view in ("000", "090")]


@pytest.fixture(scope="session")
def walk():
    """Pictures uint8 [FRAMES, 96, 96] and bodies float32 [FRAMES, 85]."""
    body = load_body()
    smpls = np.zeros((FRAMES, 85), np.float32)
    smpls[:, 0] = 0.9
    smpls[:, 3] = np.pi  # upright in camera orientation
    smpls[:, [3 + 3 * 16 + 2, 3 + 3 * 17 + 2]] = [-1.2, 1.2]  # arms down
    smpls[:, [3 + 3, 3 + 6]] = np.stack([np.sin(np.arange(FRAMES)), -np.sin(np.arange(FRAMES))], 1) * 0.4  # hips
    with torch.no_grad():
        vertices = body(torch.from_numpy(smpls[:, POSE]), torch.from_numpy(smpls[:, BETAS]))[0][..., :2]
    low, high = vertices.amin((0, 1)), vertices.amax((0, 1))
    scale = 80 / float((high - low).max())
    xy = (vertices - (low + high) / 2) * scale + SIDE / 2
    return rasterize(xy, body.faces, SIDE, SIDE).numpy().astype(np.uint8) * 255, smpls


@pytest.fixture(scope="session")
def write_pictures():
    """A function that writes one PNG a frame, 0001.png and on."""

    def write(folder, pictures):
        folder.mkdir(parents=True, exist_ok=True)
        for number, picture in enumerate(pictures, start=1):
            (folder / f"{number:04d}.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())

    return write


@pytest.fixture(scope="session")
def save_romp():
    """A function that writes one frame as ROMP V1 does."""

    def save(path, pose, betas=(0.0,) * 10, cam=(1.0, 0.0, 0.0)):
        person = {"cam": np.array(cam), "poses": np.array(pose), "betas": np.array(betas)}
        np.savez(path, results=np.array([person], dtype=object))

    return save


@pytest.fixture
def gait3d(tmp_path, walk, write_pictures, save_romp):
    """The raw dataset as Gait3D lies; returns its root."""
    root, (pictures, smpls) = tmp_path / "raw", walk
    for names in SEQUENCES:
        write_pictures(root.joinpath("2D_Silhouettes", *names), pictures)
        folder = root.joinpath("3D_SMPLs", *names)
        folder.mkdir(parents=True)
        for number, row in enumerate(smpls, start=1):
            save_romp(folder / f"{number:04d}.npz", row[POSE], row[BETAS], row[CAM])
    return root
