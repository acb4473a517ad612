"""Cameras beside the walker's way, the pictures cut from what they see, whole or damaged, weak-perspective cameras."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from opengait_meshgait.body.crop import CropFrame, to_crop

PICTURE_SIZE = 180
"""Height and width of the pictures, px."""
BODY_ROWS = 160
"""Rows of a picture that the walker fills. Not a multiple of the 64 rows of a normalised silhouette: halving a binary
picture would move all edges outwards by a quarter of a pixel."""
_MARGIN = (PICTURE_SIZE - BODY_ROWS) // 2
# Once normalised, the median is to be in the centre of its column.
_MEDIAN_COLUMN = PICTURE_SIZE / 2 + BODY_ROWS / 64 / 2


@dataclass(frozen=True)
class Camera:
    """A camera that stands still and turns after the walker.

    Attributes:
        azimuth: degrees; 0 sees the walker from the front, 90 from the left side, 180 from behind.
        distance: on the ground from the middle of the walker's way, m.
        height: above the ground, m.
    """

    azimuth: float
    distance: float
    height: float

    @classmethod
    def draw(cls, view: int, rng: np.random.Generator) -> "Camera":
        """A camera for ``view``, degrees; far enough for weak perspective and above the middle of the body."""
        return cls(view + rng.normal(0, 1.5), rng.uniform(9, 12), rng.uniform(1.2, 2.2))

    def follow(self, pelvis: np.ndarray, stature: float) -> "CameraTrack":
        """Follow a walker of some stature, m, whose pelvis goes along [T, 3], m in the world."""
        angle = np.deg2rad(self.azimuth)
        position = np.array([self.distance * np.sin(angle), self.height, self.distance * np.cos(angle)])
        away = pelvis * [1, 0, 1] + [0, stature / 2, 0] - position
        away /= np.linalg.norm(away, axis=1, keepdims=True)
        # The world's x is left of a walker who comes towards the camera, hence right in the picture.
        right = np.cross(away, [0, 1, 0])
        right /= np.linalg.norm(right, axis=1, keepdims=True)
        return CameraTrack(position, np.stack([right, np.cross(away, right), away], 1))


@dataclass(frozen=True)
class CameraTrack:
    """Where a camera looks in each frame.

    Attributes:
        position: in the world, m, [3].
        axes: world to camera orientation (x right, y down, z away), [T, 3, 3].
    """

    position: np.ndarray
    axes: np.ndarray

    def orient(self, points: np.ndarray) -> np.ndarray:
        """World points [T, P, 3], m, from the camera and in camera orientation, float32."""
        axes = self.axes.astype(np.float32)
        return (points - self.position.astype(np.float32)) @ axes.swapaxes(1, 2)


def project(oriented: np.ndarray) -> torch.Tensor:
    """Perspective projection with focal length 1 of points from :meth:`CameraTrack.orient`, [T, P, 2] and a third 0."""
    flat = torch.from_numpy(oriented / oriented[..., 2:])
    flat[..., 2] = 0
    return flat


def to_picture(flat: torch.Tensor, picture: CropFrame) -> torch.Tensor:
    """Projected points [T, P, 3] in the picture, px, [T, P, 2].

    The walker, whose crop space ``picture`` is, fills :data:`BODY_ROWS` rows and has the median in the centre of its
    column, so that 85-number frames and silhouettes agree to a fraction of a pixel.
    """
    return to_crop(flat, picture)[..., :2] * BODY_ROWS + flat.new_tensor([_MEDIAN_COLUMN, _MARGIN])


def weak_perspective(points: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """The weak-perspective cameras (s, tx, ty), [T, 3], that come nearest to a projection, by least squares.

    As in ROMP (Sun et al., "Monocular, One-stage, Regression of Multiple 3D People", ICCV 2021), a point (x, y) in
    camera orientation, m, lies at ``(s x + tx, s y + ty)`` in the picture, whose edges are at -1 and 1.

    Args:
        points: camera orientation, m, [T, P, 3].
        pixels: where they are in the picture, px, [T, P, 2].
    """
    xy, target = points[..., :2], pixels * np.float32(2 / PICTURE_SIZE) - np.float32(1)
    xy_mean, target_mean = xy.mean(1, keepdims=True), target.mean(1, keepdims=True)
    scale = ((xy - xy_mean) * (target - target_mean)).sum((1, 2)) / ((xy - xy_mean) ** 2).sum((1, 2))
    shift = target_mean[:, 0] - scale[:, None] * xy_mean[:, 0]
    return np.concatenate([scale[:, None], shift], 1)


def degrade(silhouettes: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
    """Damage the silhouettes of one sequence.

    For a run of frames a bar hides a part of the walker (a rail, or a lamp post that passes by) or the legs are cut
    off (grass, a kerb); ragged edges and holes are new in every frame.

    Args:
        silhouettes: bool [T, h, w].
        level: 0 leaves them whole, 1 is heavy.

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
