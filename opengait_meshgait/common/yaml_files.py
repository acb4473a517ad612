"""YAML as this package reads, merges and writes it."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from opengait_meshgait.common.errors import UserError, did_you_mean

_KINDS = ("type", "solver", "scheduler")  # the keys that name a class, whose arguments are beside them


class _Loader(yaml.SafeLoader):
    """YAML 1.1, in which ``1e-4`` would be text, with the numbers of YAML 1.2."""


class _Dumper(yaml.SafeDumper):
    """Lists of plain values in one line, all else in blocks; nothing by reference."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_list(self, data: Iterable[Any]) -> yaml.SequenceNode:
        plain = not any(isinstance(value, (list, dict)) for value in data)
        return self.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=plain)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)
_Dumper.add_representer(list, _Dumper.represent_list)


def read_yaml(path: str | Path) -> Any:
    """What a YAML file holds.

    Raises:
        UserError: it cannot be read, or is not YAML.
    """
    try:
        with Path(path).open(encoding="utf-8") as stream:
            return yaml.load(stream, _Loader)
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML: {error}") from error


def parse_yaml(text: str) -> Any:
    """The value that ``text`` means.

    Raises:
        yaml.YAMLError: it is not YAML.
    """
    return yaml.load(text, _Loader)


def dump_yaml(content: Mapping[str, Any]) -> str:
    """``content`` as YAML, its keys in their order."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``change`` merged over it; neither is altered.

    Mappings merge key by key, but one whose ``type`` (``solver``, ``scheduler``) is another one replaces the whole, for
    then its arguments are others too. Losses merge by ``log_prefix``: one that is new is added, ``type: null`` takes
    one out. Everything else is replaced.

    Raises:
        UserError: a loss is to be taken out that is not there.
    """
    merged = dict(base)
    for key, value in change.items():
        before = merged.get(key)
        if key == "loss_cfg" and before and value:
            value = _merge_losses(before, value)
        elif isinstance(before, Mapping) and isinstance(value, Mapping) and _same_type(before, value):
            value = merge(before, value)
        merged[key] = value
    return merged


def _same_type(before: Mapping[str, Any], value: Mapping[str, Any]) -> bool:
    return all(value[key] == before.get(key) for key in _KINDS if key in value)


def _merge_losses(before: Any, change: Any) -> Any:
    """Two values of ``loss_cfg``, each one loss or a list of them."""
    before, change = ([value] if isinstance(value, Mapping) else value for value in (before, change))
    if not all(isinstance(loss, Mapping) for value in (before, change) for loss in value):
        return change  # no losses at all: checking the config says so
    losses = {loss.get("log_prefix"): loss for loss in before}
    for loss in change:
        prefix = loss.get("log_prefix")
        if "type" in loss and loss["type"] is None:
            if prefix not in losses:
                raise UserError(
                    f"loss_cfg: there is no loss with log_prefix '{prefix}' to take out. "
                    f"{did_you_mean(str(prefix), map(str, losses))}"
                )
            del losses[prefix]
        else:
            losses[prefix] = merge({"loss": losses.get(prefix)}, {"loss": loss})["loss"]
    return list(losses.values())
