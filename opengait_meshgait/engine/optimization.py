"""Optimizers and learning rate schedules, by their names in ``torch.optim``."""

from collections.abc import Mapping
from typing import Any

import torch
from torch.optim import Optimizer, lr_scheduler

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.registry import Registry

_EPOCHS = "schedules count iterations here, not epochs: take it out."
OPTIMIZERS = Registry(
    "optimizer",
    base=Optimizer,
    key="solver",
    leading=1,
    unusable={
        "LBFGS": "it computes the loss several times in a step",
        "Muon": "it takes matrices only, and these networks have other weights too",
        "SparseAdam": "the gradients of these networks are not sparse",
    },
)
"""What ``optimizer_cfg.solver`` names."""
SCHEDULERS = Registry(
    "schedule",
    base=lr_scheduler.LRScheduler,
    key="scheduler",
    leading=1,
    filled_in={"epochs": _EPOCHS, "steps_per_epoch": _EPOCHS, "last_epoch": "a checkpoint gives it: take it out."},
    unusable={
        "ReduceLROnPlateau": "it waits for a figure to stop improving, and schedules follow the iterations here",
        "LambdaLR": "it takes a function, which a YAML file cannot hold",
        "MultiplicativeLR": "it takes a function, which a YAML file cannot hold",
        "SequentialLR": "it takes other schedules; OneCycleLR warms up and then anneals by a cosine",
        "ChainedScheduler": "it takes other schedules; OneCycleLR warms up and then anneals by a cosine",
    },
    advice="OneCycleLR warms up and then anneals by a cosine.",
)
"""What ``scheduler_cfg.scheduler`` names."""
for _registry, _module in ((OPTIMIZERS, torch.optim), (SCHEDULERS, lr_scheduler)):
    for _name, _class in vars(_module).items():
        _known = isinstance(_class, type) and issubclass(_class, _registry.base) and _class is not _registry.base
        if _known and not _name.startswith("_") and _name not in _registry.unusable:
            _registry.register(_class)

# OpenGait's, taken where the chosen class has such an argument and the file does not give it.
DEFAULTS = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.0005, "gamma": 0.1, "milestones": [20000, 40000, 60000]}


def with_defaults(registry: Registry, name: str, given: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """``given`` with OpenGait's defaults, and ``more`` of them, where the class called ``name`` has such arguments."""
    known = registry.known_arguments({registry.key: name})
    return {**{key: value for key, value in {**DEFAULTS, **more}.items() if key in known}, **given}


def build_named(section: str, registry: Registry, cfg: Mapping[str, Any], subject: Any) -> Any:
    """The optimizer or the schedule of ``subject`` that ``cfg`` names, under ``section`` of a config.

    Raises:
        UserError: the class refuses its arguments.
    """
    try:
        return registry.build(cfg, subject)
    except (TypeError, ValueError, IndexError) as error:
        given = {key: value for key, value in cfg.items() if key != registry.key}
        raise UserError(f"{section}: {cfg[registry.key]} refuses {given}: {error}") from error


# What schedules write into an optimizer's groups.
_SCHEDULED = {"initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum"}


def take_moments(optimizer: Optimizer, saved: Mapping[str, Any]) -> bool:
    """Take over what another run's optimizer has kept of each weight, such as momentum; rates stay this run's.

    Args:
        optimizer: of the same weights in the same order.
        saved: the state of the other.

    Returns:
        Whether it fits: the other may be of another class, or of other weights.
    """
    own = optimizer.state_dict()
    pairs = list(zip(own["param_groups"], saved["param_groups"], strict=False))
    alike = len(own["param_groups"]) == len(saved["param_groups"]) and all(
        mine["params"] == theirs["params"] and mine.keys() - _SCHEDULED == theirs.keys() - _SCHEDULED
        for mine, theirs in pairs
    )
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    fits = alike and all(
        value.ndim == 0 or value.shape == weights[index].shape
        for index, kept in saved["state"].items()
        for value in kept.values()
        if isinstance(value, torch.Tensor)
    )
    if fits:
        optimizer.load_state_dict({**own, "state": saved["state"]})
    return fits
