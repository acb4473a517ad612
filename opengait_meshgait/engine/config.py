"""Reads config files, applies ``--set`` and says in plain words what is wrong with them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from opengait_meshgait.common.configs import parse_yaml, read_config
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.validation import refuse, shown, validate
from opengait_meshgait.data.several import as_one
from opengait_meshgait.engine.checks import contradictions
from opengait_meshgait.engine.schema import FOR_OPENGAIT, Config


def load_config(
    paths: str | Path | Sequence[str | Path], overrides: Iterable[str] = (), opengait: bool = False
) -> Config:
    """Read and check a config.

    Args:
        paths: a YAML file, or several that are merged from left to right; each may be the name of a shipped one.
        overrides: ``"a.b.c=value"``, each value read as YAML; a number steps into a list (``loss_cfg.1.margin=0.3``).
            ``trainer_cfg.save_name`` renames the run to be tested too.
        opengait: for OpenGait, which has losses of its own: those that are unknown here are not checked.

    Raises:
        UserError: no such file, not YAML, or a key, type or combination that cannot work; all are listed.
    """
    raw, overrides = read_config(paths), [overrides] if isinstance(overrides, str) else list(overrides)
    for override in overrides:
        apply_override(raw, override)
    # Two sections of OpenGait's files name the run. Who renames it for training wants to test the same.
    named = [override.partition("=")[0] for override in overrides]
    if "trainer_cfg.save_name" in named and "evaluator_cfg.save_name" not in named:
        raw.setdefault("evaluator_cfg", {})["save_name"] = raw["trainer_cfg"]["save_name"]
    return make_config(raw, config_source(paths), opengait)


def make_config(raw: Mapping[str, Any], source: str = "the config", opengait: bool = False) -> Config:
    """Check a nested mapping; ``source`` names it in messages, ``opengait`` as :func:`load_config`.

    Raises:
        UserError: a key, type or combination that cannot work; all are listed.
    """
    raw = dict(raw)
    if "data_cfg" in raw:
        raw["data_cfg"] = as_one(raw["data_cfg"])
    config = validate(Config, raw, source, {FOR_OPENGAIT: opengait})
    refuse(source, contradictions(config, opengait))
    return config


def require_config(config: Any) -> None:
    """Refuse what is no checked config, such as a file's name.

    Raises:
        UserError: what to write instead.
    """
    if not isinstance(config, Config):
        raise UserError(
            f"found {shown(config)} for the config; expected what load_config gives: load_config('walkers.yaml')."
        )


def config_source(paths: str | Path | Sequence[str | Path]) -> str:
    """How messages name the file, or the files, of a config."""
    return str(paths) if isinstance(paths, (str, Path)) else " + ".join(map(str, paths))


def save_name(config: Config, training: bool) -> str:
    """The run that a config trains or tests."""
    return config.trainer_cfg.save_name if training else config.evaluator_cfg.save_name or config.trainer_cfg.save_name


def apply_override(raw: dict, override: str) -> None:
    """Set one key of a nested mapping: ``"a.b.c=value"``, see :func:`load_config`.

    Raises:
        UserError: it is no such text, or leads to no key.
    """
    path, equals, text = override.partition("=")
    if not equals or not path:
        raise UserError(f"--set {override}: expected section.key=value, for example trainer_cfg.total_iter=100.")
    try:
        value = parse_yaml(text)
    except yaml.YAMLError as error:
        raise UserError(f"--set {override}: the value is not valid YAML: {error}") from error
    *parents, last = path.split(".")
    node: Any = raw
    keys: list[Any] = [*parents, last]
    for depth, key in enumerate(keys):
        where = ".".join(path.split(".")[:depth]) or "the file"
        if isinstance(node, list):
            if not key.isdigit() or int(key) >= len(node):
                raise UserError(f"--set {override}: {where} is a list of {len(node)}; expected 0…{len(node) - 1}.")
            key = int(key)
        elif not isinstance(node, dict):
            raise UserError(f"--set {override}: {where} is {shown(node)} and has no key '{key}'.")
        if depth == len(parents):
            node[key] = value
        elif isinstance(node, list):
            node = node[key]
        else:
            # A section the file leaves out, or gives as null, still has its defaults: it begins empty.
            node[key] = {} if node.get(key) is None else node[key]
            node = node[key]
