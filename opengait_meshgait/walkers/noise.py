"""Silhouettes as segmentation leaves them: ragged, with holes, behind bars, without feet."""

import cv2
import numpy as np


def degrade(silhouettes: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Damage the silhouettes of one sequence.

    For a run of frames a bar hides a part of the walker (a rail, or a lamp post that passes by) or the legs are cut
    off (grass, a kerb); ragged edges and holes are new in every frame.

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
        frames = _run(count, rng)
        damaged[frames] &= ~_bars(frames.stop - frames.start, height, width, level, rng)
    if rng.random() < 0.5 * level:
        frames = _run(count, rng)
        rows = np.flatnonzero(silhouettes.any((0, 2)))
        damaged[frames, rows[-1] - int(rng.uniform(0.04, 0.3) * level * len(rows)) :] = False
    lost = damaged.sum((1, 2)) < 0.3 * silhouettes.sum((1, 2))
    damaged[lost] = silhouettes[lost]
    return damaged


def _ragged(silhouette: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """The outline, shifted in and out by smooth noise of a few pixels."""
    soft = cv2.GaussianBlur(silhouette.astype(np.float32), (0, 0), 2.0)
    rough = cv2.GaussianBlur(rng.standard_normal(silhouette.shape, np.float32), (0, 0), 1.5)
    near = (soft > 0.05) & (soft < 0.95)
    return np.where(near, soft + 1.2 * level * rough > 0.5, silhouette)


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


def _bars(count: int, height: int, width: int, level: float, rng: np.random.Generator) -> np.ndarray:
    """A bar in front of the walker, bool [count, h, w]: level at some height, or upright and passing by."""
    bars = np.zeros((count, height, width), bool)
    thickness = int(rng.uniform(2, 4 + 8 * level))
    if rng.random() < 0.5:
        top = int(rng.uniform(0.3, 0.8) * height)
        bars[:, top : top + thickness] = True
        return bars
    speed = rng.uniform(-4, 4)  # px a frame: the picture follows the walker, the post stands still
    lefts = rng.uniform(0.35, 0.65) * width + speed * (np.arange(count) - count / 2)
    columns = np.arange(width)
    bars |= ((columns >= lefts[:, None]) & (columns < lefts[:, None] + thickness))[:, None]
    return bars


def _run(count: int, rng: np.random.Generator) -> slice:
    """A run of frames, between a quarter and all of them."""
    length = int(np.ceil(rng.uniform(0.25, 1) * count))
    start = int(rng.integers(count - length + 1))
    return slice(start, start + length)
