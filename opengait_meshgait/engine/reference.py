"""The reference page of the YAML files, made from the schema: ``meshgait train --keys``."""

import inspect
import json
import types
import typing
from collections.abc import Callable, Mapping

from pydantic.fields import FieldInfo

from opengait_meshgait.data.augmentation import Affine, Erasing, PairedAugmentation, Perspective
from opengait_meshgait.data.transforms import TRANSFORMS
from opengait_meshgait.engine.schema import Config, Section
from opengait_meshgait.losses import LOSSES
from opengait_meshgait.networks import BACKBONES

_WORDS = {bool: "true or false", int: "whole number", float: "number", str: "text", dict: "mapping", type(None): "null"}
_TYPES = {
    "backbone_cfg and heatmap_cfg": BACKBONES.entries,
    "loss_cfg": LOSSES.entries,
    "transform": TRANSFORMS.entries,
    "augment_cfg": {
        "augment_cfg": PairedAugmentation,
        "affine": Affine,
        "perspective": Perspective,
        "erasing": Erasing,
    },
}
_HEAD = """# Configuration

One YAML file describes a run: data, network, losses, training and test. Its sections and keys are OpenGait's, so the
same file runs in OpenGait; keys marked *embedded* are read by this package's own engine only. A key that is not on
this page is an error. `meshgait train --set section.key=value` changes one key from the command line.

This page is printed by `meshgait train --keys`.
"""


def reference() -> str:
    """The whole page, in Markdown."""
    sections = [_table(name, field) for name, field in Config.model_fields.items()]
    return "\n".join([_HEAD, *sections, "## Types\n", *(_types(*group) for group in _TYPES.items())])


def _table(path: str, field: FieldInfo) -> str:
    """The heading of one section, its keys, and the sections inside it."""
    lines = [f"{'#' * (2 + path.count('.'))} {path}", "", field.description, ""]
    inner = []
    if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
        lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
        for name, key in field.annotation.model_fields.items():
            if isinstance(key.annotation, type) and issubclass(key.annotation, Section):
                anchor = f"{path}{name}".replace(".", "").lower()
                lines.append(f"| [`{name}`](#{anchor}) | section | | {key.description} |")
                inner.append(_table(f"{path}.{name}", key))
            else:
                lines.append(f"| `{name}` | {_kind(key.annotation)} | {_default(key)} | {key.description} |")
        lines.append("")
    else:
        lines += [f"Type: {_kind(field.annotation)}. Default: {_default(field)}.", ""]
    return "\n".join(lines + inner)


def _types(title: str, entries: Mapping[str, Callable]) -> str:
    """What a ``type`` may be, with its arguments."""
    lines = [f"### {title}", ""]
    for name, entry in sorted(entries.items()):
        arguments = ", ".join(
            key if parameter.default is parameter.empty else f"{key}={json.dumps(parameter.default)}"
            for key, parameter in inspect.signature(entry).parameters.items()
        )
        lines.append(f"- `{name}({arguments})`: {inspect.getdoc(entry).splitlines()[0]}")
    return "\n".join([*lines, ""])


def _kind(annotation: typing.Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _kind(arguments[0])
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_kind(argument) for argument in arguments)
    if origin is list:
        return f"list of {_kind(arguments[0])}"
    return _WORDS[origin or annotation]


def _default(field: FieldInfo) -> str:
    return "needed" if field.is_required() else f"`{json.dumps(field.default)}`"
