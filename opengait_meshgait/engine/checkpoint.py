"""Checkpoints: files that are whole or absent, and that run no code when they are read.

A checkpoint holds ``model``, ``optimizer``, ``scheduler`` and ``iteration``, as OpenGait's do, and besides ``scaler``,
``seed``, ``config``, ``body`` (name and fingerprint of the body that supervised it, never its arrays), ``data`` (size
and fingerprint of the training set) and ``silhouettes`` (their height and width in its files, px). Everything drawn at
random in an iteration comes from (seed, iteration, process), so that those two numbers are the whole state of the
random generators and of the sampler.
"""

import glob
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import atomic_path, remove_leftovers
from opengait_meshgait.engine.config import save_name
from opengait_meshgait.engine.schema import Config
from opengait_meshgait.networks import load_checkpoint

Say = Callable[[str], None]
BEST = "best.json"
"""In a run's folder: which iteration had the highest Rank-1 when it was tested during training, and how high."""


def run_folder(config: Config, output: str | Path, training: bool) -> Path:
    """``output/<dataset_name>/<model>/<save_name>``, where a run keeps what it writes."""
    return Path(output) / config.data_cfg.run_name / config.model_cfg.model / save_name(config, training)


def write_checkpoint(path: str | Path, content: Mapping[str, Any]) -> None:
    """Write a checkpoint, atomically.

    Raises:
        OSError: the disk is full, say.
    """
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:
            # PyTorch closes its archive after a failed write, and tells of that alone.
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


class Checkpoints:
    """The checkpoints of one run: ``<folder>/checkpoints/<name>-%05d.pt``.

    Args:
        folder: of the run; its name is the run's.
    """

    def __init__(self, folder: Path):
        self.folder = folder / "checkpoints"
        self.name = folder.name
        self._passing: Path | None = None

    def path(self, iteration: int) -> Path:
        """Where the checkpoint of an iteration lies."""
        return self.folder / f"{self.name}-{iteration:05d}.pt"

    def iterations(self) -> list[int]:
        """What there is, oldest first."""
        pattern = re.compile(re.escape(self.name) + r"-(\d+)\.pt")
        names = (pattern.fullmatch(path.name) for path in self.folder.glob("*.pt"))
        return sorted(int(name[1]) for name in names if name)

    def save(self, state: Mapping[str, Any], passing: bool = False) -> Path:
        """Write a checkpoint under its iteration's name; a ``passing`` one goes when the next is there."""
        path = self.path(state["iteration"])
        write_checkpoint(path, dict(state))
        if self._passing not in (None, path):
            self._passing.unlink(missing_ok=True)
        self._passing = path if passing else None
        return path

    def sweep(self) -> None:
        """Remove what a kill left half written."""
        remove_leftovers(self.folder, f"{glob.escape(self.name)}-*.pt")

    def find(self, iteration: int) -> Path:
        """The checkpoint of one iteration.

        Raises:
            UserError: there is none.
        """
        if not self.path(iteration).is_file():
            there = ", ".join(map(str, self.iterations())) or "none"
            raise UserError(f"{self.path(iteration)} is missing. Iterations saved in that folder: {there}.")
        return self.path(iteration)

    def newest(self, say: Say) -> tuple[Path, dict[str, Any]] | None:
        """The newest checkpoint that can be read, with its content; damaged ones are named and passed over."""
        for iteration in reversed(self.iterations()):
            try:
                return self.path(iteration), load_checkpoint(self.path(iteration))
            except UserError as error:
                say(f"Passed over: {error}")
        return None


def other_size(state: Mapping[str, Any], size: list[int]) -> str | None:
    """One line when a checkpoint's silhouettes were not of the ``size`` [height, width] of those at hand."""
    trained = state.get("silhouettes", size)
    if trained == size:
        return None
    return (
        f"The silhouettes here are {size[0]} x {size[1]} px, and the checkpoint was trained on {trained[0]} x "
        f"{trained[1]} px: prepare the dataset with that size."
    )


def other_body(state: Mapping[str, Any], body: Mapping[str, str] | None) -> str | None:
    """One line when a checkpoint's body is not the one at hand."""
    saved = state.get("body")
    if not saved or not body or saved["fingerprint"] == body["fingerprint"]:
        return None
    return (
        f"The body here is {body['name']} ({body['fingerprint'][:8]}); the checkpoint was trained with {saved['name']} "
        f"({saved['fingerprint'][:8]}). Its markers lie elsewhere, so body errors will be larger."
    )
