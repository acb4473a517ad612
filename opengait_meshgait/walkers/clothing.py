"""Clothes that follow the skin: how far they lift each vertex of the rest pose along its normal."""

import numpy as np

from opengait_meshgait.body.model import BodyModel
from opengait_meshgait.walkers.wardrobe import Wardrobe

_TORSO = [0, 3, 6, 9, 13, 14]
_THIGHS = [1, 2]
_SHINS = [4, 5]
_FEET = [7, 8, 10, 11]
_UPPER_ARMS = [16, 17]
_FOREARMS = [18, 19]
_HEAD = 15


def clothing_offsets(body: BodyModel, rest: np.ndarray, wardrobe: Wardrobe, coat: bool) -> np.ndarray:
    """Offsets of the rest-pose vertices, m, [V, 3].

    Each part of the wardrobe covers the skin of some joints, weighted as the skin follows them, so that clothes end as
    smoothly as skinning blends.

    Args:
        body: the body.
        rest: its vertices in the rest pose with the person's shape, m, [V, 3].
        wardrobe: what to wear.
        coat: wear the coat over it.
    """
    over = wardrobe.coat if coat else 0.0
    weights = body.weights.numpy()
    thickness = (
        weights[:, _TORSO].sum(1) * (wardrobe.top + over)
        + weights[:, _THIGHS].sum(1) * wardrobe.trousers
        + weights[:, _SHINS].sum(1) * wardrobe.trousers * 1.1
        + weights[:, _FEET].sum(1) * wardrobe.shoes
        + weights[:, _UPPER_ARMS].sum(1) * (wardrobe.sleeves + 0.6 * over)
        + weights[:, _FOREARMS].sum(1) * (wardrobe.sleeves + 0.5 * over)
        + _hair(rest, weights, wardrobe)
    )
    return vertex_normals(rest, body.faces.numpy()) * thickness[:, None]


def _hair(rest: np.ndarray, weights: np.ndarray, wardrobe: Wardrobe) -> np.ndarray:
    """Thickness of the hair, m, [V]: on the skull above the face, down the neck if long."""
    head = weights[:, _HEAD] > 0.5
    low, high = rest[head].min(0), rest[head].max(0)
    height = (rest[:, 1] - low[1]) / (high[1] - low[1])
    back = np.clip(0.75 - (rest[:, 2] - low[2]) / (high[2] - low[2]), 0, 0.5) * 2
    crown = np.clip((height - 0.72) * 5, 0, 1)
    hairline = {"short": 0.4, "bun": 0.4, "full": 0.15, "long": -0.6}[wardrobe.hair_style]
    grown = np.clip((height - hairline) * 3, 0, 1) * np.maximum(back, crown)
    # Long hair lies on the neck and between the shoulders.
    covered = weights[:, [_HEAD, 12, 9]].sum(1) if wardrobe.hair_style == "long" else weights[:, _HEAD]
    # On top it adds to the height of the silhouette, and it lies flatter there.
    return wardrobe.hair * covered * grown * (1.6 - 0.9 * crown)


def vertex_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit normals [V, 3], weighted by the area of the triangles."""
    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sums = np.stack(
        [np.bincount(faces.ravel(), np.repeat(normals[:, axis], 3), len(vertices)) for axis in range(3)], axis=1
    )
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
