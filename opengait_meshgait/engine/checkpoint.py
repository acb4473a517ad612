"""Checkpoints: files that are whole or absent, and that run no code when they are read.

A checkpoint holds ``model``, ``optimizer``, ``scheduler`` and ``iteration``, as OpenGait's do, and besides ``scaler``,
``seed``, ``config``, ``body`` (name and fingerprint of the body that supervised it, never its arrays) and ``data``
(size and fingerprint of the training set). Everything drawn at random in an iteration comes from (seed, iteration,
process), so that those two numbers are the whole state of the random generators and of the sampler.
"""

import pickle
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import atomic_path
from opengait_meshgait.engine.config import save_name
from opengait_meshgait.engine.schema import Config

Say = Callable[[str], None]
BEST = "best.json"
"""In a run's folder: which iteration had the highest Rank-1 when it was tested during training, and how high."""


def run_folder(config: Config, output: str | Path, training: bool) -> Path:
    """``output/<dataset_name>/<model>/<save_name>``, where a run keeps what it writes."""
    return Path(output) / config.data_cfg.dataset_name / config.model_cfg.model / save_name(config, training)


class Checkpoints:
    """The checkpoints of one run: ``<folder>/checkpoints/<name>-%05d.pt``.

    Args:
        folder: of the run; its name is the run's.
    """

    def __init__(self, folder: Path):
        self.folder = folder / "checkpoints"
        self.name = folder.name

    def path(self, iteration: int) -> Path:
        """Where the checkpoint of an iteration lies."""
        return self.folder / f"{self.name}-{iteration:05d}.pt"

    def iterations(self) -> list[int]:
        """What there is, oldest first."""
        pattern = re.compile(re.escape(self.name) + r"-(\d+)\.pt")
        names = (pattern.fullmatch(path.name) for path in self.folder.glob("*.pt"))
        return sorted(int(name[1]) for name in names if name)

    def save(self, state: Mapping[str, Any]) -> Path:
        """Write a checkpoint under its iteration's name."""
        path = self.path(state["iteration"])
        with atomic_path(path) as temporary:
            torch.save(dict(state), temporary)
        return path

    def sweep(self) -> None:
        """Remove what a kill left half written."""
        for path in self.folder.glob(f".{self.name}-*.pt.*.tmp"):
            path.unlink()

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


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint of this package or of OpenGait, onto the CPU.

    Raises:
        UserError: the file is missing, damaged, or no checkpoint.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing.") from error
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"{path} is damaged or no checkpoint: {reason[0]}") from error
    if not isinstance(state, dict) or not isinstance(state.get("model"), dict):
        raise UserError(f"{path} is no checkpoint: it holds no weights under 'model'.")
    return state


def load_weights(net: nn.Module, state: Mapping[str, Any], strict: bool, source: str | Path) -> list[str]:
    """Put a checkpoint's weights into a network.

    Returns:
        With ``strict`` off, the names of weights that only one of the two has.

    Raises:
        UserError: weights of another shape, or, with ``strict``, missing or further ones.
    """
    own, given = net.state_dict(), state["model"]
    problems = [
        f"{name}: {list(given[name].shape)} in the file, {list(own[name].shape)} in the network"
        for name in own.keys() & given.keys()
        if own[name].shape != given[name].shape
    ]
    unmatched = [f"{name}: not in the file" for name in own if name not in given]
    unmatched += [f"{name}: not in the network" for name in given if name not in own]
    if problems or (strict and unmatched):
        problems = sorted(problems) + (unmatched if strict else [])
        more = f"\n  and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise UserError(
            f"The weights of {source} do not fit model_cfg:\n  "
            + "\n  ".join(problems[:5])
            + f"{more}\nUse the config it was trained with"
            + ("." if strict else ": restore_ckpt_strict: false lets weights be absent, not of another shape.")
        )
    net.load_state_dict(given, strict=False)
    return [line.partition(":")[0] for line in unmatched]


def other_body(state: Mapping[str, Any], body: Mapping[str, str] | None) -> str | None:
    """One line when a checkpoint's body is not the one at hand."""
    saved = state.get("body")
    if not saved or not body or saved["fingerprint"] == body["fingerprint"]:
        return None
    return (
        f"The body here is {body['name']} ({body['fingerprint'][:8]}); the checkpoint was trained with {saved['name']} "
        f"({saved['fingerprint'][:8]}). Its markers lie elsewhere, so body errors will be larger."
    )
