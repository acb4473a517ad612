"""Several data sets to train on: OpenGait's ``data_cfg`` as a list, as one mapping with the further ones inside."""

from collections.abc import Mapping, Sequence
from typing import Any

from opengait_meshgait.common.errors import UserError

OTHERS = "others"
"""The key of the further data sets in the ``data_cfg`` of the first."""


def as_one(data_cfg: Any) -> Any:
    """``data_cfg`` of a YAML file as one mapping: that of the first data set, which is the tested one, with the others
    under :data:`OTHERS`. What is no list stays as it is.

    Raises:
        UserError: an empty list, entries that are no mappings or have no name, or two of one name.
    """
    if not isinstance(data_cfg, list):
        return data_cfg
    if not data_cfg or not all(isinstance(entry, Mapping) for entry in data_cfg):
        raise UserError(f"data_cfg: found {data_cfg}; expected one data set or a list of them, each a mapping of keys.")
    names = [entry.get("dataset_name") for entry in data_cfg]
    if None in names:
        raise UserError(f"data_cfg: entry {names.index(None)} of the list lacks dataset_name: labels begin with it.")
    twice = sorted({str(name) for name in names if names.count(name) > 1})
    if twice:
        raise UserError(
            f"data_cfg: {', '.join(twice)} stands several times in the list. Labels are <dataset_name>-<id>, so that "
            "people of the same id would become one: give each data set a dataset_name of its own."
        )
    first, *others = data_cfg
    return {**first, OTHERS: others} if others else dict(first)


def as_several(data_cfg: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The data sets of what :func:`as_one` made, the first one first."""
    first = {key: value for key, value in data_cfg.items() if key != OTHERS}
    return [first, *map(dict, data_cfg.get(OTHERS) or ())]


def joined_name(names: Sequence[str]) -> str:
    """What OpenGait calls the folder of a run on several data sets."""
    return "_".join(names)
