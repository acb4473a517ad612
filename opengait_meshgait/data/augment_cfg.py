"""The parts of ``model_cfg.augment_cfg``, checked."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from opengait_meshgait.common.errors import UserError, did_you_mean

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Affine:
    """Rotation, scale and translation in the picture's plane.

    Attributes:
        probability: of changing a sequence.
        degrees: largest rotation, either way.
        scale: smallest and largest factor.
        translate: largest shift along each axis, crop heights.
    """

    probability: float
    degrees: float = 0.0
    scale: Sequence[float] = (1.0, 1.0)
    translate: float = 0.0

    def __post_init__(self):
        check("affine.probability", self.probability, 0, 1)
        check("affine.degrees", self.degrees, 0, 180)
        _check_range("affine.scale", self.scale, 0.1, 10)
        check("affine.translate", self.translate, 0, 1)


@dataclass(frozen=True)
class Perspective:
    """A tilt of the picture's plane: its four corners move independently.

    Attributes:
        probability: of changing a sequence.
        distortion: how far a corner moves at most, as a fraction of half the picture's width and height.
    """

    probability: float
    distortion: float = 0.1

    def __post_init__(self):
        check("perspective.probability", self.probability, 0, 1)
        check("perspective.distortion", self.distortion, 0, 0.5)


@dataclass(frozen=True)
class Erasing:
    """A black rectangle (Zhong et al., "Random Erasing Data Augmentation", AAAI 2020).

    Attributes:
        probability: of changing a sequence.
        area: smallest and largest part of the picture.
    """

    probability: float
    area: Sequence[float] = (0.02, 0.2)

    def __post_init__(self):
        check("erasing.probability", self.probability, 0, 1)
        _check_range("erasing.area", self.area, 0, 1)


def section(kind: type[Kind], cfg: Mapping[str, Any] | None) -> Kind | None:
    """A ``kind`` from its part of the YAML; None where there is none.

    Raises:
        UserError: no mapping, an unknown key, no probability, or a value out of its range.
    """
    name = kind.__name__.lower()
    if cfg is None:
        return None
    if not isinstance(cfg, Mapping):
        raise UserError(f"augment_cfg.{name} must be a mapping such as {{probability: 0.5}}, found {cfg!r}.")
    known = [field.name for field in dataclasses.fields(kind)]
    for key in cfg:
        if key not in known:
            raise UserError(f"augment_cfg.{name} has no key '{key}'. {did_you_mean(str(key), known)}")
    if "probability" not in cfg:
        raise UserError(f"augment_cfg.{name} needs a probability between 0 and 1.")
    return kind(**cfg)


def check(name: str, value: Any, low: float, high: float) -> None:
    """Raise a UserError unless ``value`` is a number from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise UserError(f"augment_cfg.{name} must be a number from {low:g} to {high:g}, found {value!r}.")


def _check_range(name: str, value: Any, low: float, high: float) -> None:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise UserError(f"augment_cfg.{name} must be two numbers [smallest, largest], found {value!r}.")
    for number in value:
        check(name, number, low, high)
    if value[0] > value[1]:
        raise UserError(f"augment_cfg.{name} must have the smaller number first, found {list(value)}.")
