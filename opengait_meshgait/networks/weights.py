"""From a checkpoint's file into a network; no code that a file may carry is run."""

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from opengait_meshgait.common.errors import UserError


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint of this package or of OpenGait, onto the CPU.

    Raises:
        UserError: the file is missing, damaged, or no checkpoint.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing.") from error
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UserError(f"{path} is damaged or no checkpoint: {reason[0]}") from error
    if not isinstance(state, dict) or not isinstance(state.get("model"), dict):
        raise UserError(f"{path} is no checkpoint: it holds no weights under 'model'.")
    return state


def load_weights(net: nn.Module, state: Mapping[str, Any], strict: bool, source: str | Path) -> list[str]:
    """Put a checkpoint's weights into a network.

    Returns:
        With ``strict`` off, the names of weights that only one of the two has.

    Raises:
        UserError: weights of another shape, or, with ``strict``, missing or further ones.
    """
    own, given = net.state_dict(), state["model"]
    problems = [
        f"{name}: {list(given[name].shape)} in the file, {list(own[name].shape)} in the network"
        for name in own.keys() & given.keys()
        if own[name].shape != given[name].shape
    ]
    unmatched = [f"{name}: not in the file" for name in own if name not in given]
    unmatched += [f"{name}: not in the network" for name in given if name not in own]
    if problems or (strict and unmatched):
        problems = sorted(problems) + (unmatched if strict else [])
        more = f"\n  and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise UserError(
            f"The weights of {source} do not fit model_cfg:\n  "
            + "\n  ".join(problems[:5])
            + f"{more}\nUse the config it was trained with"
            + ("." if strict else ": restore_ckpt_strict: false lets weights be absent, not of another shape.")
        )
    net.load_state_dict(given, strict=False)
    return [line.partition(":")[0] for line in unmatched]
