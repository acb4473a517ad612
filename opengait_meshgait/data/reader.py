"""One sequence from its pickles, with everything checked that the network relies on."""

from pathlib import Path

import numpy as np

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import read_pickle

FRAME_SIZE = 85  # cam 3, pose 72, betas 10


def read_sequence(sils_path: str | Path, smpls_path: str | Path | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Read a sequence's silhouettes and, where there is a path, its body parameters.

    Returns:
        uint8 [T, h, w], 0…255, and float32 [T, 85] or None.

    Raises:
        UserError: as the two readers below, or the two files differ in length.
    """
    sils = read_silhouettes(sils_path)
    if smpls_path is None:
        return sils, None
    smpls = read_bodies(smpls_path)
    if len(sils) != len(smpls):
        raise UserError(
            f"{sils_path} has {len(sils)} frames and {Path(smpls_path).name} beside it has {len(smpls)}. Silhouettes "
            "and bodies must be of the same frames: prepare the two again, joined by the names of their frames."
        )
    return sils, smpls


def read_silhouettes(path: str | Path) -> np.ndarray:
    """Read silhouettes, whichever of the usual ranges they are stored in.

    Masks of 0 and 1 (and floats from 0 to 1) are spread to 0…255; OpenGait divides them by 255 all the same and trains
    on black frames.

    Returns:
        uint8 [T, h, w], 0…255.

    Raises:
        UserError: not a pickle of an array; another shape; no frames; only black ones; values that are neither 0…1 nor
            0…255 (a body-part map, say).
    """
    sils = _read_array(path, "silhouettes, uint8 [T, h, w]")
    if sils.ndim != 3 or sils.dtype.kind not in "buif" or 0 in sils.shape[1:]:
        raise UserError(f"{path} holds {_describe(sils)}; silhouettes are uint8 [T, h, w], 0…255. Make the file again.")
    low, high = float(sils.min()), float(sils.max())
    if high == 0 and low == 0:
        raise UserError(f"{path} holds {len(sils)} frames, and all of them are black. Remove it or make it again.")
    # Written so that NaN fails as well.
    if not (low >= 0 and (high <= 1 or 128 <= high <= 255)):
        raise UserError(
            f"{path} holds values from {low:g} to {high:g}; silhouettes reach from 0 to 255 (or to 1). "
            "It may be another modality: only silhouettes may have 'sil' in their name."
        )
    if sils.dtype == np.uint8 and high > 1:
        return sils
    return np.rint(sils * np.float32(255 if high <= 1 else 1)).astype(np.uint8)


def read_bodies(path: str | Path) -> np.ndarray:
    """Read 85-number frames: cam 3, pose 72 (axis-angle, rad), betas 10.

    Frames that are not finite may pass: supervision masks them.

    Returns:
        float32 [T, 85].

    Raises:
        UserError: not a pickle of an array, another shape, or no frames.
    """
    smpls = _read_array(path, f"body parameters, float32 [T, {FRAME_SIZE}]")
    if smpls.ndim != 2 or smpls.shape[1] != FRAME_SIZE or smpls.dtype.kind != "f":
        raise UserError(
            f"{path} holds {_describe(smpls)}; body parameters are float32 [T, {FRAME_SIZE}] = cam 3, pose 72, "
            "betas 10. Make the file again."
        )
    return smpls.astype(np.float32, copy=False)


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
