"""YAML as this package reads, merges and writes it; config files, found and composed by name.

The shipped ones are few: a file for each data set, complete or with what differs from the one that it is ``like``; and
parts. The others are composed: their names are a data set and parts, with ``_`` between them.
``walkers_gaitset_lda`` is ``walkers.yaml`` with ``parts/gaitset.yaml`` and then ``parts/lda.yaml`` merged over it.
Under the key ``after``, a part has what it changes besides after some names: ``after: {walkers: …}`` in
``gaitset.yaml`` is merged in ``walkers_gaitset``.
"""

import copy
import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from opengait_meshgait.common.errors import UserError, did_you_mean

_KINDS = ("type", "solver", "scheduler")  # the keys that name a class, whose arguments are beside them
FOLDER = Path("configs/meshgait")
"""Where the shipped files lie in this project, and those that ``meshgait attach`` writes in OpenGait."""
_REAL = ("gait3d", "oumvlp", "casiab", "casiae", "ccpg", "grew", "sustech1k", "fvg")
DATASETS = (*_REAL, "walkers", "demo")
_BACKBONES = ("", "_gaitset", "_gaitpart", "_gaitgl", "_deepgaitv2", "_swingait")
_VARIANTS = ("", "_silhouette", "_silhouette_lda", "_lda", "_shared")
_ABLATIONS = ("_unsupervised", "_joints", "_markers", "_mesh")


def _names() -> Iterable[str]:
    for dataset in (*_REAL, "walkers"):
        yield from (f"{dataset}{backbone}{variant}" for backbone, variant in product(_BACKBONES, _VARIANTS))
        yield f"{dataset}_bodies"
    yield from ("demo", "demo_silhouette")
    for size, backbones in (("small", ("", "_gaitset", "_gaitpart", "_deepgaitv2")), ("full", ("",))):
        yield from (f"walkers_{size}{backbone}{variant}" for backbone, variant in product(backbones, _VARIANTS))
        yield f"walkers_{size}_bodies"
        yield from (f"walkers_{size}{backbone}_frozen{head}" for backbone, head in product(backbones, ("", "_lda")))
        yield from (f"walkers_{size}{loss}{variant}" for loss, variant in product(_ABLATIONS, ("", "_lda", "_shared")))


# GaitGL has no maps of single frames that an estimator could read.
CONFIG_NAMES = tuple(name for name in _names() if not name.endswith("gaitgl_shared"))
"""The names of all shipped configs."""


class _Loader(yaml.SafeLoader):
    """YAML 1.1, in which ``1e-4`` would be text, with the numbers of YAML 1.2; a key stands once in a mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        twice = next((key for place, key in enumerate(keys) if key in keys[:place]), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(None, None, f"the key {twice!r} stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


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


def read_config(paths: str | Path | Sequence[str | Path]) -> dict[str, Any]:
    """What one config file says, or several merged from left to right.

    Args:
        paths: files. One that does not exist and whose name is that of a shipped config is the shipped one:
            ``walkers``, ``walkers.yaml``, ``configs/meshgait/walkers.yaml``.

    Raises:
        UserError: no such file, not YAML, or not a config.
    """
    merged: dict[str, Any] = {}
    for path in [paths] if isinstance(paths, (str, Path)) else paths:
        merged = merge(merged, _read(path))
    return merged


def compose(name: str) -> dict[str, Any]:
    """The shipped config called ``name``, one of :data:`CONFIG_NAMES`; the caller's own copy."""
    dataset, *parts = name.split("_")
    config, so_far = _dataset(dataset), dataset
    for part in parts:
        change = dict(_shipped(f"parts/{part}"))
        after = change.pop("after", {})
        config = merge(merge(config, change), after.get(so_far, {}))
        so_far = f"{so_far}_{part}"
    # Runs of different configs must not meet in one folder.
    save_name = {"save_name": name}
    return copy.deepcopy(merge(config, {"trainer_cfg": save_name, "evaluator_cfg": save_name}))


def describe_config(name: str) -> str:
    """What a shipped config is, in one line."""
    dataset, *parts = name.split("_")
    files = [dataset, *(f"parts/{part}" for part in parts)]
    lines = ", ".join(_file(file).read_text(encoding="utf-8").partition("\n")[0].lstrip("# ") for file in files)
    if "silhouette" in parts:
        return lines.replace("Mesh-Gait as published", "Silhouette-only baseline")
    ours = {"lda", "shared"} & {*parts}
    return lines.replace("Mesh-Gait as published", "Mesh-Gait, extended by us") if ours else lines


def flat_config(name: str) -> str:
    """A shipped config as the text of one complete YAML file.

    Raises:
        UserError: there is none of that name.
    """
    name = Path(name).name.removesuffix(".yaml")
    if name not in CONFIG_NAMES:
        raise UserError(f"There is no shipped config {name}. {_near(name)}")
    return f"# {describe_config(name)}\n{dump_yaml(compose(name))}"


def _read(path: str | Path) -> dict[str, Any]:
    path = Path(path).expanduser()
    name = path.name.removesuffix(".yaml")
    if path.is_file():
        content = read_yaml(path)
    elif path.parent == Path() or path.parent.parts[-2:] == FOLDER.parts:
        if "=" in name:
            raise UserError(f"{path} is no file but a setting: write --set {path}, with --set after --cfgs FILE.")
        if name not in CONFIG_NAMES:
            raise UserError(f"Cannot read {path}: no such file in {Path.cwd()}, and no shipped config. {_near(name)}")
        content = compose(name)
    else:
        content = read_yaml(path)  # which says why it cannot
    if not isinstance(content, dict):
        found = "null" if content is None else f"{content} ({'a list' if isinstance(content, list) else 'one value'})"
        raise UserError(f"{path} holds {found}; expected sections such as data_cfg and model_cfg.")
    if "after" in content:
        raise UserError(f"{path} is a part of shipped configs: name one of them. {_near(f'gait3d_{name}')}")
    return content


def _near(name: str) -> str:
    """The nearest names, and where to find all."""
    reordered = [known for known in CONFIG_NAMES if sorted(known.split("_")) == sorted(name.split("_"))]
    near = reordered or difflib.get_close_matches(name, CONFIG_NAMES) or DATASETS
    return f"{did_you_mean(name, near)} `meshgait configs` lists all."


def _dataset(name: str) -> dict[str, Any]:
    """A data set's file over the one that it is like."""
    config = dict(_shipped(name))
    like = config.pop("like", None)
    return merge(_dataset(like), config) if like else config


@cache
def _shipped(file: str) -> dict[str, Any]:
    return read_yaml(_file(file))


def _file(file: str) -> Path:
    """A file of the project: inside the package where that is installed, beside it in a source tree."""
    package = Path(__file__).parents[1]
    if file == "demo":  # belongs to `meshgait demo`, not to what users train with
        return package / "assets" / "demo.yaml"
    installed = package / "configs"
    return (installed if installed.is_dir() else package.parent / FOLDER) / f"{file}.yaml"
