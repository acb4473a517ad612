"""One sequence from its pickles, with everything checked that the network relies on."""

from pathlib import Path

import numpy as np

from opengait_meshgait.body.layout import FRAME_SIZE, NUM_JOINTS, POSE
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import read_pickle
from opengait_meshgait.common.silhouettes import spread_mask
from opengait_meshgait.data.layout import holds_joints

Arrays = tuple[np.ndarray, np.ndarray | None, np.ndarray | None]
"""Silhouettes, bodies and weights of one sequence."""


def read_sequence(
    sils_path: str | Path, bodies_path: str | Path | None = None, weights_path: str | Path | None = None
) -> Arrays:
    """Read a sequence's silhouettes and, where there are paths, its bodies and their weights.

    Returns:
        uint8 [T, h, w], 0…255; float32 [T, 85] or [T, 24, 3], or None; float32 [T], 0…1, or None.

    Raises:
        UserError: as the readers below, or the files differ in length.
    """
    sils = read_silhouettes(sils_path)
    bodies = None if bodies_path is None else read_bodies(bodies_path)
    weights = None if weights_path is None else read_weights(weights_path)
    for path, array in ((bodies_path, bodies), (weights_path, weights)):
        if array is not None and len(array) != len(sils):
            raise UserError(
                f"{sils_path} has {len(sils)} frames and {Path(path).name} beside it has {len(array)}. Silhouettes and "
                "bodies must be of the same frames: prepare the two again, joined by the names of their frames."
            )
    return sils, bodies, weights


def read_silhouettes(path: str | Path) -> np.ndarray:
    """Read silhouettes, whichever of the usual ranges they are stored in.

    Returns:
        uint8 [T, h, w], 0…255.

    Raises:
        UserError: not a pickle of an array, or as :func:`grey_levels`.
    """
    return grey_levels(_read_array(path, "silhouettes, uint8 [T, h, w]"), path)


def grey_levels(sils: np.ndarray, path: str | Path) -> np.ndarray:
    """Silhouettes of any of the usual ranges as grey levels.

    Masks of 0 and 1, or of 0 and another value, and floats from 0 to 1 are spread to 0…255; OpenGait divides them by
    255 all the same and trains on black frames.

    Args:
        sils: [T, h, w].
        path: where they come from, for messages.

    Returns:
        uint8 [T, h, w], 0…255.

    Raises:
        UserError: another shape; no frames; only black ones; values that are neither 0…1 nor 0…255 (a body-part map,
            say).
    """
    if sils.ndim != 3 or sils.dtype.kind not in "buif" or 0 in sils.shape:
        raise UserError(f"{path} holds {_describe(sils)}; silhouettes are uint8 [T, h, w], 0…255. Make the file again.")
    low, high = float(sils.min()), float(sils.max())
    if high == 0 and low == 0:
        raise UserError(f"{path} holds {len(sils)} frames, and all of them are black. Remove it or make it again.")
    if sils.dtype == np.uint8:
        sils, level = spread_mask(sils)
        if level is not None or high >= 128:
            return sils
    elif low == 0 and 1 < high < np.inf and ((sils == 0) | (sils == high)).all():
        return np.where(sils, np.uint8(255), np.uint8(0))
    # Written so that NaN fails as well.
    if not (low >= 0 and (high <= 1 or 128 <= high <= 255)):
        raise UserError(
            f"{path} holds values from {low:g} to {high:g}; silhouettes reach from 0 to 255, or are masks of two "
            "values. It may be another modality: only silhouettes may have 'sil' in their name."
        )
    return np.rint(sils * np.float32(255 if high <= 1 else 1)).astype(np.uint8)


def read_bodies(path: str | Path) -> np.ndarray:
    """Read bodies, parameters or joints alone: the file's name tells.

    Frames that are not finite may pass: supervision masks them.

    Returns:
        float32, 85-number frames [T, 85]: cam 3, pose 72 (axis-angle, rad), betas 10; or joints [T, 24, 3] in SMPL's
        order and camera orientation (x right, y down, z away), m.

    Raises:
        UserError: not a pickle of an array, another shape, or no frames.
    """
    if holds_joints(path):
        shape, expected = (NUM_JOINTS, 3), "joints are float32 [T, 24, 3], SMPL's 24 in camera orientation, m"
    else:
        shape, expected = (FRAME_SIZE,), f"body parameters are float32 [T, {FRAME_SIZE}] = cam 3, pose 72, betas 10"
    bodies = _read_array(path, f"bodies; {expected}")
    if bodies.shape[1:] != shape or bodies.dtype.kind != "f":
        raise UserError(
            f"{path} holds {_describe(bodies)}; {expected}. Which of the two a file holds, its name says (smpl or "
            "joint). Make the file again."
        )
    return bodies.astype(np.float32, copy=False)


def read_weights(path: str | Path) -> np.ndarray:
    """Read how much each frame's body counts in training: 0 not at all, 1 fully.

    Returns:
        float32 [T], 0…1.

    Raises:
        UserError: not a pickle of an array, another shape, no frames, or values that are not within 0…1.
    """
    weights = _read_array(path, "weights, float32 [T]")
    if weights.ndim != 1 or weights.dtype.kind not in "buif":
        raise UserError(f"{path} holds {_describe(weights)}; weights are float32 [T], 0…1. Make the file again.")
    # Written so that NaN fails as well.
    if not ((weights >= 0) & (weights <= 1)).all():
        raise UserError(
            f"{path} holds values from {weights.min():g} to {weights.max():g}; weights reach from 0 (the body does not "
            "count) to 1. Make the file again."
        )
    return weights.astype(np.float32, copy=False)


def usable_bodies(bodies: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Which frames have a body that may teach something, bool [T]; arrays as :func:`read_sequence` reads."""
    # Of 85 numbers, the camera and the betas say nothing of whether anybody was found.
    frames = bodies[:, POSE] if bodies.ndim == 2 else bodies.reshape(len(bodies), -1)
    counts = np.ones(len(bodies), bool) if weights is None else weights > 0
    return np.isfinite(frames).all(1) & frames.any(1) & counts


def _read_array(path: str | Path, expected: str) -> np.ndarray:
    """The array, or list of equal arrays, in a pickle; at least one frame long."""
    content = read_pickle(path)
    if not isinstance(content, np.ndarray | list | tuple):
        raise UserError(f"{path} holds a {type(content).__name__}, and should hold {expected}. Make the file again.")
    try:
        array = np.asarray(content)
    except ValueError as error:
        raise UserError(f"{path} holds frames of unequal shapes, and should hold {expected}.") from error
    if array.ndim == 0 or len(array) == 0:
        raise UserError(f"{path} holds no frames. Remove the sequence or make it again.")
    return array


def _describe(array: np.ndarray) -> str:
    return f"{array.dtype} {list(array.shape)}"
