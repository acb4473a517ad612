"""Silhouettes as they come, as the network was trained on them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.silhouettes import normalize_silhouette
from opengait_meshgait.data.reader import grey_levels
from opengait_meshgait.networks import SILHOUETTE_SIZE

SIZE, CUT = SILHOUETTE_SIZE
"""Height of a normalised silhouette, which is its width too, and the width that is left when its sides are cut, px."""


def normalised(sils: Any, name: str = "The sequence") -> tuple[np.ndarray, np.ndarray]:
    """The silhouettes of one sequence, normalised where they are not.

    Args:
        sils: array or tensor of bools, integers or floats, 0…1 or 0…255. ``[s, 64, 64]`` are normalised silhouettes,
            ``[s, 64, 44]`` the same with their sides cut; pictures of any other size, ``[s, h, w]``, are raw and are
            normalised here, and those with nobody in them left out.
        name: of the sequence, for messages.

    Returns:
        uint8 ``[s', 64, 64]``, 0…255, and which frames these are, int64 ``[s']``.

    Raises:
        UserError: another shape, no frames, nobody in any of them, or values that are no silhouettes'.
    """
    array = sils.detach().cpu().numpy() if isinstance(sils, torch.Tensor) else np.asarray(sils)
    pictures = grey_levels(array, name)
    frames = np.arange(len(pictures))
    if pictures.shape[1:] == (SIZE, CUT):
        side = (SIZE - CUT) // 2
        return np.pad(pictures, ((0, 0), (0, 0), (side, side))), frames
    if pictures.shape[1:] == (SIZE, SIZE):
        return pictures, frames
    return normalised_raw(pictures, name)


def normalised_raw(pictures: Sequence[np.ndarray], name: str) -> tuple[np.ndarray, np.ndarray]:
    """The same of raw pictures, uint8 [h, w], 0…255, which may differ in size."""
    found = [normalize_silhouette(picture, SIZE) for picture in pictures]
    kept = [frame for frame, picture in enumerate(found) if picture is not None]
    if not kept:
        raise UserError(
            f"{name}: in none of its {len(pictures)} pictures is the silhouette of a person. It needs more than 39 "
            "white pixels on black, not all of them at the left rim."
        )
    return np.stack([found[frame] for frame in kept]), np.array(kept)
