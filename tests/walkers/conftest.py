"""The stand-in body, and how well bodies lie on silhouettes."""

import pytest
import torch

from opengait_meshgait.body import crop_frame, load_body, render_crop, to_crop


@pytest.fixture(scope="session")
def body():
    return load_body()


@pytest.fixture(scope="session")
def overlap(body):
    """Intersection over union of each silhouette with the body that its 85 numbers pose, [T]."""

    def measure(silhouettes, frames):
        numbers = torch.from_numpy(frames)
        vertices, joints = body(numbers[:, 3:75], numbers[:, 75:])
        frame = crop_frame(vertices, body.faces, joints[:, 0])
        posed = render_crop(to_crop(vertices, frame), body.faces, 64, 64).numpy()
        seen = silhouettes > 127
        return (posed & seen).sum((1, 2)) / (posed | seen).sum((1, 2))

    return measure
