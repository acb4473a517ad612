"""YAML files that say how they differ from others: ``!variant``.

    !variant
    of: [gait3d.yaml, _gaitset.yaml]
    trainer_cfg: {save_name: GaitSet}

The files in ``of`` lie beside it. They are laid over each other in their order, then the file's own keys over them:
mappings key by key, everything else as a whole, and so a mapping whose ``type`` (or ``solver``, or ``scheduler``) is
another one, for then its arguments are others too. As this is a matter of YAML, whoever loads the file, OpenGait too,
sees the whole.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from opengait_meshgait.common.errors import UserError, did_you_mean

TAG = "!variant"
_KINDS = ("type", "solver", "scheduler")  # the keys that name a class, whose arguments are beside them


def enable_variants(loader: type[yaml.SafeLoader]) -> None:
    """Let ``loader`` read :data:`TAG`."""
    loader.add_constructor(TAG, _construct)


def overlay(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``change`` laid over it; neither is altered."""
    merged = dict(base)
    for key, value in change.items():
        before = merged.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping) and _same_type(before, value):
            value = overlay(before, value)
        merged[key] = value
    return merged


def _same_type(before: Mapping[str, Any], value: Mapping[str, Any]) -> bool:
    return all(value[key] == before.get(key) for key in _KINDS if key in value)


def _construct(loader: yaml.SafeLoader, node: yaml.Node) -> dict[str, Any]:
    path = Path(loader.name)
    own = loader.construct_mapping(node, deep=True) if isinstance(node, yaml.MappingNode) else {}
    names = own.pop("of", None)
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise UserError(f"{path}: {TAG} needs 'of', the file or the list of files beside it that it changes.")
    merged: dict[str, Any] = {}
    for name in names:
        merged = overlay(merged, _load(path.parent / name, type(loader), path))
    return overlay(merged, own)


def _load(path: Path, loader: type[yaml.SafeLoader], variant: Path) -> dict[str, Any]:
    if path.resolve() == variant.resolve():
        raise UserError(f"{variant} is a variant of itself.")
    try:
        with path.open(encoding="utf-8") as stream:
            content = yaml.load(stream, loader)
    except OSError as error:
        near = [other.name for other in path.parent.glob("*.yaml")] if path.parent.is_dir() else []
        raise UserError(
            f"{variant} changes {path.name}, which cannot be read. {did_you_mean(path.name, near)}"
        ) from error
    except RecursionError as error:
        raise UserError(f"{variant} and {path.name} are variants of each other.") from error
    if not isinstance(content, dict):
        raise UserError(f"{variant} changes {path.name}, which holds no sections.")
    return content
