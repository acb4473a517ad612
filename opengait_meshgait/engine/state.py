"""Everything that changes while a network trains, and continuing it from a checkpoint, or refusing to."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from opengait_meshgait.common.distributed import rank, wait_for_all
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.engine.checkpoint import Checkpoints, Say, other_body, other_size
from opengait_meshgait.engine.checks import FROZEN_UNTAUGHT
from opengait_meshgait.engine.config import make_config
from opengait_meshgait.engine.optimization import take_moments
from opengait_meshgait.engine.schema import Config
from opengait_meshgait.networks import MeshGaitNet, load_checkpoint, load_weights


@dataclass
class TrainingState:
    """Network, optimizer, schedule, gradient scaler, and how many batches they have seen.

    Attributes:
        net: the bare network.
        optimizer: of its parameters.
        scheduler: of the learning rate, stepped once an iteration.
        scaler: of gradients in float16; does nothing when disabled.
        iteration: batches seen.
    """

    net: MeshGaitNet
    optimizer: torch.optim.Optimizer
    scheduler: torch.optim.lr_scheduler.LRScheduler
    scaler: torch.amp.GradScaler
    iteration: int = 0

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {
            "model": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "scaler": self.scaler.state_dict(),
            "iteration": self.iteration,
        }

    def load(self, state: Mapping[str, Any], source: Path, strict: bool) -> list[str]:
        """Take over a checkpoint of this run.

        Args:
            state: the checkpoint.
            source: its file, for messages.
            strict: refuse missing or further weights and weights of other shapes.

        Returns:
            With ``strict`` off, the weights that are left out, one line each.

        Raises:
            UserError: what is in the file does not fit.
        """
        left_out = load_weights(self.net, state, strict, source)
        for name in ("optimizer", "scheduler"):
            try:
                if name in state:
                    getattr(self, name).load_state_dict(state[name])
            except (ValueError, KeyError, TypeError) as error:
                raise UserError(
                    f"The {name} of {source} does not fit this config: {error}. Choose another trainer_cfg.save_name; "
                    "it may begin with these weights (trainer_cfg.restore_hint: that file)."
                ) from error
        # A checkpoint from a CPU, or from OpenGait, has nothing to tell the scaler.
        if self.scaler.is_enabled() and state.get("scaler"):
            self.scaler.load_state_dict(state["scaler"])
        self.iteration = state.get("iteration", 0)
        return left_out

    def begin_with(self, state: Mapping[str, Any], source: Path, strict: bool, moments: bool) -> list[str]:
        """Take the weights of any checkpoint, for a training that begins at iteration 0 with a schedule of its own.

        Args:
            state, source, strict: as for :meth:`load`.
            moments: take what its optimizer has kept of each weight, where it fits.

        Returns:
            As :meth:`load`.

        Raises:
            UserError: with ``strict``, the weights do not fit.
        """
        left_out = load_weights(self.net, state, strict, source)
        if moments and not left_out and "optimizer" in state:
            take_moments(self.optimizer, state["optimizer"])
        return left_out

    def backward(self, loss: torch.Tensor) -> None:
        """Gradients of ``loss``."""
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()

    def without_gradient(self) -> list[str]:
        """Names of the parameters that the last loss did not depend on."""
        return [name for name, p in self.net.named_parameters() if p.requires_grad and p.grad is None]

    def update(self, clip_grad_norm: float | None) -> None:
        """One step of optimizer and schedule; in float16 an overflow skips both."""
        if clip_grad_norm is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.net.parameters(), clip_grad_norm)
        scale = self.scaler.get_scale()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.scaler.get_scale() >= scale:
            self.scheduler.step()
        self.iteration += 1

    def is_finite(self) -> bool:
        """Whether no weight is NaN or infinite."""
        return all(bool(value.isfinite().all()) for value in self.net.state_dict().values())


# What may change between two sessions of one run; body and training set are compared by their fingerprints.
_FREE = (
    "evaluator_cfg",
    "model_cfg.body_cfg",
    *(f"data_cfg.{key}" for key in ("dataset_root", "dataset_partition", "num_workers", "cache")),
    *(f"data_cfg.{key}" for key in ("remove_no_gallery", "test_dataset_name", "others")),
    *(f"trainer_cfg.{key}" for key in ("total_iter", "log_iter", "save_iter", "with_test", "restore_hint")),
    "trainer_cfg.save_every_minutes",
    *(f"trainer_cfg.{key}" for key in ("restore_ckpt_strict", "optimizer_reset", "scheduler_reset")),
    "trainer_cfg.find_unused_parameters",
)


def restore(state: TrainingState, config: Config, about: Mapping[str, Any], checkpoints: Checkpoints, say: Say) -> None:
    """Take up the run where ``trainer_cfg.restore_hint`` and the checkpoints that are there say.

    Args:
        state: of the training, as initialised; changed in place.
        config: of the run.
        about: what the run's checkpoints say of it besides its state.
        checkpoints: of the run.
        say: tells the user.

    Raises:
        UserError: the checkpoint is damaged, does not fit, or belongs to another run; or there is none, and the
            estimator's weights are frozen.
    """
    cfg = config.trainer_cfg
    if (start := find_start(cfg.restore_hint, checkpoints, say)) is None:
        if (config.model_cfg.heatmap_cfg or {}).get("frozen"):
            raise UserError(FROZEN_UNTAUGHT)
        return
    path, content, resumes = start
    if resumes:
        # A run that resumes from its own newest checkpoint after a kill must not begin with a new optimizer.
        check_same_run(content, config, about["data"], path)
        if different := other_size(content, about["silhouettes"]):
            raise UserError(f"{path} cannot be continued. {different}")
        left_out = state.load(content, path, cfg.restore_ckpt_strict)
        check_schedule(state, path, cfg.total_iter)
        say(f"Going on from {path}, iteration {state.iteration}.")
    else:
        left_out = state.begin_with(content, path, cfg.restore_ckpt_strict, not cfg.optimizer_reset)
        say(f"Starting with the weights of {path}.")
    if left_out:
        say("\n  ".join([f"{len(left_out)} weights of this file or network are left out:", *left_out]))
    for warning in (other_body(content, about["body"]), other_size(content, about["silhouettes"])):
        if warning:
            say(warning)


def find_start(hint: int | str, checkpoints: Checkpoints, say: Say) -> tuple[Path, dict[str, Any], bool] | None:
    """What a training begins with.

    Args:
        hint: ``trainer_cfg.restore_hint``.
        checkpoints: of the run.
        say: is told of damaged checkpoints that are passed over.

    Returns:
        The file, its content, and whether the run goes on from it, with optimizer and schedule; None for fresh weights.

    Raises:
        UserError: the file that is asked for is missing, damaged or no checkpoint.
    """
    if isinstance(hint, int) and hint:
        path = checkpoints.find(hint)
        return path, load_checkpoint(path), True
    if (found := checkpoints.newest(say)) is not None:
        return *found, True
    return (Path(hint), load_checkpoint(hint), False) if isinstance(hint, str) else None


def check_schedule(state: TrainingState, source: Path, total: int) -> None:
    """Refuse to go on beyond the end of a schedule that knows one.

    Raises:
        UserError: it has fewer steps left than there are iterations up to ``total``.
    """
    steps, done = getattr(state.scheduler, "total_steps", None), state.scheduler.last_epoch
    to_come = total - state.iteration
    if steps is not None and done + to_come > steps:
        raise UserError(
            f"The schedule in {source} has {steps - done} of its {steps} steps left, and {to_come} iterations are to "
            "come. Choose another trainer_cfg.save_name and begin with these weights (trainer_cfg.restore_hint: that "
            "file): the schedule starts anew then."
        )


def set_aside(folder: Path, say: Say) -> None:
    """Give an earlier run's folder another name."""
    if rank() == 0 and folder.exists():
        number = next(n for n in itertools.count(1) if not folder.with_name(f"{folder.name}.{n}").exists())
        say(f"The earlier run is kept as {folder.rename(folder.with_name(f'{folder.name}.{number}'))}.")
    wait_for_all()


def check_same_run(state: Mapping[str, Any], config: Config, data: Mapping[str, Any], source: str | Path) -> None:
    """Refuse to resume from a checkpoint that was trained otherwise.

    Checkpoints of OpenGait name no config and pass.

    Args:
        state: the checkpoint.
        config: of this run.
        data: size and fingerprint of this run's training set.
        source: the checkpoint's file, for the message.

    Raises:
        UserError: what differs, and the two ways out.
    """
    if "config" not in state:
        return
    saved = flatten(make_config(state["config"], f"the config in {source}").model_dump())
    now = flatten(config.model_dump())
    different = [
        f"{key}: {saved.get(key, 'absent')!r} there, {now.get(key, 'absent')!r} now"
        for key in sorted(saved.keys() | now.keys())
        if saved.get(key) != now.get(key) and not any(key == free or key.startswith(f"{free}.") for free in _FREE)
    ]
    if state["data"] != data:
        different.append(f"training set: {state['data']['sequences']} sequences there, {data['sequences']} others now")
    if different:
        raise UserError(
            f"{source} was trained with other settings:\n  "
            + "\n  ".join(different)
            + "\nGo back to them; or start again with --fresh (the old run is kept beside the new one); or choose "
            "another trainer_cfg.save_name, which may begin with these weights (trainer_cfg.restore_hint: that file)."
        )


def flatten(content: Any, path: str = "") -> dict[str, Any]:
    """Nested mappings and lists as ``a.b.0.c: value``."""
    if isinstance(content, dict) and content:
        return {k: v for key, value in content.items() for k, v in flatten(value, f"{path}.{key}".lstrip(".")).items()}
    if isinstance(content, list) and content:
        return flatten(dict(enumerate(content)), path)
    return {path: content}
