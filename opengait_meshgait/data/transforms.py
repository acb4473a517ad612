"""From stored to network values, on the device: the YAML's ``transform`` lists."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.registry import Registry

TRANSFORMS = Registry("transform")
Transform = Callable[[torch.Tensor], torch.Tensor]


@TRANSFORMS.register
class NoOperation:
    """Leaves bodies as they are."""

    modality = "bodies"

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return x


@TRANSFORMS.register
class BaseSilTransform:
    """Silhouettes, uint8 [..., h, w] 0…255, become float32 0…1.

    Args:
        divsor: what to divide by (OpenGait's spelling). Silhouettes are 0…255 here, however a file stores them.

    Raises:
        UserError: a ``divsor`` below 255.
    """

    modality = "silhouettes"

    def __init__(self, divsor: float = 255.0):
        if divsor < 255:
            raise UserError(
                f"divsor {divsor:g} would give the network values up to {255 / divsor if divsor > 0 else 'infinity'}. "
                "Silhouettes are read as 0…255 even from files of 0 and 1: leave divsor at 255."
            )
        self.divsor = divsor

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        return x.float() / self.divsor


@TRANSFORMS.register
class BaseSilCuttingTransform(BaseSilTransform):
    """Silhouettes, uint8 [..., h, w] 0…255, lose columns on both sides and become float32 [..., h, w - 2 cutting] 0…1.

    Args:
        divsor: what to divide by (OpenGait's spelling).
        cutting: columns to cut from each side, px; None for 10 of every 64 (64 → 44, 128 → 88; none below 64).
        img_w: the width that silhouettes must have, px; None for any. OpenGait's configs have it, unused.

    Raises:
        UserError: a ``divsor`` below 255, a ``cutting`` that leaves nothing, or silhouettes of another width.
    """

    def __init__(self, divsor: float = 255.0, cutting: int | None = None, img_w: int | None = None):
        super().__init__(divsor)
        if cutting is not None and cutting < 0:
            raise UserError(f"cutting must be at least 0, found {cutting}.")
        self.cutting = cutting
        self.img_w = img_w

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        width = x.shape[-1]
        if self.img_w not in (None, width):
            raise UserError(f"The transform's img_w is {self.img_w}, and the silhouettes are {width} px wide.")
        cutting = width // 64 * 10 if self.cutting is None else self.cutting
        if 2 * cutting >= width:
            raise UserError(f"Cutting {cutting} px from each side of silhouettes {width} px wide leaves nothing.")
        return super().__call__(x[..., cutting : width - cutting])


def build_transforms(cfgs: Sequence[Mapping[str, Any]], with_bodies: bool) -> tuple[Transform, Transform | None]:
    """The transforms of silhouettes and of bodies from a YAML list: first that of silhouettes, then that of bodies.

    Without bodies the second may be left out; OpenGait wants it wherever the folders have both files, so that it may
    also stay.

    Returns:
        A transform of silhouettes, and one of bodies or None.

    Raises:
        UserError: too few or too many transforms, one of the wrong kind, or an unknown one.
    """
    names = ["silhouettes", "bodies"]
    if not 1 + with_bodies <= len(cfgs) <= 2:
        wanted = "two (silhouettes, then bodies)" if with_bodies else "one (silhouettes)"
        raise UserError(f"The transform list has {len(cfgs)} entries, and {wanted} are needed: one for each modality.")
    transforms = [TRANSFORMS.build(cfg) for cfg in cfgs]
    for cfg, transform, name in zip(cfgs, transforms, names):
        if transform.modality != name:
            raise UserError(f"{cfg['type']} is a transform of {transform.modality}, and stands where {name} are.")
    return transforms[0], transforms[1] if with_bodies else None
