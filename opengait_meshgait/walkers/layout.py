"""How a dataset of walkers lies on disk."""

import pickle
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from opengait_meshgait.body.model import BodyModel
from opengait_meshgait.walkers.partition import sequence_name, view_folder
from opengait_meshgait.walkers.person import WalkName
from opengait_meshgait.walkers.sequence import normalize_pictures


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
        "1-smpls.pkl": "float32 [frames, 85]: weak-perspective camera (s, tx, ty), axis-angle of 24 joints with the "
        "root in camera orientation (x right, y down, z away), 10 betas",
    }

    def folders(self, walk: WalkName, view: int, frames: int) -> dict[Path, list[str]]:
        return {Path(walk.label, walk.type, view_folder(view)): list(self.files)}

    def contents(self, body: BodyModel, pictures: np.ndarray, smpls: np.ndarray) -> Iterator[list[bytes]]:
        arrays = normalize_pictures(pictures), smpls
        yield [pickle.dumps(np.ascontiguousarray(array), protocol=4) for array in arrays]
