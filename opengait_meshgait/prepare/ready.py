"""What a training needs beside the data: who is trained on and who is tested, and a config with both filled in."""

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opengait_meshgait.common.configs import compose, dump_yaml, merge, read_config
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import atomic_path, read_json, write_json
from opengait_meshgait.common.pictures import frame_key
from opengait_meshgait.prepare.layouts import LAYOUTS
from opengait_meshgait.prepare.sequence import Preparation

PARTITION = "partition.json"
_WILD = "evaluate_Gait3D"  # the evaluation that is told its probes one by one
_HEAD = """\
# {name}, filled in by `meshgait prepare`, which writes this file anew: put changes of yours into another one and name
# both, `--cfgs {file} mine.yaml`.
"""

Partition = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What is to be trained with a prepared dataset.

    Attributes:
        partition: JSON of OpenGait's form that says who is trained on and who is tested; None where ``train`` does.
        train: the first so many people are trained on, or this share of them, and all others tested.
        config: shipped configs or files, merged from left to right; empty: the dataset's own, where there are no
            bodies its silhouette-only baseline.

    Raises:
        UserError: the config or the partition cannot be read.
    """

    partition: Path | None = None
    train: int | float | None = None
    config: Sequence[str] = ()

    def __post_init__(self) -> None:
        # Before the work, which may take hours.
        read_config(self.config)
        if self.partition is not None:
            _read(self.partition)


def write_ready(
    plan: TrainingPlan, preparation: Preparation, out: Path, names: Iterable[str], with_bodies: bool
) -> str:
    """Write ``partition.json`` and a config into the folder of a prepared dataset.

    Args:
        plan: what is to be trained.
        preparation: how the dataset was prepared.
        out: its folder.
        names: ``id/type/view`` of its sequences.
        with_bodies: whether any of them has a body.

    Returns:
        Who is trained on and tested, and the next two commands; several lines.

    Raises:
        UserError: there are too few people, or the config is wrong, or learns from bodies where there are none.
    """
    # Not above: it loads torch, which preparing silhouettes does without.
    from opengait_meshgait.engine.checks import modalities
    from opengait_meshgait.engine.config import config_source, make_config

    names, dataset = list(names), preparation.dataset
    own = f"{'walkers' if dataset == 'generic' else dataset}{'' if with_bodies else '_silhouette'}"
    sources = plan.config or [own]
    config = _merged(sources, _protocol(dataset, out))
    if plan.partition is not None:
        partition, notes = _take(plan.partition, names)
    else:
        partition, notes = _choose(dataset, names, plan.train), []
    if config.get("evaluator_cfg", {}).get("eval_func") == _WILD and "PROBE_SET" not in partition:
        partition["PROBE_SET"] = _probes(names, partition["TEST_SET"])
    config = merge(config, _filled_in(config, out, len(partition["TRAIN_SET"])))
    checked = make_config(config, config_source(sources))
    if modalities(checked) > 1 and not (with_bodies or preparation.zero_bodies):
        raise UserError(
            f"{config_source(sources)} learns from bodies, and none were prepared. Take --config {own}, or prepare "
            "bodies."
        )
    file = out / f"{checked.trainer_cfg.save_name}.yaml"
    write_json(out / PARTITION, partition)
    with atomic_path(file) as temporary:
        head = _HEAD.format(name=config_source(sources), file=file.name)
        temporary.write_text(f"{head}{dump_yaml(config)}", encoding="utf-8")
    trained, tested = (len(partition[key]) for key in ("TRAIN_SET", "TEST_SET"))
    path = shlex.quote(str(file))
    return "\n".join(
        [
            f"{trained} people to train on and {tested} to test with: {out / PARTITION}",
            *notes,
            "Next:",
            f"  meshgait doctor --cfgs {path}",
            f"  meshgait train --cfgs {path}",
        ]
    )


def _protocol(dataset: str, out: Path) -> dict[str, Any]:
    """What the dataset is called in results, and how it is tested."""
    if dataset == "generic":
        name = out.absolute().name
        return {
            "data_cfg": {"dataset_name": name, "test_dataset_name": name},
            "evaluator_cfg": {"eval_func": _WILD},
        }
    own = compose(dataset)
    return {
        "data_cfg": {key: own["data_cfg"][key] for key in ("dataset_name", "test_dataset_name")},
        "evaluator_cfg": {"eval_func": own["evaluator_cfg"]["eval_func"]},
    }


def _merged(sources: Sequence[str], protocol: dict[str, Any]) -> dict[str, Any]:
    """The configs, shipped ones with the dataset's protocol in place of theirs; files keep what they say."""
    config: dict[str, Any] = {}
    for source in sources:
        config = merge(config, read_config(source))
        if not Path(source).is_file():
            config = merge(config, protocol)
    return config


def _filled_in(config: dict[str, Any], out: Path, people: int) -> dict[str, Any]:
    """What a config lacks to train on so many people of a dataset."""
    sampler = config.get("trainer_cfg", {}).get("sampler", {})
    batch = {"batch_size": [min(sampler["batch_size"][0], people), *sampler["batch_size"][1:]]} if sampler else {}
    place = out.absolute()
    return {
        "data_cfg": {"dataset_root": str(place), "dataset_partition": str(place / PARTITION)},
        "model_cfg": {"SeparateBNNecks": {"class_num": people}},
        "trainer_cfg": {"sampler": batch},
    }


def _read(path: Path) -> Partition:
    """A partition's lists of names.

    Raises:
        UserError: it has no people to train on or to test with, or lists something else.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not content.get("TRAIN_SET") or not content.get("TEST_SET"):
        raise UserError(f"{path} should have lists of ids, TRAIN_SET and TEST_SET, as datasets/*/*.json of OpenGait.")
    for key, names in content.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise UserError(f"{key} in {path} should be a list of names, each in quotes.")
    return content


def _take(path: Path, names: list[str]) -> tuple[Partition, list[str]]:
    """A partition without those who are not there, and a line that says how many these are."""
    people, sequences = {_person(name) for name in names}, {name.replace("/", "-") for name in names}
    wanted = _read(path)
    partition = {
        key: [name for name in values if name in (people if key in ("TRAIN_SET", "VAL_SET", "TEST_SET") else sequences)]
        for key, values in wanted.items()
    }
    for key in ("TRAIN_SET", "TEST_SET"):
        if not partition[key]:
            raise UserError(
                f"None of the {len(wanted[key])} ids of {key} in {path}, such as {wanted[key][0]}, is among the "
                f"{len(people)} prepared, such as {min(people)}. Is it the partition of this dataset?"
            )
    absent = {key: len(wanted[key]) - len(partition[key]) for key in wanted}
    notes = [
        f"{count} of {key} in {path} are not in the dataset and left out." for key, count in absent.items() if count
    ]
    return partition, notes


def _choose(dataset: str, names: list[str], train: int | float | None) -> Partition:
    """The first people to train on, all others to test with."""
    people = sorted({_person(name) for name in names}, key=frame_key)
    candidates = [person for person in people if re.fullmatch(LAYOUTS[dataset].trained_on, person)]
    others = [person for person in people if person not in set(candidates)]
    number = train if isinstance(train, int) else round((train or 0) * len(candidates))
    most = len(candidates) if others else len(candidates) - 1
    if not 2 <= number <= most:
        raise UserError(
            f"--train {train} is {number} of {len(candidates)} people: expected 2 to {most}, so that there are two to "
            "tell apart, and others to test with."
        )
    return {"TRAIN_SET": candidates[:number], "TEST_SET": others or candidates[number:]}


def _probes(names: list[str], people: list[str]) -> list[str]:
    """The first sequence of everyone who has more than one; ``id-type-view``."""
    own: dict[str, list[str]] = {person: [] for person in people}
    for name in sorted(names, key=frame_key):
        if (person := _person(name)) in own:
            own[person].append(name.replace("/", "-"))
    probes = [sequences[0] for sequences in own.values() if len(sequences) > 1]
    if not probes:
        raise UserError(
            f"None of the {len(people)} people to test with has two sequences: there is no probe and gallery. Test "
            "with other people (--partition)."
        )
    return probes


def _person(name: str) -> str:
    return name.partition("/")[0]
