"""What OpenGait would take without a word, or find out late: refused or normalized before the training starts.

A config arrives here as OpenGait has read it, merged into its ``configs/default.yaml``.
"""

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from opengait_meshgait.common.errors import UserError, did_you_mean
from opengait_meshgait.common.files import read_json
from opengait_meshgait.common.validation import as_list, problems_of, sentences
from opengait_meshgait.data import (
    FrameSampling,
    GaitDataset,
    SequenceTable,
    build_transforms,
)
from opengait_meshgait.data.several import as_one, joined_name
from opengait_meshgait.engine.checks import FROZEN_UNTAUGHT
from opengait_meshgait.engine.optimization import DEFAULTS, OPTIMIZERS, SCHEDULERS
from opengait_meshgait.engine.schema import EVAL_FUNCTIONS, ModelCfg
from opengait_meshgait.evaluation import METRICS, PROTOCOLS, Protocol, find_protocol, split_gallery
from opengait_meshgait.losses import BODY_TERMS, LOSSES, SILHOUETTE_TERM, LossSum, emitted_terms

# Keys of our YAML files that only the embedded engine reads, with the value that means nothing.
_EMBEDDED_ONLY = {"seed": 0, "clip_grad_norm": None, "save_every_minutes": None}
# The protocols that `evaluate_indoor_dataset` of OpenGait knows; to all others the function of this package is applied.
_OF_OPENGAIT = ("CASIA-B", "CASIA-E", "OUMVLP", "SUSTech1K")
_INDOOR, _OURS = "evaluate_indoor_dataset", "evaluate_walkers"
# Where OpenGait's functions take names of sequences from, whatever the config says, and how many ranks they read.
_NAMED_IN = {
    "evaluate_Gait3D": Path("datasets/Gait3D/Gait3D.json"),
    "evaluate_CCGR_MINI": Path("datasets/CCGR-MINI/CCGR-MINI.json"),
}
_RANKS_READ = 10
DATA_SETS = "data_sets"
"""The key of all data sets of a training in the ``data_cfg`` of the first."""


def with_one_data_cfg(cfgs: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a config whose ``data_cfg``, if it is a list, is one mapping: that of the first data set, under the
    name of OpenGait's folder for all of them, with the list under :data:`DATA_SETS`.

    Raises:
        UserError: the list cannot be used.
    """
    first, several = as_one(cfgs["data_cfg"]), as_list(cfgs["data_cfg"])
    if len(several) > 1:
        names = [data["dataset_name"] for data in several]
        first = {"test_dataset_name": names[0], **several[0], "dataset_name": joined_name(names), DATA_SETS: several}
    return {**cfgs, "data_cfg": first}


def data_sets(data_cfg: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a :class:`~opengait_meshgait.data.GaitDataset` reads, from a ``data_cfg`` of :func:`with_one_data_cfg`."""
    return as_one(data_cfg.get(DATA_SETS)) or data_cfg


def trains_with_bodies(cfgs: Mapping[str, Any]) -> bool:
    """Whether training compares with bodies: there is a heatmap branch, and two modalities are in use."""
    in_use = cfgs["data_cfg"].get("data_in_use") or [True]
    return cfgs["model_cfg"].get("heatmap_cfg") is not None and sum(in_use) == 2


def trains_with_a_mesh(cfgs: Mapping[str, Any]) -> bool:
    """Whether training reconstructs a mesh, to compare it with true bodies or with its silhouette."""
    by_silhouette = any(cfg.get("log_prefix") == SILHOUETTE_TERM for cfg in as_list(cfgs["loss_cfg"]))
    return cfgs["model_cfg"].get("heatmap_cfg") is not None and (by_silhouette or trains_with_bodies(cfgs))


def check(cfgs: Mapping[str, Any], training: bool, more_losses: Collection[str] = ()) -> None:
    """Refuse a config that cannot work or would silently mean something else.

    Args:
        cfgs: the merged config.
        training: whether to train, or to test.
        more_losses: names of OpenGait's losses.

    Raises:
        UserError: all that is wrong, one problem a line.
    """
    data, model, trainer, evaluator = (cfgs[f"{name}_cfg"] for name in ("data", "model", "trainer", "evaluator"))
    problems = sentences(problems_of(ModelCfg, model), "model_cfg")
    problems += _modalities(cfgs)
    if training:
        for section, registry in (("optimizer_cfg", OPTIMIZERS), ("scheduler_cfg", SCHEDULERS)):
            # OpenGait's defaults are merged into the file, whether or not the class has such arguments.
            cfg = cfgs[section]
            given = {k: v for k, v in cfg.items() if k not in DEFAULTS or k in registry.known_arguments(cfg)}
            problems += sentences(registry.problems(given), section)
        if (model.get("heatmap_cfg") or {}).get("frozen") and not trainer.get("restore_hint"):
            problems.append(FROZEN_UNTAUGHT)
    if training and not problems:
        bodies = trains_with_bodies(cfgs)
        emitted = emitted_terms(model.get("heatmap_cfg") is not None, bodies)
        problems += _mistake("loss_cfg", _losses, as_list(cfgs["loss_cfg"]), emitted, more_losses)
        problems += _mistake("trainer_cfg.transform", build_transforms, as_list(trainer["transform"]), bodies)
        problems += _mistake("trainer_cfg.sampler", FrameSampling.from_config, trainer["sampler"])
        if model.get("augment_cfg") and not str(trainer["sampler"]["sample_type"]).startswith("fixed"):
            problems.append("model_cfg.augment_cfg: needs a fixed number of frames; choose a fixed sample_type.")
    if not training or trainer["with_test"]:
        problems += _mistake("evaluator_cfg.transform", build_transforms, as_list(evaluator["transform"]), False)
        problems += _mistake("evaluator_cfg.sampler", FrameSampling.from_config, evaluator["sampler"])
        metric = evaluator.get("metric", "euc")
        if metric not in METRICS:
            problems.append(_listed("evaluator_cfg.metric", metric, METRICS))
        problems += _mistake("data_cfg.test_dataset_name", _protocol, cfgs)
    if problems:
        raise UserError("\n  ".join(["The config cannot be used:", *problems]))


def normalize(cfgs: dict[str, Any], training: bool, world_size: int) -> list[str]:
    """Change what has only one sensible value.

    Args:
        cfgs: the merged config; changed in place.
        training: whether to train, or to test.
        world_size: the number of processes.

    Returns:
        One line for each change.
    """
    notes = []
    trainer, evaluator, scheduler = cfgs["trainer_cfg"], cfgs["evaluator_cfg"], cfgs["scheduler_cfg"]
    if evaluator["sampler"]["batch_size"] != world_size:
        evaluator["sampler"]["batch_size"] = world_size
        notes.append(f"evaluator_cfg.sampler.batch_size is {world_size} now, the number of processes.")
    wanted = EVAL_FUNCTIONS.get(evaluator["eval_func"])
    if wanted and evaluator["eval_func"] not in _NAMED_IN and _dataset(cfgs) != wanted:
        cfgs["data_cfg"]["test_dataset_name"] = wanted
        notes.append(f"data_cfg.test_dataset_name is {wanted} now: {evaluator['eval_func']} knows no other.")
    if evaluator["eval_func"] == _INDOOR and _dataset(cfgs) not in _OF_OPENGAIT:
        evaluator["eval_func"] = _OURS
        notes.append(f"evaluator_cfg.eval_func is {_OURS} now: OpenGait does not know that protocol.")
    if training:
        if scheduler["scheduler"] == "OneCycleLR" and "total_steps" not in scheduler:
            scheduler["total_steps"] = trainer["total_iter"]
            notes.append(f"scheduler_cfg.total_steps is {trainer['total_iter']} now, trainer_cfg.total_iter.")
        if isinstance(trainer.get("restore_hint"), str):
            # Weights that are left out would leave the optimizer's moments to others.
            anew = ["scheduler_reset"] + ["optimizer_reset"] * (not trainer.get("restore_ckpt_strict", True))
            for key in [key for key in anew if not trainer.get(key)]:
                trainer[key] = True
                notes.append(f"trainer_cfg.{key} is true now: this training begins with the weights of a file.")
        notes += [
            f"trainer_cfg.{key} is without effect in OpenGait."
            for key, nothing in _EMBEDDED_ONLY.items()
            if trainer.get(key, nothing) != nothing
        ]
    return notes


def find_weights(cfgs: dict[str, Any]) -> list[str]:
    """Make sure that a test has trained weights; ``restore_hint: 0`` means the newest.

    Args:
        cfgs: the merged config; changed in place.

    Returns:
        One line for a change.

    Raises:
        UserError: there are none, or not those asked for.
    """
    evaluator = cfgs["evaluator_cfg"]
    hint, name = evaluator["restore_hint"], evaluator["save_name"]
    if isinstance(hint, str):
        if not Path(hint).is_file():
            raise UserError(f"evaluator_cfg.restore_hint: {hint} is not a file.")
        return []
    saved = saved_iterations(cfgs, "evaluator_cfg")
    if hint == 0 and saved:
        evaluator["restore_hint"] = saved[-1]
        return [f"evaluator_cfg.restore_hint is {saved[-1]} now, the newest weights."]
    if hint not in saved:
        there = ", ".join(map(str, saved)) or "none"
        wanted = f"no weights {name}-{hint:05d}.pt" if hint else "no trained weights, and random ones are worth no test"
        raise UserError(
            f"{_checkpoints(cfgs, name)} holds {wanted}. Iterations saved there: {there}. Train first, or name an "
            "iteration with --iter or a file in evaluator_cfg.restore_hint."
        )
    return []


def saved_iterations(cfgs: Mapping[str, Any], section: str, root: str | Path = ".") -> list[int]:
    """The iterations whose weights OpenGait has saved, oldest first, of the run that ``section`` names."""
    name = cfgs[section]["save_name"]
    files = Path(root, _checkpoints(cfgs, name)).glob("*.pt")
    found = (re.fullmatch(re.escape(name) + r"-(\d+)\.pt", path.name) for path in files)
    return sorted(int(match[1]) for match in found if match)


def check_test_set(cfgs: Mapping[str, Any], dataset: SequenceTable, root: str | Path = ".") -> list[str]:
    """Refuse test sequences among which OpenGait's evaluator would find no gallery or no probes.

    Args:
        cfgs: the merged config.
        dataset: the test sequences.
        root: the checkout; OpenGait is started in it.

    Returns:
        What will be left out, one line each.

    Raises:
        UserError: the protocol cannot be applied.
    """
    protocol, function = _protocol(cfgs), cfgs["evaluator_cfg"]["eval_func"]
    if protocol is None:
        return []
    source = _NAMED_IN.get(function)
    named = read_json(Path(root, source))[protocol.partition_key] if source else ()
    split = split_gallery(dataset.label_list, dataset.types_list, dataset.views_list, protocol, named)
    smallest = min(len(compared.gallery) for compared in split.groups.values())
    if source and smallest < _RANKS_READ:
        raise UserError(
            f"{function} of OpenGait needs a gallery of {_RANKS_READ} sequences or more, and takes "
            f"{protocol.partition_key} from {source}; here are {smallest}."
        )
    return list(split.notes)


def foresee_test(cfgs: Mapping[str, Any]) -> list[str]:
    """One line if a test of this config, after the training, would not work."""
    data, evaluator = {**cfgs["data_cfg"], "cache": False}, cfgs["evaluator_cfg"]
    try:
        check_test_set(cfgs, GaitDataset(data, "test", False, FrameSampling.from_config(evaluator["sampler"])))
    except UserError as error:
        return [f"This training can go on, but its test will not work: {error}"]
    return []


def _protocol(cfgs: Mapping[str, Any]) -> Protocol | None:
    """What ``eval_func`` applies; None where this package does not know it.

    Raises:
        UserError: there is no protocol of that name, or it is not to be had by this function.
    """
    function = cfgs["evaluator_cfg"]["eval_func"]
    if EVAL_FUNCTIONS.get(function):
        return PROTOCOLS[EVAL_FUNCTIONS[function]]
    if function not in (_INDOOR, _OURS):
        return None
    protocol = find_protocol(_dataset(cfgs))
    if protocol.partition_key:
        others = ", ".join(name for name in _NAMED_IN if EVAL_FUNCTIONS[name] == protocol.name) or "none of OpenGait's"
        raise UserError(f"{protocol.partition_key} of a partition is not told to {function}. eval_func: {others}.")
    return protocol


def _dataset(cfgs: Mapping[str, Any]) -> str:
    """The name that OpenGait hands its evaluation."""
    return cfgs["data_cfg"].get("test_dataset_name") or cfgs["data_cfg"]["dataset_name"]


def _checkpoints(cfgs: Mapping[str, Any], name: str) -> Path:
    folder = joined_name([data["dataset_name"] for data in as_list(cfgs["data_cfg"])])
    return Path("output", folder, cfgs["model_cfg"]["model"], name, "checkpoints")


def _modalities(cfgs: Mapping[str, Any]) -> list[str]:
    each = {data["dataset_name"]: data.get("data_in_use") for data in cfgs["data_cfg"].get(DATA_SETS, [])}
    if len({sum(use or [True]) for use in each.values()}) > 1:
        listed = ", ".join(f"{use} of {name}" for name, use in each.items())
        return [f"data_cfg.data_in_use: found {listed}; use the same kinds of files of all data sets."]
    in_use = cfgs["data_cfg"].get("data_in_use")
    if in_use is not None and not (isinstance(in_use, list) and all(isinstance(use, bool) for use in in_use)):
        return [
            f"data_cfg.data_in_use: found {in_use}, which OpenGait reads as places, not as switches; write [true, true]"
            " for silhouettes and bodies, [true, false] for silhouettes."
        ]
    number = sum(in_use or [True])
    if number not in (1, 2):
        return [f"data_cfg.data_in_use: found {in_use}; expected one true (silhouettes) or two (with bodies)."]
    bodily = [str(cfg["log_prefix"]) for cfg in as_list(cfgs["loss_cfg"]) if cfg.get("log_prefix") in BODY_TERMS]
    if bodily and number == 1:
        return [f"data_cfg.data_in_use: {', '.join(bodily)} compare with bodies: write [true, true]."]
    return []


def _losses(losses: list[Mapping[str, Any]], emitted: tuple[str, ...], more_losses: Collection[str]) -> None:
    """Build the losses whose arguments are known here; of OpenGait's others, look at the prefix."""
    known = [cfg for cfg in losses if cfg.get("type") not in more_losses or cfg["type"] in LOSSES.entries]
    if known:
        LossSum([{key: value for key, value in cfg.items() if key != "gather_and_scale"} for cfg in known], emitted)
    for cfg in losses:
        if "." in cfg["type"]:
            raise UserError(f"{cfg['type']}: OpenGait takes losses by name; train with the embedded engine.")
        if cfg["log_prefix"] not in emitted:
            found = _listed("log_prefix", cfg["log_prefix"], emitted)
            raise UserError(f"{cfg['type']} would never be used. {found}")


def _mistake(where: str, function: Callable, *arguments: Any) -> list[str]:
    """What ``function`` refuses, if anything."""
    try:
        function(*arguments)
    except UserError as error:
        return [f"{where}: {error}"]
    return []


def _listed(where: str, name: Any, known: Any) -> str:
    return f"{where}: unknown '{name}'. {did_you_mean(str(name), known)}"
