"""Silhouettes damaged as segmentation networks and trackers damage them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

import cv2
import numpy as np
from pydantic import ConfigDict, Field

from opengait_meshgait.common.validation import Pair, Section, Share

Kind = Literal["ragged", "bar", "legs", "head", "thin", "swell", "blob", "edge", "scale", "wrong"]


class Damage(Section):
    """How often, how much and in which ways silhouettes are damaged. The defaults are those of the world ``studio``."""

    model_config = ConfigDict(frozen=True)
    probability: Share = Field(0.0, description="Of damaging a sequence.")
    level: Pair[Share] = Field([0.0, 1.0], description="Smallest and largest level, of which each sequence has one.")
    kinds: list[Kind] = Field(
        ["ragged", "bar", "legs"],
        description="Which may occur; all but the first with a probability of half the level. `ragged`: outline and "
        "holes, new in every frame; `bar`: a rail, or a post that passes by; `legs`, `head`: cut off; `thin`: thin "
        "parts are missing, such as arms and feet; `swell`: outline too far out or in; `blob`: background that is "
        "merged with the body; `edge`: walks into the picture, or out of it; `scale`: crop of a wrong size, at a wrong "
        "place; `wrong`: frames that show another moment of the walk, or no walker.",
    )

    def draw_level(self, rng: np.random.Generator) -> float:
        """Of one sequence; 0 for a whole one."""
        low, high = self.level
        damaged, level = rng.random() < self.probability, rng.uniform(low, high)
        return level if damaged else 0.0


ALL_KINDS: list[Kind] = [*get_args(Kind)]


def degrade(
    silhouettes: np.ndarray, level: float, rng: np.random.Generator, kinds: Sequence[Kind] = ALL_KINDS
) -> np.ndarray:
    """Damage the silhouettes of one sequence.

    Args:
        silhouettes: bool [T, h, w].
        level: 0 leaves them whole, 1 is heavy.
        kinds: see :class:`Damage`.

    Returns:
        bool [T, h, w]; a frame in which less than a third would be left stays as it was.
    """
    if level == 0:
        return silhouettes
    damaged = silhouettes.copy()
    for kind, apply in _KINDS.items():
        if kind in kinds and (kind == "ragged" or rng.random() < 0.5 * level):
            apply(damaged, silhouettes, level, rng)
    lost = damaged.sum((1, 2)) < 0.3 * silhouettes.sum((1, 2))
    damaged[lost] = silhouettes[lost]
    return damaged


def _ragged(damaged: np.ndarray, whole: np.ndarray, level: float, rng: np.random.Generator) -> None:
    for index, silhouette in enumerate(whole):
        damaged[index] = _rough_outline(silhouette, level, rng) & ~_holes(silhouette, level, rng)


def _rough_outline(silhouette: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """The outline, shifted in and out by smooth noise of a few pixels."""
    soft = cv2.GaussianBlur(silhouette.astype(np.float32), (0, 0), 2.0)
    rough = cv2.GaussianBlur(rng.standard_normal(silhouette.shape, np.float32), (0, 0), 1.5)
    near = (soft > 0.05) & (soft < 0.95)
    return np.where(near, soft + 1.2 * level * rough > 0.5, silhouette)


def _holes(silhouette: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """A few elliptic holes somewhere on the body."""
    holes = np.zeros(silhouette.shape, np.uint8)
    inside = np.flatnonzero(silhouette)
    for _ in range(rng.poisson(1.5 * level)):
        row, column = divmod(inside[rng.integers(len(inside))], silhouette.shape[1])
        axes = rng.uniform(1, 2 + 5 * level, 2)
        _draw_ellipse(holes, row, column, axes, rng.uniform(0, 180))
    return holes > 0


def _bar(damaged: np.ndarray, whole: np.ndarray, level: float, rng: np.random.Generator) -> None:
    """A bar in front of the walker: level at some height, or upright and passing by."""
    frames = _run(len(whole), rng)
    count, (height, width) = frames.stop - frames.start, whole.shape[1:]
    thickness = int(rng.uniform(2, 4 + 8 * level))
    if rng.random() < 0.5:
        top = int(rng.uniform(0.3, 0.8) * height)
        damaged[frames, top : top + thickness] = False
        return
    speed = rng.uniform(-4, 4)  # px a frame: the picture follows the walker, the post stands still
    lefts = rng.uniform(0.35, 0.65) * width + speed * (np.arange(count) - count / 2)
    columns = np.arange(width)
    damaged[frames] &= ~((columns >= lefts[:, None]) & (columns < lefts[:, None] + thickness))[:, None]


def _legs(damaged: np.ndarray, whole: np.ndarray, level: float, rng: np.random.Generator) -> None:
    """Cut off from below, for a run of frames: grass, a kerb."""
    frames, (top, bottom) = _run(len(whole), rng), _extent(whole, axis=1)
    damaged[frames, bottom - int(rng.uniform(0.04, 0.3) * level * (bottom + 1 - top)) :] = False


def _head(damaged: np.ndarray, whole: np.ndarray, level: float, rng: np.random.Generator) -> None:
    frames, (top, bottom) = _run(len(whole), rng), _extent(whole, axis=1)
    damaged[frames, : top + int(rng.uniform(0.03, 0.18) * level * (bottom + 1 - top))] = False


def _thin(damaged: np.ndarray, whole: np.ndarray, level: float, rng: np.random.Generator) -> None:
    """Without what is thinner than some pixels: a forearm is about 8 px wide, a shank 10."""
    disc = _disc(rng.uniform(2, 3 + 4 * level))
    for frame in damaged[_run(len(whole), rng)]:
        frame[:] = cv2.morphologyEx(frame.view(np.uint8), cv2.MORPH_OPEN, disc)


def _swell(damaged: np.ndarray, whole: np.ndarray, level: float, rng: np.random.Generator) -> None:
    """In all frames: a network has one idea of where clothes end."""
    change = cv2.dilate if rng.random() < 0.6 else cv2.erode
    disc = _disc(rng.uniform(1, 1.5 + 3 * level))
    for frame in damaged:
        frame[:] = change(frame.view(np.uint8), disc)


def _blob(damaged: np.ndarray, whole: np.ndarray, level: float, rng: np.random.Generator) -> None:
    """For a run of frames, ellipses that begin on the outline and pass by."""
    frames, speed = _run(len(whole), rng), rng.uniform(-2, 2)
    outline = whole[frames.start] & ~cv2.erode(whole[frames.start].view(np.uint8), _disc(1)).astype(bool)
    row, column = rng.choice(np.argwhere(outline))
    ellipses = [(*rng.normal(0, 6, 2), rng.uniform(4, 8 + 20 * level, 2), rng.uniform(0, 180)) for _ in range(2)]
    for step, frame in enumerate(damaged[frames]):
        for down, right, axes, angle in ellipses:
            _draw_ellipse(frame.view(np.uint8), row + down, column + right + speed * step, axes, angle)


def _edge(damaged: np.ndarray, whole: np.ndarray, level: float, rng: np.random.Generator) -> None:
    """One side is cut off in the first or the last frames, less and less, or more and more."""
    run, (left, right) = _run(len(whole), rng), _extent(whole, axis=2)
    count = run.stop - run.start
    cut = np.linspace(rng.uniform(0.1, 0.6) * level, 0, count, endpoint=False) * (right + 1 - left)
    leaves, at_left = rng.random(2) < 0.5
    for index, depth in enumerate(cut.astype(int)):
        frame = damaged[len(whole) - 1 - index if leaves else index]
        frame[:, slice(0, left + depth) if at_left else slice(right + 1 - depth, None)] = False


def _scale(damaged: np.ndarray, whole: np.ndarray, level: float, rng: np.random.Generator) -> None:
    """For a run of frames. What leaves the picture is lost; the rest fills it again once it is normalised."""
    height, width = whole.shape[1:]
    scale, aspect = rng.uniform(1 - 0.1 * level, 1 + 0.3 * level), np.exp(rng.normal(0, 0.06 * level))
    right, down = rng.normal(0, 6 * level, 2)
    x, y = scale * aspect, scale
    matrix = np.array([[x, 0, right + (1 - x) * width / 2], [0, y, down + (1 - y) * height / 2]])
    for frame in damaged[_run(len(whole), rng)]:
        frame[:] = cv2.warpAffine(frame.view(np.uint8), matrix, (width, height), flags=cv2.INTER_NEAREST)


def _wrong(damaged: np.ndarray, whole: np.ndarray, level: float, rng: np.random.Generator) -> None:
    """Single frames with the walker of another moment, or with something else of his height."""
    height, width = whole.shape[1:]
    for index in np.flatnonzero(rng.random(len(whole)) < 0.15 * level):
        if rng.random() < 0.6:
            damaged[index] = whole[rng.integers(len(whole))]
        else:
            damaged[index] = False
            axes = height * np.array([rng.uniform(0.15, 0.3), 0.44])
            _draw_ellipse(damaged[index].view(np.uint8), height / 2, width / 2, axes, rng.uniform(-10, 10))


# In the order in which they are done.
_KINDS: Mapping[Kind, Callable[[np.ndarray, np.ndarray, float, np.random.Generator], None]] = {
    "ragged": _ragged,
    "bar": _bar,
    "legs": _legs,
    "head": _head,
    "thin": _thin,
    "swell": _swell,
    "blob": _blob,
    "edge": _edge,
    "scale": _scale,
    "wrong": _wrong,
}


def _run(count: int, rng: np.random.Generator) -> slice:
    """A run of frames, between a quarter and all of them."""
    length = int(np.ceil(rng.uniform(0.25, 1) * count))
    start = int(rng.integers(count - length + 1))
    return slice(start, start + length)


def _extent(silhouettes: np.ndarray, axis: int) -> tuple[int, int]:
    """The first and the last row (axis 1) or column (axis 2) that some frame has."""
    filled = np.flatnonzero(silhouettes.any((0, 3 - axis)))
    return int(filled[0]), int(filled[-1])


def _disc(radius: float) -> np.ndarray:
    size = 2 * int(radius) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))


def _draw_ellipse(picture: np.ndarray, row: float, column: float, axes: np.ndarray, angle: float) -> None:
    """Fill it with 1; ``axes`` are half its widths, px, and ``angle`` turns it, degrees."""
    centre, size = (float(column), float(row)), (2 * float(axes[0]), 2 * float(axes[1]))
    cv2.ellipse(picture, (centre, size, float(angle)), 1, cv2.FILLED)
