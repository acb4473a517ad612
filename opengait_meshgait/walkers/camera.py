"""Cameras beside the walker's way, the pictures cut from what they see, and weak-perspective cameras."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from opengait_meshgait.body.crop import CropFrame, to_crop
from opengait_meshgait.walkers.bones import matrices, turn
from opengait_meshgait.walkers.world import World

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
        roll: about its axis, degrees, clockwise positive as seen by the camera.
        aim: sideways and upwards, by how much its axis passes the walker's middle, degrees, right and up positive.
    """

    azimuth: float
    distance: float
    height: float
    roll: float = 0.0
    aim: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def draw(cls, view: int, half_bin: float, world: World, rngs: Sequence[np.random.Generator]) -> "Camera":
        """A camera for ``view``.

        Args:
            view: degrees.
            half_bin: degrees on either side that belong to the view.
            world: that the camera stands in.
            rngs: of its place; of where in the bin it stands, and how it is held.
        """
        place, hold = rngs
        azimuth, distance, height = (part.draw(place) for part in (world.azimuth, world.distance, world.height))
        azimuth += view + world.view_bin * hold.uniform(-half_bin, half_bin)
        return cls(azimuth, distance, height, world.roll.draw(hold), (world.aim.draw(hold), world.aim.draw(hold)))

    def outside(self, pelvis: np.ndarray, nearest: float) -> "Camera":
        """Moved back until the pelvis [T, 3], m in the world, stays ``nearest`` m away on the ground."""
        angle = np.deg2rad(self.azimuth)
        ahead = pelvis[:, 0] * np.sin(angle) + pelvis[:, 2] * np.cos(angle)
        beside = pelvis[:, 0] * np.cos(angle) - pelvis[:, 2] * np.sin(angle)
        close = np.abs(beside) < nearest
        needed = ahead[close] + np.sqrt(nearest**2 - beside[close] ** 2)
        return replace(self, distance=max(self.distance, *needed, self.distance))

    def follow(self, pelvis: np.ndarray, stature: float) -> "CameraTrack":
        """Follow a walker of some stature, m, whose pelvis goes along [T, 3], m in the world."""
        angle = np.deg2rad(self.azimuth)
        position = np.array([self.distance * np.sin(angle), self.height, self.distance * np.cos(angle)])
        away = pelvis * [1, 0, 1] + [0, stature / 2, 0] - position
        away /= np.linalg.norm(away, axis=1, keepdims=True)
        # The world's x is left of a walker who comes towards the camera, hence right in the picture. Cross products
        # with what is upright and with what is level are written out: np.cross takes longer than all of the rest.
        x, y, z = away.T
        right_x, right_z = np.stack([-z, x]) / np.hypot(x, z)
        level = np.zeros_like(x)
        axes = np.stack([right_x, level, right_z, y * right_z, z * right_x - x * right_z, -y * right_x, x, y, z], 1)
        sideways, upwards = np.deg2rad(self.aim)
        # About an axis within the picture: the smallest turn between both directions, which rolls nothing.
        passing = matrices(np.array([upwards, sideways, 0]))
        return CameraTrack(position, turn("Z", -np.deg2rad(self.roll)) @ axes.reshape(-1, 3, 3), passing.T)


@dataclass(frozen=True)
class CameraTrack:
    """From where, and along which directions, a camera sees the walker in each frame.

    Camera orientation, in which bodies are told, looks from the camera at the walker, also where the camera's own axis
    passes beside: that is what a picture shows that is cut around the person, and so what trackers that see no more
    than this estimate. The camera's own axis decides over perspective alone.

    Attributes:
        position: in the world, m, [3].
        axes: world to camera orientation (x right, y down, z away along the line of sight), [T, 3, 3].
        lens: camera orientation to that of the picture's plane, [3, 3].
    """

    position: np.ndarray
    axes: np.ndarray
    lens: np.ndarray

    def orient(self, points: np.ndarray) -> np.ndarray:
        """World points [T, P, 3], m, from the camera and in camera orientation, float32."""
        axes = self.axes.astype(np.float32)
        # A row of all points at once: NumPy is slow where the last axis has three elements.
        position = np.tile(self.position.astype(np.float32), points.shape[1])
        return (points.reshape(len(points), -1) - position).reshape(points.shape) @ axes.swapaxes(1, 2)

    def project(self, oriented: np.ndarray) -> torch.Tensor:
        """Perspective projection with focal length 1 of points from :meth:`orient`, x and y, [T, 2, P]."""
        x, y, depth = np.moveaxis(oriented @ self.lens.T.astype(np.float32), -1, 0)
        return torch.from_numpy(np.stack([x / depth, y / depth], 1))


def half_bin(view: int, views: Sequence[int]) -> float:
    """Half of the angle from a view to the nearest other one, all around, degrees; 180 if there is no other."""
    apart = [(other - view) % 360 for other in views if other != view]
    return min((min(angle, 360 - angle) for angle in apart), default=360) / 2


def to_picture(flat: torch.Tensor, picture: CropFrame) -> torch.Tensor:
    """Projected points [T, 2, P] in the picture, px, [T, P, 2].

    The walker, whose crop space ``picture`` is, fills :data:`BODY_ROWS` rows and has the median in the centre of its
    column, so that 85-number frames and silhouettes agree to a fraction of a pixel.
    """
    return to_crop(flat.mT, picture) * BODY_ROWS + flat.new_tensor([_MEDIAN_COLUMN, _MARGIN])


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
