"""Training a config, and fitting an LDA head to a checkpoint that was trained without one."""

import copy
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opengait_meshgait.common.distributed import pick_device, processes, rank
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.locks import lock
from opengait_meshgait.engine import build
from opengait_meshgait.engine.checkpoint import run_folder, write_checkpoint
from opengait_meshgait.engine.config import apply_override, load_config, make_config, require_config
from opengait_meshgait.engine.progress import say
from opengait_meshgait.engine.schema import Config
from opengait_meshgait.engine.trainer import Trainer
from opengait_meshgait.networks import load_checkpoint, load_weights


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
    require_config(config)
    folder = run_folder(config, output, training=True)
    with processes(device) as where, _alone(folder):
        # No name for the trainer, which must not outlive the block.
        return _result(Trainer(config, where, folder, fresh, quiet))


def _result(trainer: Trainer) -> TrainResult:
    trainer.run()
    iteration = trainer.state.iteration
    return TrainResult(trainer.folder, iteration, trainer.checkpoints.path(iteration), trainer.progress.records)


def _alone(folder: Path) -> AbstractContextManager[None]:
    """Of all processes of a training the first one holds the lock."""
    instead = "Wait for it, stop it, or name another run: trainer_cfg.save_name."
    return nullcontext() if rank() else lock(folder, instead)


def add_lda_head(
    checkpoint: str | Path,
    out: str | Path,
    config: str | Path | Sequence[str | Path] | None = None,
    overrides: Iterable[str] = (),
    device: str = "auto",
    quiet: bool = False,
) -> Path:
    """Fit an LDA head to a checkpoint's network and its training people, or others; the weights stay as they are.

    Args:
        checkpoint: of this package or of OpenGait. A head that it has already is fitted anew.
        out: the new checkpoint, ``.pt``. It holds weights and config, but nothing to continue a training with.
        config: YAML files of the training, for a checkpoint that does not hold its config.
        overrides: ``"a.b.c=value"``, such as ``model_cfg.Discriminant.marker_weight=0``, where the data lie now, or
            others, whose people the classifier need not know.
        device: ``auto``, ``cpu`` or ``cuda``.
        quiet: no progress bar.

    Raises:
        UserError: the checkpoint has no config and none is given, it does not fit, or the data cannot be used.
    """
    state = load_checkpoint(checkpoint)
    raw = load_config(config).model_dump() if config is not None else copy.deepcopy(state.get("config"))
    if raw is None:
        raise UserError(
            f"{checkpoint} holds weights alone, as OpenGait's checkpoints do: name the YAML file of its training, "
            "--cfgs FILE."
        )
    raw["model_cfg"]["Discriminant"] = raw["model_cfg"].get("Discriminant") or {}
    for override in overrides:
        apply_override(raw, override)
    checked = make_config(raw, str(checkpoint))
    preparation = build.build_preparation(checked, training=False)
    net = build.build_network(checked, preparation.supervision)
    fresh = {name: value for name, value in net.state_dict().items() if name.startswith("Discriminant.")}
    trained = {name: value for name, value in state["model"].items() if not name.startswith("Discriminant.")}
    load_weights(net, {"model": trained | fresh}, strict=True, source=checkpoint)
    net = build.place_network(net, pick_device(device))
    note = build.fit_head(net, build.build_train_set(checked, False, classified=False), checked, preparation, quiet)
    if note and not quiet:
        say(note)
    kept = {key: state[key] for key in ("iteration", "seed", "body", "data", "silhouettes") if key in state}
    weights = {name: value.cpu() for name, value in net.state_dict().items()}
    write_checkpoint(out, kept | {"model": weights, "config": checked.model_dump()})
    return Path(out)
