"""How a dataset of walkers lies on disk: ready to train with, or as a raw dataset, so that the way from raw files to
training needs no licensed byte."""

import json
import pickle
from abc import ABC, abstractmethod
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import torch

from opengait_meshgait.body.layout import BETAS, CAM, POSE
from opengait_meshgait.body.model import BodyModel
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.pictures import normalize_silhouette
from opengait_meshgait.walkers.options import WalkerSet
from opengait_meshgait.walkers.person import WalkName, sequence_name, view_folder

_MOST_WALKS = 100  # what the two digits of OUMVLP's folders hold
_PICTURE = "silhouette as a tracker cuts it, grey, uint8 [180, 180], 0 or 255"
_CAM = "weak-perspective camera (s, tx, ty)"
_POSE = "axis-angle of 24 joints with the root in camera orientation (x right, y down, z away)"


class Layout(ABC):
    """Which folders and files one walk seen from one view becomes.

    Attributes:
        name: in ``dataset.json`` and on the command line.
        title: the end of "Walkers: synthetic people with ground-truth bodies, …".
        files: what is in them, for ``dataset.json``.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    files: ClassVar[dict[str, str]]

    @abstractmethod
    def folders(self, walk: WalkName, view: int, frames: int) -> dict[Path, list[str]]:
        """Folders below the dataset's, in the order in which they are to appear, and the names of their files."""

    @abstractmethod
    def contents(self, body: BodyModel, pictures: np.ndarray, smpls: np.ndarray) -> Iterator[list[bytes]]:
        """What is in the files of :meth:`folders`, folder after folder.

        Args:
            body: the body that all people share.
            pictures: uint8 [T, h, w], 0 or 255.
            smpls: frames of 85 numbers, float32 [T, 85].
        """

    def sequence_name(self, walk: WalkName, view: int) -> str:
        """``id-type-view`` of the sequence once it is in OpenGait's layout, for the partition."""
        return sequence_name(walk, view)

    def notes(self) -> dict[str, Any]:
        """What else ``dataset.json`` is to say."""
        return {}


class OpenGaitLayout(Layout):
    """What is trained with: ``id/type/view/{0-sils,1-smpls}.pkl``."""

    name = "opengait"
    title = "in OpenGait's layout"
    files = {
        "0-sils.pkl": "silhouettes, uint8 [frames, 64, 64]",
        "1-smpls.pkl": f"float32 [frames, 85]: {_CAM}, {_POSE}, 10 betas",
    }

    def folders(self, walk: WalkName, view: int, frames: int) -> dict[Path, list[str]]:
        return {Path(walk.label, walk.type, view_folder(view)): list(self.files)}

    def contents(self, body: BodyModel, pictures: np.ndarray, smpls: np.ndarray) -> Iterator[list[bytes]]:
        arrays = np.stack([normalize_silhouette(picture) for picture in pictures]), smpls
        yield [pickle.dumps(np.ascontiguousarray(array), protocol=4) for array in arrays]


class Gait3DLayout(Layout):
    """Gait3D's silhouettes, with bodies as ROMP (version 1) writes them, one file a frame.

    Bodies come before their silhouettes: two folders cannot appear at once, and sequences are
    found by their silhouettes. The same holds for :class:`OUMVLPLayout`.
    """

    name = "gait3d"
    title = "in the raw layout of Gait3D"
    files = {
        "2D_Silhouettes/<id>/<type>/<view>/<frame>.png": _PICTURE,
        "3D_SMPLs/<id>/<type>/<view>/<frame>.npz": "results, an array of one dict with cam float32 [3]: "
        f"{_CAM}; poses float32 [72]: {_POSE}; betas float32 [10]",
    }

    def folders(self, walk: WalkName, view: int, frames: int) -> dict[Path, list[str]]:
        place = Path(walk.label, walk.type, view_folder(view))
        return {
            "3D_SMPLs" / place: _frame_names(frames, "npz"),
            "2D_Silhouettes" / place: _frame_names(frames, "png"),
        }

    def contents(self, body: BodyModel, pictures: np.ndarray, smpls: np.ndarray) -> Iterator[list[bytes]]:
        yield [_npz({"cam": row[CAM], "poses": row[POSE], "betas": row[BETAS]}) for row in smpls]
        yield _pngs(pictures)


class OUMVLPLayout(Layout):
    """OUMVLP's silhouettes, with joints and bodies as OUMVLP-Mesh has them, one JSON file a frame.

    Args:
        options: which walkers. OUMVLP only numbers walks: 00, 01, … stand for their types in the order of
            ``options.walks()``, over all people, for not everyone who walks as recorded has the same walks.

    Raises:
        UserError: there are more types of walks than two digits can number.
    """

    name = "oumvlp"
    title = "in the raw layout of OUMVLP and OUMVLP-Mesh"
    files = {
        "Silhouette_<view>-<walk>/<id>/<frame>.png": _PICTURE,
        "OUMVLP-Mesh/<id>/<view>_<walk>/<frame>.json": "hc3d [24, 3]: joints in camera orientation (x right, y down, "
        f"z away), relative to the pelvis, m; pose [72]: {_POSE}; shape [10]: betas; cam [3]: {_CAM}",
    }

    def __init__(self, options: WalkerSet):
        types = list(dict.fromkeys(walk.type for walk in options.walks()))
        if len(types) > _MOST_WALKS:
            raise UserError(
                f"There are {len(types)} different walks, and folders of OUMVLP number at most {_MOST_WALKS}: make "
                "fewer, or use the layout of gait3d."
            )
        self._walks = {kind: f"{number:02d}" for number, kind in enumerate(types)}

    def folders(self, walk: WalkName, view: int, frames: int) -> dict[Path, list[str]]:
        angle, number = view_folder(view), self._walks[walk.type]
        return {
            Path("OUMVLP-Mesh", walk.label, f"{angle}_{number}"): _frame_names(frames, "json"),
            Path(f"Silhouette_{angle}-{number}", walk.label): _frame_names(frames, "png"),
        }

    def contents(self, body: BodyModel, pictures: np.ndarray, smpls: np.ndarray) -> Iterator[list[bytes]]:
        numbers = torch.from_numpy(smpls)
        joints = body.joints(numbers[:, POSE], numbers[:, BETAS])
        joints = (joints - joints[:, :1]).numpy()
        yield [
            _json({"hc3d": places, "pose": row[POSE], "shape": row[BETAS], "cam": row[CAM]})
            for places, row in zip(joints, smpls)
        ]
        yield _pngs(pictures)

    def sequence_name(self, walk: WalkName, view: int) -> str:
        return f"{walk.label}-{self._walks[walk.type]}-{view_folder(view)}"

    def notes(self) -> dict[str, Any]:
        return {"walks": {number: kind for kind, number in self._walks.items()}}


def _frame_names(frames: int, ending: str) -> list[str]:
    digits = max(4, len(str(frames)))  # equally long, so that they sort
    return [f"{number:0{digits}d}.{ending}" for number in range(1, frames + 1)]


def _pngs(pictures: np.ndarray) -> list[bytes]:
    return [cv2.imencode(".png", picture)[1].tobytes() for picture in pictures]


def _npz(result: dict[str, np.ndarray]) -> bytes:
    """The bytes depend on ``result`` alone: NumPy dates the entries of an archive 1980."""
    file = BytesIO()
    np.savez(file, results=np.array([result], dtype=object))
    return file.getvalue()


def _json(frame: dict[str, np.ndarray]) -> bytes:
    return (json.dumps({key: value.tolist() for key, value in frame.items()}) + "\n").encode()
