"""What ``meshgait bench accuracy`` is to train and test, and whether that makes one table."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from opengait_meshgait.benchmark.accuracy_tables import Contestant, row_name
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import read_json
from opengait_meshgait.data import build_transforms, has_validation_people
from opengait_meshgait.data.layout import read_partition
from opengait_meshgait.engine import build
from opengait_meshgait.engine.checkpoint import run_folder
from opengait_meshgait.engine.checks import modalities
from opengait_meshgait.engine.config import load_config
from opengait_meshgait.engine.schema import Config
from opengait_meshgait.networks.build import count_flops

FRAMES = 30
"""Frames of the sequence whose GFLOPs are counted."""

# What weights do not depend on; the seed stands in the folder's name by itself.
_NOT_TRAINING: Any = {
    "evaluator_cfg": True,
    "data_cfg": {"num_workers", "cache", "remove_no_gallery", "test_dataset_name"},
    "trainer_cfg": {"seed", "save_name", "log_iter", "save_iter", "with_test", "find_unused_parameters"},
}
_NOT_TESTING: Any = {"save_name": True, "restore_hint": True, "restore_ckpt_strict": True, "sampler": {"batch_size"}}


@dataclass(frozen=True)
class First:
    """What is trained before, for those that have a heatmap branch to begin with its weights.

    Attributes:
        source: its YAML file, or None for nothing.
        seed: of its one training; None trains it with each seed.

    Raises:
        UserError: there is a seed for nothing.
    """

    source: str | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.source is None and self.seed is not None:
            raise UserError(f"--first-seed {self.seed}: no config is trained before. Say which: --first FILE.")

    def describe(self) -> dict[str, Any]:
        """For results files."""
        return {"first": self.source, "first_seed": self.seed}


NOTHING = First()


@dataclass(kw_only=True)
class Planned(Contestant):
    """A contestant and how it comes to its runs. ``parameters`` and ``gflops`` are those of :data:`FRAMES` frames.

    Attributes:
        source: its file.
        config: as loaded, before a seed is set.
        training: a hash of all that decides its weights, but the seed.
        testing: a hash of how it is tested.
        matched: ``embeddings`` or ``lda``.
        on: folder of the data to test on, or None for the config's own.
        first: what is trained before, for this one to begin with its weights; or None.
        first_seed: of that training; None is this one's own.
    """

    source: str
    config: Config
    training: str
    testing: str
    matched: str
    on: Path | None
    first: "Planned | None" = None
    first_seed: int | None = None

    def run(self, seed: int) -> Config:
        """The config that trains one run. Its name holds the hash: another training goes to another folder."""
        name = f"{self.config.trainer_cfg.save_name}-s{seed}-{self.training}"
        trainer = self.config.trainer_cfg.model_copy(update={"save_name": name, "seed": seed})
        evaluator = self.config.evaluator_cfg.model_copy(update={"save_name": name})
        return self.config.model_copy(update={"trainer_cfg": trainer, "evaluator_cfg": evaluator})

    def run_first(self, seed: int) -> Config | None:
        """The config that trains what this run begins with, or None."""
        if self.first is None:
            return None
        return self.first.run(seed if self.first_seed is None else self.first_seed)

    def beginning_with(self, checkpoint: Path, seed: int) -> Config:
        """The config that trains one run from the weights of ``checkpoint``, as far as they fit."""
        config = self.run(seed)
        start = {"restore_hint": str(checkpoint), "restore_ckpt_strict": False}
        return config.model_copy(update={"trainer_cfg": config.trainer_cfg.model_copy(update=start)})

    def test(self, seed: int) -> Config:
        """The config that tests one run."""
        return tested_on(self.run(seed), self.on)

    def record(self, seed: int, split: str, output: Path) -> Path:
        """The file that says what one run reached; it is written when the run is finished."""
        return run_folder(self.run(seed), output, training=True) / f"bench-{split}-{self.testing}.json"

    def folders(self, seed: int, output: Path) -> frozenset[Path]:
        """The run folders that one run fills: its own, and that of what is trained before with its seed."""
        configs = [self.run(seed), self.run_first(seed) if self.first_seed is None else None]
        return frozenset(run_folder(config, output, training=True) for config in configs if config)

    def reads(self, seed: int, output: Path) -> frozenset[Path]:
        """The run folder of what is trained before once for all seeds."""
        once = self.run_first(seed) if self.first_seed is not None else None
        return frozenset([run_folder(once, output, training=True)]) if once else frozenset()

    def log(self, seed: int, out: Path) -> Path:
        """The file below ``out`` that takes what one run says while others run beside it."""
        return out / "logs" / f"{self.run(seed).trainer_cfg.save_name}.log"


def plan(
    sources: Sequence[str],
    overrides: Sequence[str],
    split: str,
    on: Path | None = None,
    match: str | None = None,
    first: First = NOTHING,
) -> list[Planned]:
    """Read the configs, and find now what would stop a run later.

    Args:
        sources: YAML files.
        overrides: ``--set``, for all of them.
        split: ``test`` or ``val``.
        on: folder of other data to test on, with its ``partition.json``.
        match: ``embeddings``, ``lda``, or None for ``lda`` where a config has an LDA head.
        first: what is trained before.

    Raises:
        UserError: a config, its network or its data cannot be used, two configs are the same, or they do not belong
            into one table.
    """
    for override in overrides:
        if override.startswith("trainer_cfg.seed="):
            raise UserError(f"--set {override}: the seeds are those of --seeds.")
    configs = [load_config(source, overrides) for source in sources]
    for config in configs:
        _check_split(tested_on(config, on), split)
    heads = [_head(source, config, match) for source, config in zip(sources, configs)]
    hashes = [
        (_training_hash(config), _testing_hash(tested_on(config, on), split, on, head))
        for config, head in zip(configs, heads)
    ]
    for number, found in enumerate(hashes):
        if found in hashes[:number]:
            same = sources[hashes.index(found)]
            raise UserError(
                f"--cfgs {same} and {sources[number]} train and test the same network. Take one out; other names "
                "(save_name) make no other network."
            )
    _check_alike(sources, configs)
    before = None
    if first.source is not None:
        before = plan([first.source], overrides, split, on, "embeddings")[0]
        _check_alike([sources[0], first.source], [configs[0], before.config])
    names = [row_name(name, head) for name, head in zip(_names(sources, configs), heads)]
    baselines: dict[str, str] = {}
    for name, config in zip(names, configs):
        for key in () if config.model_cfg.heatmap_cfg else _networks(config):
            baselines.setdefault(key, name)
    planned = []
    for name, source, config, (training, testing), head in zip(names, sources, configs, hashes, heads):
        parameters, gflops = _cost(config, split, on)
        begins, once = (before, first.seed) if config.model_cfg.heatmap_cfg else (None, None)
        after = [begins.training, *([] if once is None else [once])] if begins else []
        planned.append(
            Planned(
                name=name,
                parameters=parameters,
                gflops=gflops,
                baseline=_baseline(config, baselines),
                source=source,
                config=config,
                training=_hash([training, *after]) if begins else training,
                testing=testing,
                matched=head,
                on=on,
                first=begins,
                first_seed=once,
            )
        )
    return planned


def _head(source: str, config: Config, match: str | None) -> str:
    """Which features are matched: ``embeddings`` or ``lda``."""
    has_head = config.model_cfg.Discriminant is not None
    if match == "lda" and not has_head:
        raise UserError(
            f"--match lda: {source} has no LDA head. Take its name with _lda, or --set model_cfg.Discriminant={{}}."
        )
    return match or ("lda" if has_head else "embeddings")


def tested_on(config: Config, on: Path | None) -> Config:
    """``config``, with the data in the folder ``on`` in place of its own."""
    if on is None:
        return config
    places = {"dataset_root": str(on), "dataset_partition": str(on / "partition.json")}
    return config.model_copy(update={"data_cfg": config.data_cfg.model_copy(update=places)})


def _networks(config: Config) -> tuple[str, str]:
    """What a baseline has alike, the best first: the silhouette branch and the heads; the kind of backbone and the LDA
    head or its absence, for a backbone that is wider so as to cost as much."""
    head = config.model_cfg.Discriminant is not None
    same = config.model_cfg.model_dump(include={"backbone_cfg", "bin_num", "SeparateFCs", "SeparateBNNecks"})
    return _hash([same, head]), _hash([config.model_cfg.backbone_cfg["type"], head])


def _baseline(config: Config, baselines: Mapping[str, str]) -> str | None:
    """The silhouette-only config that ``config`` is to be compared with, of those there are."""
    if not config.model_cfg.heatmap_cfg:
        return None
    return next((baselines[key] for key in _networks(config) if key in baselines), None)


def _training_hash(config: Config) -> str:
    # Without defaults: a key that is new in a later version must not make all trained runs strangers.
    content = config.model_dump(exclude=_NOT_TRAINING, exclude_defaults=True)
    made = _made(Path(config.data_cfg.dataset_root))
    return _hash([content, read_partition(config.data_cfg.dataset_partition, "train"), made])


def _testing_hash(config: Config, split: str, on: Path | None, head: str) -> str:
    content = config.evaluator_cfg.model_dump(exclude=_NOT_TESTING, exclude_defaults=True)
    others = [] if on is None else [_made(on)]
    labels = read_partition(config.data_cfg.dataset_partition, split)
    protocol, named = build.build_protocol(config)
    return _hash([content, protocol.model_dump(), named, labels, *others, head])


def _made(root: Path) -> Any:
    """How walkers were made, where they say so: the same names in the same place may be other people."""
    described = root / "dataset.json"
    return read_json(described).get("options") if described.is_file() else None


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]


def _names(sources: Sequence[str], configs: Sequence[Config]) -> list[str]:
    """Save names; with the file's name behind them where several have the same, then with its folder."""
    names = [config.trainer_cfg.save_name for config in configs]
    for more in (lambda source: Path(source).name, lambda source: source):
        often = Counter(names)
        names = [
            f"{config.trainer_cfg.save_name} ({more(source)})" if often[name] > 1 else name
            for name, source, config in zip(names, sources, configs)
        ]
    return names


def _compared(config: Config) -> Mapping[str, Any]:
    data = config.data_cfg
    return {
        "data_cfg.dataset_name": data.dataset_name,
        "data_cfg.dataset_root": data.dataset_root,
        "data_cfg.dataset_partition": data.dataset_partition,
        "data_cfg.test_dataset_name": data.test_dataset_name or data.dataset_name,
        "evaluator_cfg.eval_func": config.evaluator_cfg.eval_func,
        "model_cfg.SeparateBNNecks.class_num": config.model_cfg.SeparateBNNecks.class_num,
    }


def _check_alike(sources: Sequence[str], configs: Sequence[Config]) -> None:
    first = _compared(configs[0])
    problems = [
        f"{key}: {first[key]} in {sources[0]}, {value} in {source}"
        for source, config in zip(sources[1:], configs[1:])
        for key, value in _compared(config).items()
        if value != first[key]
    ]
    if problems:
        raise UserError(
            "One table compares networks on the same data, by the same protocol:\n  "
            + "\n  ".join(problems)
            + "\nMake them equal (--set changes a key of all configs), or make two tables."
        )


def _check_split(config: Config, split: str) -> None:
    partition = config.data_cfg.dataset_partition
    if split == "val" and not has_validation_people(partition):
        raise UserError(
            f"The partition {partition} has no VAL_SET, and what is chosen by TEST_SET cannot be tested by it. Make "
            "walkers with `meshgait walkers --val N`; with other data, move some ids of TRAIN_SET to a list VAL_SET."
        )
    protocol, named = build.build_protocol(config)
    labels = read_partition(partition, split)
    if protocol.partition_key and not any(name.startswith(f"{label}-") for name in named for label in labels):
        raise UserError(
            f"{protocol.partition_key} in {partition} names no sequence of the {split} set: add some of its sequences, "
            "id-type-view, or set evaluator_cfg.eval_func: evaluate_indoor_dataset."
        )


def _cost(config: Config, split: str, on: Path | None) -> tuple[int, float]:
    """Parameters and GFLOPs. On the way everything is built that a run will need, so that mistakes are reported now."""
    data = config.data_cfg.model_copy(update={"cache": False})
    config = config.model_copy(update={"data_cfg": data})
    net = build.build_network(config, None)
    build.build_losses(config)
    build.build_scheduler(config, build.build_optimizer(config, net))
    with_bodies = config.model_cfg.heatmap_cfg is not None and modalities(config) > 1
    build_transforms(config.trainer_cfg.transform, with_bodies)
    transform, _ = build_transforms(config.evaluator_cfg.transform, with_bodies)
    build.build_train_set(config, with_bodies)
    sils, *_ = build.build_test_set(tested_on(config, on), split, with_bodies).load(0)
    height, width = transform(torch.from_numpy(sils[:1].copy())).shape[-2:]
    return count_flops(net, FRAMES, height, width)
