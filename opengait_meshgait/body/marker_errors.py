"""How well virtual markers stand for a body: errors of the meshes and joints that are rebuilt from them."""

import numpy as np
import torch

from opengait_meshgait.body.markers import VirtualMarkers
from opengait_meshgait.body.model import BodyModel


@torch.no_grad()
def pose_body(body: BodyModel, pose: np.ndarray, betas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Meshes ``[n, V, 3]`` and joints ``[n, 24, 3]``, m, of poses ``[n, 72]`` and betas ``[n, 10]``; all float32."""
    vertices, joints = body(torch.from_numpy(pose), torch.from_numpy(betas))
    return vertices.numpy(), joints.numpy()


def marker_errors(
    markers: VirtualMarkers, body: BodyModel, meshes: np.ndarray, joints: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How far what the markers of posed bodies give is from these bodies.

    Args:
        markers: of ``body``.
        body: regresses joints from the rebuilt meshes.
        meshes: m, ``[n, V, 3]``.
        joints: m, ``[n, 24, 3]``.

    Returns:
        Distances of the vertices ``[n, V]`` and of the joints ``[n, 24]``, mm, float32.
    """
    true = torch.from_numpy(meshes)
    rebuilt = markers.reconstruct(markers.select(true))
    rests = rebuilt - true, body.J_regressor @ rebuilt - torch.from_numpy(joints)
    vertices, joints = (1000 * rest.square().sum(-1).sqrt().numpy() for rest in rests)
    return vertices, joints
