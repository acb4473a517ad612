"""From ``model_cfg`` to the network, for whoever has read it, and however."""

import inspect
from collections.abc import Mapping
from typing import Any

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks.meshgait import MeshGaitNet
from opengait_meshgait.networks.reconstruction import Reconstruction

_PARAMETERS = {k: p for k, p in inspect.signature(MeshGaitNet).parameters.items() if k != "reconstruction"}
NETWORK_KEYS = frozenset(_PARAMETERS)
"""The keys of ``model_cfg`` that describe the network; its other keys are the trainer's."""


def make_network(model_cfg: Mapping[str, Any], reconstruction: Reconstruction | None = None) -> MeshGaitNet:
    """The network of ``model_cfg``, with fresh weights.

    Args:
        model_cfg: the section of a config; keys that are null or not the network's are passed over.
        reconstruction: see :class:`~opengait_meshgait.networks.MeshGaitNet`.

    Raises:
        UserError: a key is missing, or its parts do not fit each other.
    """
    arguments = {key: value for key, value in model_cfg.items() if key in NETWORK_KEYS and value is not None}
    missing = [k for k, p in _PARAMETERS.items() if p.default is p.empty and k not in arguments]
    if missing:
        raise UserError(
            f"model_cfg lacks {', '.join(missing)}: it does not describe a network of this package. "
            f"Found: {', '.join(map(str, model_cfg)) or 'nothing'}."
        )
    return MeshGaitNet(**arguments, reconstruction=reconstruction)
