"""Mesh-Gait for OpenGait: gait recognition that learns 3D from silhouettes.

The functions below import PyTorch when they are called, not before. Classes and registries are in
:mod:`opengait_meshgait.api`, which lists the whole public interface.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opengait_meshgait.engine.schema import Config
    from opengait_meshgait.engine.training import TrainResult
    from opengait_meshgait.inference.model import GaitModel

__all__ = ["__version__", "load", "load_config", "test", "train"]

__version__ = "0.1.0"


def load(
    checkpoint: str | Path, config: str | Path | None = None, device: str = "auto", precision: str = "auto"
) -> GaitModel:
    """A trained model: see :func:`opengait_meshgait.inference.loading.load`."""
    from opengait_meshgait.inference.loading import load

    return load(checkpoint, config, device, precision)


def load_config(
    paths: str | Path | Sequence[str | Path], overrides: Iterable[str] = (), opengait: bool = False
) -> Config:
    """A checked config: see :func:`opengait_meshgait.engine.config.load_config`."""
    from opengait_meshgait.engine.config import load_config

    return load_config(paths, overrides, opengait)


def train(
    config: Config, device: str = "auto", fresh: bool = False, quiet: bool = False, output: str | Path = "output"
) -> TrainResult:
    """Train, or resume a training: see :func:`opengait_meshgait.engine.training.train`."""
    from opengait_meshgait.engine.training import train

    return train(config, device, fresh, quiet, output)


def test(
    config: Config,
    iteration: int | str | None = None,
    device: str = "auto",
    quiet: bool = False,
    output: str | Path = "output",
    split: str = "test",
    match: str | None = None,
    precision: str | None = None,
) -> dict[str, Any]:
    """Test a checkpoint: see :func:`opengait_meshgait.engine.testing.test`."""
    from opengait_meshgait.engine.testing import test

    return test(config, iteration, device, quiet, output, split, match, precision)
