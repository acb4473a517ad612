"""The reference page of the YAML files, made from the schema: ``meshgait train --keys``."""

import json
import re
import types
import typing
from collections.abc import Sequence

from pydantic.fields import FieldInfo

from opengait_meshgait.common.registry import Registry
from opengait_meshgait.common.validation import Section, section_type
from opengait_meshgait.data.transforms import TRANSFORMS
from opengait_meshgait.engine.optimization import OPTIMIZERS, SCHEDULERS
from opengait_meshgait.engine.schema import Config
from opengait_meshgait.losses import LOSSES
from opengait_meshgait.networks.registry import BACKBONES, ESTIMATORS, LAYERS

_WORDS = {bool: "true or false", int: "whole number", float: "number", str: "text", dict: "mapping", type(None): "null"}
_TYPES = {
    "backbone_cfg": (BACKBONES, None),
    "heatmap_cfg": (ESTIMATORS, None),
    "HeatmapFeatures and Discriminant": (LAYERS, ("HeatmapFeatures", "Discriminant")),
    "loss_cfg": (LOSSES, None),
    "transform": (TRANSFORMS, None),
}
_HEAD = """# Configuration

One YAML file describes a run: data, network, losses, training and test. Its sections and keys are OpenGait's, so the
same file runs in OpenGait; keys marked *embedded* are read by this package's own engine only. A key that is not on
this page is an error, except the arguments of optimizers and schedules, which are PyTorch's, and those of your own
classes. `meshgait train --set section.key=value` changes one key from the command line.

What has a `type` takes the arguments listed under [Types](#types). A backbone or a loss of your own is named by its
import path, `type: my_package.MyBackbone`, and its arguments are checked against its signature.

This page is printed by `meshgait train --keys`.
"""


def reference() -> str:
    """The whole page, in Markdown."""
    sections = [_section(name, field) for name, field in Config.model_fields.items()]
    return "\n".join([_HEAD, *sections, "## Types\n", *(_types(title, *group) for title, group in _TYPES.items())])


def _section(path: str, field: FieldInfo) -> str:
    """The heading of one section, its keys, and the sections inside it."""
    lines = [f"{'#' * (2 + path.count('.'))} {path}", "", field.description, ""]
    section, inner = section_type(field.annotation), []
    if section is None:
        lines += [f"Type: {_kind(field.annotation)}. Default: {_default(field)}.", ""]
    else:
        lines += [*_table(section, path), ""]
        inner = [_section(f"{path}.{k}", f) for k, f in section.model_fields.items() if section_type(f.annotation)]
    names = {"optimizer_cfg": OPTIMIZERS, "scheduler_cfg": SCHEDULERS}
    if path in names:
        lines += [f"Known: {', '.join(f'`{name}`' for name in sorted(names[path].entries))}.", ""]
    return "\n".join(lines + inner)


def _table(section: type[Section], path: str = "") -> list[str]:
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for name, key in section.model_fields.items():
        if section_type(key.annotation) is None:
            row = f"`{name}` | {_kind(key.annotation)} | {_default(key)}"
        else:
            anchor = f"{path}{name}".replace(".", "").lower()
            row = f"[`{name}`](#{anchor}) | " + ("section or null | `null`" if key.default is None else "section | ")
        # Docstrings are written for Python.
        meaning = re.sub(r"\bNone\b", "null", key.description)
        lines.append(f"| {row} | {meaning} |")
    return lines


def _types(title: str, registry: Registry, names: Sequence[str] | None) -> str:
    """What a ``type`` may be, each with its arguments."""
    lines = [f"### {title}", ""]
    for name in sorted(names or registry.entries):
        section = registry.arguments(name)
        summary = " ".join(section.__doc__.partition("\n\n")[0].split())
        lines += [f"#### {name}", "", summary, ""]
        if section.model_fields:
            lines += [*_table(section), ""]
    return "\n".join(lines)


def _kind(annotation: typing.Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _kind(arguments[0])
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_kind(argument) for argument in arguments)
    if origin in (list, Sequence):
        return f"list of {_kind(arguments[0])}"
    return _WORDS[origin or annotation]


def _default(field: FieldInfo) -> str:
    return "needed" if field.is_required() else f"`{json.dumps(field.default)}`"
