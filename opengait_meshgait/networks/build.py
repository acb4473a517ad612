"""From a config and a checkpoint to a network, and what that network costs."""

import inspect
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from opengait_meshgait.common.errors import UserError, list_names
from opengait_meshgait.networks.meshgait import MeshGaitNet
from opengait_meshgait.networks.reconstruction import Reconstruction

_PARAMETERS = {k: p for k, p in inspect.signature(MeshGaitNet).parameters.items() if k != "reconstruction"}
NETWORK_KEYS = frozenset(_PARAMETERS)
"""The keys of ``model_cfg`` that describe the network; its other keys are the trainer's."""
_HEAD = "Discriminant."


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


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint of this package or of OpenGait, onto the CPU.

    Raises:
        UserError: the file is missing, damaged, or no checkpoint.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        others = sorted(file.name for file in Path(path).parent.glob("*.pt"))
        there = f" {Path(path).parent} has {list_names(others)}." if others else ""
        raise UserError(f"{path} is missing.{there}") from error
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from error
    except (RuntimeError, ValueError, EOFError, LookupError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        # PyTorch's own words advise to run what code the file may hold.
        refused = re.search(r"GLOBAL (\S+)", str(error))
        reason = (
            f"it holds an object of {refused[1]}, and a checkpoint is tensors and plain values, so that reading it runs"
            " no code"
            if refused
            else "it is no file of torch.save, or is cut short"
        )
        raise UserError(f"{path} is damaged or no checkpoint: {reason}.") from error
    if not isinstance(state, dict) or not isinstance(state.get("model"), dict):
        found = list_names(map(str, state), 6) if isinstance(state, dict) else type(state).__name__
        raise UserError(f"{path} is no checkpoint: it holds no weights under 'model'. Found: {found}.")
    return state


def other_network(state: Mapping[str, Any], model_cfg: Mapping[str, Any]) -> str | None:
    """Where ``model_cfg`` describes another network than the one that the checkpoint ``state`` was trained with: the
    first value that both name and that is not the same, in words; None: there is none, or the checkpoint does not say.
    """
    config = state.get("config")
    trained = (config.get("model_cfg") if isinstance(config, dict) else None) or {}
    found = (_difference(trained.get(key), model_cfg.get(key), f"model_cfg.{key}") for key in sorted(NETWORK_KEYS))
    return next(filter(None, found), None)


def _difference(trained: Any, given: Any, key: str) -> str | None:
    """The first value that both name and that is not the same; what one leaves out has its default."""
    if isinstance(trained, dict) and isinstance(given, dict):
        found = (_difference(trained[k], given[k], f"{key}.{k}") for k in trained if k in given)
        return next(filter(None, found), None)
    if trained is None or given is None or trained == given:
        return None
    return f"{key} is {given}, and it was trained with {trained}"


def load_weights(
    net: nn.Module, state: Mapping[str, Any], strict: bool, source: str | Path, difference: str | None = None
) -> list[str]:
    """Put a checkpoint's weights into a network.

    Args:
        net: the network.
        state: the checkpoint.
        strict: refuse missing or further weights and weights of other shapes.
        source: the checkpoint's file, for messages.
        difference: what :func:`other_network` says of the two, for messages.

    Returns:
        With ``strict`` off, what :func:`fitting_weights` leaves out.

    Raises:
        UserError: with ``strict``, weights of another shape, missing or further ones.
    """
    kept, left_out = fitting_weights(net.state_dict(), state["model"])
    if strict and left_out:
        more = f"\n  and {len(left_out) - 5} more" if len(left_out) > 5 else ""
        advice = (
            f"It has another LDA head. Fit it anew: meshgait lda --ckpt {source} --out NEW.pt."
            if all(line.startswith(_HEAD) for line in left_out)
            else "Use the config it was trained with; or, to train on other people or with other parts, begin with "
            "those that fit: restore_ckpt_strict: false."
        )
        advice = f"{difference}. {advice}" if difference else advice
        raise UserError(
            f"The weights of {source} do not fit model_cfg:\n  " + "\n  ".join(left_out[:5]) + f"{more}\n{advice}"
        )
    net.load_state_dict(kept, strict=False)
    return left_out


def fitting_weights(
    own: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor]
) -> tuple[dict[str, torch.Tensor], list[str]]:
    """Those of a checkpoint's weights that a network can take.

    Args:
        own: the network's weights.
        given: the checkpoint's.

    Returns:
        The weights whose name and shape the network has too, and what is left out, one line each: those of other
        shapes first. Of an LDA head nothing fits if not all of it does.
    """
    other = [name for name in own if name in given and own[name].shape != given[name].shape]
    left_out = [
        f"{name}: {list(given[name].shape)} in the file, {list(own[name].shape)} in the network" for name in other
    ]
    left_out += [f"{name}: not in the file" for name in own if name not in given]
    left_out += [f"{name}: not in the network" for name in given if name not in own]
    kept = {name: value for name, value in given.items() if name in own and name not in other}
    if any(line.startswith(_HEAD) for line in left_out):
        kept = {name: value for name, value in kept.items() if not name.startswith(_HEAD)}
    return kept, left_out


def count_flops(net: nn.Module, frames: int = 30, height: int = 64, width: int = 44) -> tuple[int, float]:
    """Count what recognising one sequence takes.

    Convolutions and matrix products are counted, as two operations for each multiply-accumulate; the
    reconstruction, which inference leaves out, is not. GaitBase has 6.99 M parameters and 70.7 GFLOPs by this count.

    Args:
        net: a :class:`~opengait_meshgait.networks.meshgait.MeshGaitNet`.
        frames, height, width: shape of the sequence.

    Returns:
        Parameters, without the class head (BNNecks), which grows with the number of training people and is not used
        in inference; GFLOPs of the forward pass.
    """
    parameters = sum(p.numel() for name, p in net.named_parameters() if not name.startswith("BNNecks."))
    device = next(net.parameters()).device
    training = net.training
    net.eval()
    # Fused attention on the CPU is unknown to the counter; its plain form is two matrix products.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        net(torch.zeros(1, frames, height, width, device=device))
    net.train(training)
    return parameters, counter.get_total_flops() / 1e9
