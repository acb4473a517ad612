"""From a checkpoint's file to a trained model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opengait_meshgait.common.configs import read_config
from opengait_meshgait.common.distributed import pick_device, pick_precision
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.inference.model import GaitModel
from opengait_meshgait.networks import load_checkpoint, load_weights, make_network, other_network


def load(
    checkpoint: str | Path, config: str | Path | None = None, device: str = "auto", precision: str = "auto"
) -> GaitModel:
    """A trained model from a checkpoint of this package or of OpenGait.

    Args:
        checkpoint: ``.pt``. Those of the embedded engine hold their config; OpenGait's do not.
        config: YAML file of the training, for a checkpoint that does not hold it, or to say where the body lies now
            (``model_cfg.body_cfg``).
        device: ``auto``, ``cpu`` or ``cuda``.
        precision: ``fp32``, ``bf16`` or ``fp16``, in which sequences are embedded; ``auto`` takes 16 bits where the
            device is faster with them.

    Raises:
        UserError: a file is missing or damaged, the checkpoint has no config and none is given, or the network of the
            config is not the checkpoint's.
    """
    where = pick_device(device)
    precision = pick_precision(precision, where)
    state = load_checkpoint(checkpoint)
    found = find_config(state, checkpoint, config)
    net = make_network(found["model_cfg"])
    load_weights(net, state, strict=True, source=checkpoint)
    return GaitModel(net.to(where), found, state, checkpoint, precision)


def find_config(state: Mapping[str, Any], checkpoint: str | Path, path: str | Path | None) -> dict[str, Any]:
    """The config that a checkpoint was trained with.

    Args:
        state: the content of the checkpoint.
        checkpoint: its file, for messages.
        path: a YAML file, for a checkpoint that holds no config. Of one that does, it may only say where the body lies.

    Returns:
        A nested mapping with a section ``model_cfg``.

    Raises:
        UserError: there is neither, the file describes no model, or another one than the checkpoint.
    """
    trained = state.get("config")
    if path is None:
        if not isinstance(trained, dict):
            raise UserError(
                f"{checkpoint} holds weights alone, as OpenGait's checkpoints do. Give the YAML file it was trained "
                'with too: --cfgs FILE, or load(checkpoint, config="FILE").'
            )
        return trained
    given = read_config(path)
    if not isinstance(given.get("model_cfg"), dict):
        found = ", ".join(map(str, given)) or "nothing"
        raise UserError(f"{path} has no section model_cfg, which describes the network. Found: {found}.")
    if not isinstance(trained, dict):
        return given
    if difference := other_network(state, given["model_cfg"]):
        raise UserError(
            f"{path} is not the config of {checkpoint}: {difference}. Leave the config out, for the checkpoint "
            "holds its own."
        )
    return {**trained, "model_cfg": {**trained["model_cfg"], "body_cfg": given["model_cfg"].get("body_cfg")}}
