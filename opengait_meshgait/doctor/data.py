"""What the doctor asks of a config and of the data that it names."""

from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from opengait_meshgait.body.model import BodyModel
from opengait_meshgait.body.supervision import BodySupervision, load_supervision
from opengait_meshgait.common.errors import UserError, did_you_mean
from opengait_meshgait.common.files import read_json
from opengait_meshgait.data import build_transforms
from opengait_meshgait.data.layout import SPLITS, SequenceInfo, Survey, read_partition, survey_sequences
from opengait_meshgait.data.reader import read_sequence
from opengait_meshgait.data.several import as_several
from opengait_meshgait.doctor.checks import NotApplicable, collect, unless
from opengait_meshgait.engine import build
from opengait_meshgait.engine.config import config_source, load_config, make_config
from opengait_meshgait.engine.schema import Config
from opengait_meshgait.networks import MeshGaitNet
from opengait_meshgait.opengait.checkout import Checkout
from opengait_meshgait.opengait.launch import resolve_paths
from opengait_meshgait.prepare.inspection import (
    Sample,
    check_bodies,
    check_identities,
    check_lengths,
    count_modalities,
    describe_silhouettes,
    read_sample,
)


@dataclass
class Findings:
    """What is looked at, and what earlier checks have found for later ones.

    Attributes:
        paths: of the YAML files, which are merged.
        overrides: of ``--set``.
        opengait: the checkout that is to train; None for the embedded engine.
        surveys: of the dataset's folder, by split.
        train_parts: the usable training sequences of each data set.
        config, sample, body: absent until their check has passed.
        network: None where it or its optimizer cannot be built.
    """

    paths: list[str]
    overrides: list[str]
    opengait: str | None
    surveys: dict[str, Survey] = field(default_factory=dict)
    train_parts: list[list[SequenceInfo]] = field(default_factory=list)
    config: Config = field(init=False)
    sample: Sample = field(init=False)
    body: BodyModel = field(init=False)
    network: MeshGaitNet | None = field(default=None, init=False)

    @property
    def bodies(self) -> bool:
        """Whether the config trains with bodies."""
        return build.uses_bodies(self.config)

    @cached_property
    def supervision(self) -> BodySupervision | None:
        """The body that supervises; None without one, or where its files cannot be used, which checks of theirs say."""
        try:
            body_cfg = self.config.model_cfg.body_cfg.model_dump()
            return load_supervision(**body_cfg) if build.needs_body(self.config) else None
        except UserError:
            return None

    @cached_property
    def data_sets(self) -> list[dict[str, Any]]:
        """All that are trained on, the first one first."""
        return as_several(self.config.data_cfg.model_dump())

    @property
    def processes(self) -> int:
        """How many there will be: OpenGait takes one for each GPU."""
        return max(1, torch.cuda.device_count()) if self.opengait else 1

    def sequences(self, *splits: str) -> list[SequenceInfo]:
        """Those of some splits that can be used.

        Raises:
            NotApplicable: there is none.
        """
        found = [info for split in splits if split in self.surveys for info in self.surveys[split].found]
        if not found:
            raise NotApplicable(f"there is no sequence of {', '.join(SPLITS[split] for split in splits)} to look at")
        return found


def check_keys(findings: Findings) -> str:
    """The YAML files, their keys and what they say together."""
    config = load_config(findings.paths, findings.overrides, bool(findings.opengait))
    source = config_source(findings.paths)
    if findings.opengait:
        with suppress(UserError):  # a check of its own says what is wrong with the checkout
            cfgs = resolve_paths(config.model_dump(), Checkout(findings.opengait).root)
            config = make_config(cfgs, source, opengait=True)
    findings.config = config
    trainer = config.trainer_cfg
    return f"{source} trains {config.model_cfg.model} for {trainer.total_iter:,} iterations"


def check_root(findings: Findings) -> str:
    """The dataset's folder, or those of several."""
    return "; ".join(_describe_root(Path(data["dataset_root"])) for data in findings.data_sets)


def _describe_root(root: Path) -> str:
    try:
        if not root.is_dir():
            near = [path.name for path in root.parent.glob("*") if path.is_dir()]
            hint = f" {did_you_mean(root.name, near)}" if near else ""
            raise UserError(
                f"data_cfg.dataset_root: {root} is not a folder (looked for in {Path.cwd()}).{hint} Set it to the "
                "folder that holds id/type/view/*.pkl."
            )
        folders = sum(path.is_dir() for path in root.iterdir())
    except OSError as error:
        raise UserError(
            f"data_cfg.dataset_root: {root} cannot be read: {error.strerror}: {error.filename}. Change its permissions."
        ) from error
    return f"{root}, {folders:,} folders"


def check_partition(findings: Findings) -> str:
    """Ids of the partition against folders and classes."""
    data = findings.config.data_cfg
    content = read_json(data.dataset_partition)
    problems = []
    for split, key in SPLITS.items():
        if split == "val" and not (isinstance(content, dict) and key in content):
            continue
        # A test reads bodies to measure them; OpenGait's does not.
        bodies = findings.bodies and (split == "train" or not findings.opengait)
        try:
            labels = read_partition(data.dataset_partition, split)
            findings.surveys[split] = survey_sequences(data.dataset_root, labels, bodies, data.data_in_use)
            if split == "train":
                _add_others(findings, bodies)
        except UserError as error:
            problems.append(str(error))
    found = collect(problems, check_identities, findings.surveys, findings.config.model_cfg.SeparateBNNecks.class_num)
    return unless(problems, f"{data.dataset_partition}: {found}")


def _add_others(findings: Findings, bodies: bool) -> None:
    """Put the training sequences of further data sets to those of the first, all under labels of their own."""
    surveys, several = [findings.surveys["train"]], findings.data_sets
    for data in several[1:]:
        labels = read_partition(data["dataset_partition"], "train")
        surveys.append(survey_sequences(data["dataset_root"], labels, bodies, data["data_in_use"]))
    if len(several) > 1:
        surveys = [_named(survey, data["dataset_name"]) for survey, data in zip(surveys, several)]
    findings.train_parts = [survey.found for survey in surveys]
    lists = {key.name: [getattr(survey, key.name) for survey in surveys] for key in fields(Survey)}
    findings.surveys["train"] = Survey(**{name: [*chain.from_iterable(each)] for name, each in lists.items()})


def _named(survey: Survey, name: str) -> Survey:
    """A survey with the data set's name in front of ids."""
    found = [replace(info, label=f"{name}-{info.label}") for info in survey.found]
    problems, present, absent = (
        [f"{name}-{each}" for each in part] for part in (survey.problems, survey.present, survey.absent)
    )
    return Survey(found, problems, present, absent, survey.folders)


def check_modalities(findings: Findings) -> str:
    """Which files the sequence folders hold."""
    if not any(survey.found or survey.problems for survey in findings.surveys.values()):
        raise NotApplicable("there is no sequence to look at")
    return count_modalities(findings.surveys.values())


def check_frames(findings: Findings) -> str:
    """Lengths of some sequences, all files of which are read."""
    findings.sample = read_sample(findings.sequences(*SPLITS))
    sampler = findings.config.trainer_cfg.sampler
    needed = {"fixed": sampler.frames_num_fixed, "unfixed": sampler.frames_num_min, "all": None}
    return check_lengths(findings.sample, needed[sampler.sample_type.split("_")[0]])


def check_sample(findings: Findings) -> str:
    """One whole sequence, as the network and the losses would see it."""
    findings.sequences(*SPLITS)
    info = findings.sample.example
    if info is None:
        raise NotApplicable("no sequence could be read")
    sils, bodies, weights = read_sequence(info.sils_path, info.bodies_path, info.weights_path)
    transform, _ = build_transforms(findings.config.trainer_cfg.transform, findings.bodies)
    found = f"{info.name}: {describe_silhouettes(sils, transform)}"
    if bodies is None:
        return found
    if findings.supervision is None:
        return f"{found}; its bodies are not looked at, for the body or marker file cannot be used"
    if info.name in findings.sample.bodiless and build.compares_silhouettes(findings.config):
        # The example is one with bodies where there is one.
        return f"{found}; no sequence that was read has a body, and silhouettes alone teach the mesh"
    tensors = [None if array is None else torch.from_numpy(array)[None] for array in (bodies, weights)]
    try:
        return f"{found}; {check_bodies(findings.supervision(*tensors))}"
    except UserError as error:
        raise UserError(f"{info.name}: {error}") from error
