"""Reads config files, applies ``--set`` and says in plain words what is wrong with them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from opengait_meshgait.common.configs import read_config
from opengait_meshgait.common.errors import UserError, did_you_mean
from opengait_meshgait.common.yaml_files import parse_yaml
from opengait_meshgait.engine.checks import contradictions, resolve_arguments
from opengait_meshgait.engine.schema import Config, Section

_KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a mapping",
}


def load_config(paths: str | Path | Sequence[str | Path], overrides: Iterable[str] = ()) -> Config:
    """Read and check a config.

    Args:
        paths: a YAML file, or several that are merged from left to right; each may be the name of a shipped one.
        overrides: ``"a.b.c=value"``, each value read as YAML; a number steps into a list (``loss_cfg.1.margin=0.3``).

    Raises:
        UserError: no such file, not YAML, or a key, type or combination that cannot work; all are listed.
    """
    raw = read_config(paths)
    for override in overrides:
        apply_override(raw, override)
    return make_config(raw, config_source(paths))


def make_config(raw: Mapping[str, Any], source: str = "the config") -> Config:
    """Check a nested mapping; ``source`` names it in messages.

    Raises:
        UserError: a key, type or combination that cannot work; all are listed.
    """
    try:
        config = Config.model_validate(dict(raw))
    except ValidationError as error:
        lines = {}
        for item in error.errors():
            lines.setdefault(*_explain(item))
        raise UserError(_listed(source, [f"{key}: {line}" for key, line in lines.items()])) from error
    problems = resolve_arguments(config) + contradictions(config)
    if problems:
        raise UserError(_listed(source, problems))
    return config


def config_source(paths: str | Path | Sequence[str | Path]) -> str:
    """How messages name the file, or the files, of a config."""
    return str(paths) if isinstance(paths, (str, Path)) else " + ".join(map(str, paths))


def save_name(config: Config, training: bool) -> str:
    """The run that a config trains or tests."""
    return config.trainer_cfg.save_name if training else config.evaluator_cfg.save_name or config.trainer_cfg.save_name


def _listed(source: str, problems: Sequence[str]) -> str:
    return "\n  ".join([f"{source} cannot be used:", *problems])


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
    for depth, key in enumerate([*parents, last]):
        where = ".".join(path.split(".")[:depth]) or "the file"
        if isinstance(node, list):
            if not key.isdigit() or int(key) >= len(node):
                raise UserError(f"--set {override}: {where} is a list of {len(node)}; expected 0…{len(node) - 1}.")
            key = int(key)
        elif not isinstance(node, dict):
            raise UserError(f"--set {override}: {where} is {_found(node)} and has no key '{key}'.")
        if depth == len(parents):
            node[key] = value
        elif isinstance(node, list):
            node = node[key]
        else:
            # A section the file leaves out, or gives as null, still has its defaults: it begins empty.
            node[key] = {} if node.get(key) is None else node[key]
            node = node[key]


def _found(value: Any) -> str:
    kind = next((name for type_, name in _KINDS.items() if isinstance(value, type_)), "null")
    shown = repr(value)
    return f"{kind}" if value is None else f"{shown if len(shown) <= 60 else shown[:57] + '…'} ({kind})"


def _explain(error: Mapping[str, Any]) -> tuple[str, str]:
    """(path, what is wrong there) of one error of pydantic."""
    location = [str(part) for part in error["loc"]]
    if location[-2:] in (["restore_hint", "int"], ["restore_hint", "str"]):
        return ".".join(location[:-1]), f"found {_found(error['input'])}; expected a whole number or a file."
    path = ".".join(location)
    if error["type"] == "extra_forbidden":
        return path, f"unknown key. {did_you_mean(location[-1], _section(location[:-1]).model_fields)}"
    if error["type"] == "missing":
        return path, f"missing. {_section(location[:-1]).model_fields[location[-1]].description}"
    expected = {
        "bool_type": "true or false",
        "int_type": "a whole number",
        "float_type": "a number",
        "string_type": "text",
        "list_type": "a list",
        "dict_type": "a mapping",
        "model_type": "a mapping",
    }.get(error["type"]) or re.sub("^Input should be |^List should have | after validation", "", error["msg"])
    return path, f"found {_found(error['input'])}; expected {expected}."


def _section(location: Sequence[str]) -> type[Section]:
    section: type[Section] = Config
    for key in location:
        section = section.model_fields[key].annotation
    return section
