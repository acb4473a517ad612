"""The losses that a config may name, and which outputs of the network each takes."""

from typing import Any

import torch
from torch import nn

from opengait_meshgait.common.registry import Registry

LOSSES = Registry("loss", base=nn.Module)
"""What ``loss_cfg.type`` names."""

RECOGNITION_TERMS = ("triplet", "softmax")
"""What every network emits."""

BODY_TERMS = ("joint", "marker", "mesh")
"""What a network with a heatmap branch emits besides, where there are bodies to compare with."""

SILHOUETTE_TERM = "silhouette"
"""What such a network emits with true bodies and without."""

_POINTS = ("predicted", "target", "weights", "height", "iteration")
ARGUMENTS = {
    "triplet": ("embeddings", "labels"),
    "softmax": ("logits", "labels"),
    **dict.fromkeys(BODY_TERMS, _POINTS),
    SILHOUETTE_TERM: ("vertices", "silhouettes", "covered", "iteration"),
}
"""What the losses of each term are called with."""

COMPARED = {
    "triplet": "embeddings",
    "softmax": "logits",
    "joint": "joints",
    "marker": "markers",
    "mesh": "vertices",
    SILHOUETTE_TERM: "vertices",
}
"""Which output of the network each term looks at."""


def emitted_terms(heatmaps: bool, bodies: bool) -> tuple[str, ...]:
    """What a network emits in training.

    Args:
        heatmaps: it has a heatmap branch.
        bodies: there are true bodies to compare with.
    """
    return RECOGNITION_TERMS + (SILHOUETTE_TERM,) * heatmaps + BODY_TERMS * (heatmaps and bodies)


def loss_inputs(
    output: Any, labels: torch.Tensor, targets: Any, iteration: int, silhouettes: Any = None
) -> dict[str, dict[str, Any]]:
    """Arguments of the losses, by ``log_prefix``.

    Args:
        output: what the network returns, with ``embeddings [n, c, p]``, ``logits [n, class, p]`` and, each of them or
            None, ``joints [n, s, 24, 3]``, ``markers [n, s, K, 3]`` and ``vertices [n, s, V, 3]`` in crop space.
        labels: ``[n]`` int.
        targets: the true ``joints``, ``markers`` and ``vertices`` with ``height [n, s]``, ``joint_weights [n, s]`` and
            ``mesh_weights [n, s]``, which markers and vertices share; None where there are no bodies.
        iteration: of the training, from 0.
        silhouettes: those that the network saw, 0…1, and which pixels its meshes cover, bool, both ``[n, s, h, w]``;
            None where no loss looks at them.
    """
    inputs: dict[str, dict[str, Any]] = {
        "triplet": {"embeddings": output.embeddings, "labels": labels},
        "softmax": {"logits": output.logits, "labels": labels},
    }
    if silhouettes is not None and output.vertices is not None:
        seen = (output.vertices, *silhouettes, iteration)
        inputs[SILHOUETTE_TERM] = dict(zip(ARGUMENTS[SILHOUETTE_TERM], seen))
    if targets is None:
        return inputs
    compared = {
        "joint": (output.joints, targets.joints, targets.joint_weights),
        "marker": (output.markers, targets.markers, targets.mesh_weights),
        "mesh": (output.vertices, targets.vertices, targets.mesh_weights),
    }
    for term, (predicted, target, weights) in compared.items():
        if predicted is not None:
            inputs[term] = dict(zip(_POINTS, (predicted, target, weights, targets.height, iteration)))
    return inputs
