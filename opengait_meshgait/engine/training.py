"""Training a config."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opengait_meshgait.common.distributed import processes
from opengait_meshgait.engine.checkpoint import run_folder
from opengait_meshgait.engine.schema import Config
from opengait_meshgait.engine.trainer import Trainer


@dataclass(frozen=True)
class TrainResult:
    """What a training left.

    Attributes:
        folder: of the run.
        iteration: the last.
        checkpoint: the last weights.
        records: of ``log.jsonl``, see :func:`~opengait_meshgait.engine.progress.read_log`.
    """

    folder: Path
    iteration: int
    checkpoint: Path
    records: list[dict[str, Any]]

    @property
    def seconds_per_iteration(self) -> float:
        """Mean over the log; tests and checkpoints are not counted."""
        seconds = [record["seconds_per_iteration"] for record in self.records if "scalars" in record]
        return sum(seconds) / len(seconds)

    @property
    def evaluations(self) -> list[dict[str, Any]]:
        """Results of the tests in between, in their order, each with its ``iteration``."""
        return [{"iteration": r["iteration"], **r["evaluation"]} for r in self.records if "evaluation" in r]


def train(
    config: Config, device: str = "auto", fresh: bool = False, quiet: bool = False, output: str | Path = "output"
) -> TrainResult:
    """Train, going on from the newest checkpoint of the run if there is one.

    Args:
        config: of the run.
        device: ``auto``, ``cpu`` or ``cuda``.
        fresh: begin at iteration 0; an earlier run of that name is kept under another.
        quiet: no progress bar and no lines.
        output: the folder of all runs.

    Raises:
        UserError: the config, the data or an earlier run forbid it, or a loss became NaN or infinite.
    """
    with processes(device) as where:
        trainer = Trainer(config, where, run_folder(config, output, training=True), fresh, quiet)
        trainer.run()
        iteration = trainer.state.iteration
        return TrainResult(trainer.folder, iteration, trainer.checkpoints.path(iteration), trainer.progress.records)
