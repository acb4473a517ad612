"""Everything that changes while a network trains."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks import MeshGaitNet, load_weights


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

    def load(
        self, state: Mapping[str, Any], source: Path, strict: bool, optimizer: bool = True, scheduler: bool = True
    ) -> list[str]:
        """Take over a checkpoint, all but its iteration.

        Args:
            state: the checkpoint.
            source: its file, for messages.
            strict: refuse missing or further weights.
            optimizer: take the optimizer's state, if there is one.
            scheduler: take the schedule's state, if there is one.

        Returns:
            With ``strict`` off, the names of weights that only one of the two has.

        Raises:
            UserError: what is in the file does not fit.
        """
        unmatched = load_weights(self.net, state, strict, source)
        parts = {"optimizer": optimizer, "scheduler": scheduler}
        for name in [name for name, wanted in parts.items() if wanted and name in state]:
            try:
                getattr(self, name).load_state_dict(state[name])
            except (ValueError, KeyError, TypeError) as error:
                raise UserError(
                    f"The {name} of {source} does not fit this config: {error}. Set trainer_cfg.{name}_reset: true to "
                    "begin with a new one."
                ) from error
        # A checkpoint from a CPU, or from OpenGait, has nothing to tell the scaler.
        if self.scaler.is_enabled() and state.get("scaler"):
            self.scaler.load_state_dict(state["scaler"])
        return unmatched

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
