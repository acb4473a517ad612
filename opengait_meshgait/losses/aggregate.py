"""The weighted sum of the losses a config names."""

import inspect
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from opengait_meshgait.common.errors import UserError, did_you_mean
from opengait_meshgait.losses.gather import everywhere
from opengait_meshgait.losses.registry import ARGUMENTS, BODY_TERMS, LOSSES, SILHOUETTE_TERM


class NonFiniteLossError(UserError):
    """A term of the loss is NaN or infinite, in this process or in another one.

    Attributes:
        term: its ``log_prefix``.
        value: what it is in this process.
    """

    def __init__(self, term: str, value: float):
        found = "not finite in another process" if math.isfinite(value) else value
        super().__init__(
            f"The loss '{term}' is {found}. Lower the learning rate, clip the gradient (clip_grad_norm), or look at "
            "the sequences of this batch; with enable_float16, try without it."
        )
        self.term = term
        self.value = value


class LossSum(nn.Module):
    """Computes the losses of ``loss_cfg`` and adds them up.

    Args:
        loss_cfg: one mapping a loss: ``type``, ``log_prefix`` (which output of the network it takes) and arguments.
        emitted: the prefixes that the network to be trained emits.

    Raises:
        UserError: there is no loss, a prefix is missing, taken twice or never emitted, or a loss or an argument is
            unknown or does not suit its prefix.
    """

    def __init__(self, loss_cfg: Sequence[Mapping[str, Any]], emitted: Collection[str]):
        super().__init__()
        if not loss_cfg:
            raise UserError(f"loss_cfg is empty: name at least one loss. {did_you_mean('', LOSSES.entries)}")
        self.losses = nn.ModuleDict()
        for cfg in loss_cfg:
            prefix, loss = _build(cfg, emitted)
            if prefix in self.losses:
                raise UserError(f"Two losses of loss_cfg have the log_prefix '{prefix}': keep one of them.")
            self.losses[prefix] = loss

    def forward(self, inputs: Mapping[str, Mapping[str, Any]]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Add the losses up.

        Args:
            inputs: arguments by prefix, see :func:`~opengait_meshgait.losses.registry.loss_inputs`. What no loss asks
                for is left alone.

        Returns:
            The sum (a scalar) and ``scalar/<prefix>/<name>`` for all that the losses log (detached scalars, means over
            parts).

        Raises:
            NonFiniteLossError: a term is NaN or infinite. Every process raises it, so that none waits for another.
            ValueError: the inputs of a configured loss are absent.
        """
        absent = self.losses.keys() - inputs.keys()
        if absent:
            raise ValueError(f"expected inputs for {sorted(absent)} too, got {sorted(inputs)}")
        terms, logged = {}, {}
        for prefix, loss in self.losses.items():
            value, info = loss(**inputs[prefix])
            terms[prefix] = value.mean() * loss.loss_term_weight
            for name, number in info.items():
                logged[f"scalar/{prefix}/{name}"] = torch.as_tensor(number, dtype=torch.float32).mean()
        values = torch.stack([*terms.values()])
        finite = everywhere(values.isfinite())
        if not finite.all():
            index = int(finite.int().argmin())
            raise NonFiniteLossError([*terms][index], values[index].item())
        return values.sum(), logged


def _build(cfg: Mapping[str, Any], emitted: Collection[str]) -> tuple[str, nn.Module]:
    arguments = dict(cfg)
    name = arguments.get("type")
    prefix = arguments.pop("log_prefix", None)
    if prefix is None:
        raise UserError(f"The loss {name} needs a log_prefix. {did_you_mean('', emitted)}")
    if prefix not in emitted:
        reason = f"The loss {name} has the log_prefix '{prefix}', which this model never emits. "
        if prefix in (*BODY_TERMS, SILHOUETTE_TERM):
            raise UserError(reason + "It compares predicted bodies: give the model a heatmap_cfg, or leave it out.")
        raise UserError(reason + did_you_mean(str(prefix), emitted))
    loss = LOSSES.build(arguments)
    wanted = tuple(inspect.signature(loss.forward).parameters)
    if wanted != ARGUMENTS[prefix]:
        fitting = " or ".join(f"'{term}'" for term, given in ARGUMENTS.items() if given == wanted)
        raise UserError(
            f"The loss {name} takes {', '.join(wanted)}, and its log_prefix '{prefix}' stands for "
            f"{', '.join(ARGUMENTS[prefix])}: write log_prefix {fitting}."
        )
    return prefix, loss
