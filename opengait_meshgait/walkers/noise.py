"""Silhouettes as segmentation leaves them: ragged, with holes, behind bars, without feet."""

import cv2
import numpy as np


def degrade(silhouettes: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Damage the silhouettes of one sequence.

    A bar (a lamp post, a rail) and a cut (grass, a kerb) stay where they are for a run of frames; ragged edges and holes
    are new in every frame.

    Args:
        silhouettes: bool [T, h, w].
        level: 0 leaves them whole, 1 is heavy.
        rng: the sequence's own random numbers.

    Returns:
        bool [T, h, w]; a frame in which nothing would be left stays as it was.
    """
    if level == 0:
        return silhouettes
    count, height, width = silhouettes.shape
    damaged = np.empty_like(silhouettes)
    for index, silhouette in enumerate(silhouettes):
        damaged[index] = _ragged(silhouette, level, rng) & ~_holes(silhouette, level, rng)
    if rng.random() < 0.5 * level:
        damaged[_run(count, rng)] &= ~_bar(height, width, level, rng)
    if rng.random() < 0.5 * level:
        frames = _run(count, rng)
        rows = np.flatnonzero(silhouettes.any((0, 2)))
        damaged[frames, rows[-1] - int(rng.uniform(0.04, 0.3) * level * len(rows)) :] = False
    lost = damaged.sum((1, 2)) < 0.3 * silhouettes.sum((1, 2))
    damaged[lost] = silhouettes[lost]
    return damaged


def _ragged(silhouette: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """The outline, shifted by smooth noise of up to some 2 px."""
    soft = cv2.GaussianBlur(silhouette.astype(np.float32), (0, 0), 2.0)
    rough = cv2.GaussianBlur(rng.standard_normal(silhouette.shape, np.float32), (0, 0), 1.5)
    return soft + 0.9 * level * rough > 0.5


def _holes(silhouette: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """A few elliptic holes somewhere on the body."""
    holes = np.zeros(silhouette.shape, np.uint8)
    inside = np.argwhere(silhouette)
    for _ in range(rng.poisson(1.5 * level)):
        row, column = inside[rng.integers(len(inside))]
        axes = rng.uniform(1, 2 + 5 * level, 2)
        centre = (float(column), float(row))
        cv2.ellipse(holes, (centre, (2 * axes[0], 2 * axes[1]), float(rng.uniform(0, 180))), 1, cv2.FILLED)
    return holes > 0


def _bar(height: int, width: int, level: float, rng: np.random.Generator) -> np.ndarray:
    """A bar in front of the walker: upright, or level at some height."""
    bar = np.zeros((height, width), bool)
    thickness = int(rng.uniform(2, 4 + 8 * level))
    if rng.random() < 0.5:
        left = int(rng.uniform(0.35, 0.65) * width)
        bar[:, left : left + thickness] = True
    else:
        top = int(rng.uniform(0.3, 0.8) * height)
        bar[top : top + thickness] = True
    return bar


def _run(count: int, rng: np.random.Generator) -> slice:
    """A run of frames, between a quarter and all of them."""
    length = int(np.ceil(rng.uniform(0.25, 1) * count))
    start = int(rng.integers(count - length + 1))
    return slice(start, start + length)
