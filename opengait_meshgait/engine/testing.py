"""Testing: all sequences of a split embedded, the protocol applied, and the figures of a checkpoint written."""

import functools
import operator
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from opengait_meshgait.common.distributed import (
    PRECISIONS,
    gather_to_rank0,
    pick_precision,
    processes,
    rank,
    world_size,
)
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import read_json, write_csv, write_json
from opengait_meshgait.data import GaitDataset, InferenceSampler, make_loader
from opengait_meshgait.engine import build
from opengait_meshgait.engine.checkpoint import BEST, Checkpoints, other_body, other_size, run_folder
from opengait_meshgait.engine.config import require_config
from opengait_meshgait.engine.overlap import FRAMES_DRAWN, body_to_draw, sequence_ious
from opengait_meshgait.engine.progress import say
from opengait_meshgait.engine.schema import Config
from opengait_meshgait.evaluation import LOW_IOU, BodyErrors, body_errors, evaluate_recognition, iou_metrics
from opengait_meshgait.networks import MeshGaitNet, Recognition, load_checkpoint, load_weights, other_network
from opengait_meshgait.recipe.preparation import BatchPreparation


@dataclass
class _Share:
    """What one process found.

    Attributes:
        indices: places in the dataset, one tensor a batch.
        features: to match, ``[m, c, p]`` on the CPU, one tensor a batch.
        errors: of bodies, by view.
        ious: of reconstructed meshes and silhouettes, by view.
        with_body: places of the sequences that have a true body in some frame.
    """

    indices: list[torch.Tensor] = field(default_factory=list)
    features: list[torch.Tensor] = field(default_factory=list)
    errors: dict[str, BodyErrors] = field(default_factory=dict)
    ious: dict[str, list[float]] = field(default_factory=dict)
    with_body: set[int] = field(default_factory=set)


def evaluate(
    net: MeshGaitNet,
    dataset: GaitDataset,
    config: Config,
    preparation: BatchPreparation,
    match: str | None = None,
    quiet: bool = False,
    submission: Path | None = None,
    precision: str | None = None,
) -> dict[str, Any]:
    """Embed all sequences and apply the protocol of the config.

    Args:
        net: on the device where to compute; left in evaluation mode.
        dataset: the test sequences, with bodies where ``preparation.with_bodies``.
        config: of the run.
        preparation: of batches; without bodies in them there are no body errors, without ``supervision`` no meshes.
        match: the features to match, see :meth:`~opengait_meshgait.networks.MeshGaitNet.matched`.
        quiet: no progress bar.
        submission: where to write the file for a benchmark's server, if the protocol has one.
        precision: ``auto``, ``fp32``, ``bf16`` or ``fp16``; None: as ``evaluator_cfg.enable_float16`` says.

    Returns:
        ``precision`` (``fp32``, ``bf16`` or ``fp16``), ``matched`` (``embeddings`` or ``lda``), ``metrics`` (percent),
        ``rank1`` (over all conditions), ``views`` and ``tables`` (percent by probe and gallery view, None where nothing
        was compared), ``notes``, ``probes`` (by condition and ``id/type/view``: Rank-1 as
        :meth:`~opengait_meshgait.evaluation.results.ProbeHits.texts`),
        ``precisions`` (by condition, ``ap`` and ``inp`` of the probes in the order of ``probes``, 0…1, None where
        nothing was compared), ``cmc`` (by condition, the cumulative match characteristic by probe view, as of
        :class:`~opengait_meshgait.evaluation.results.EvaluationResult`; None for a view without probes),
        ``sequences_with_bodies`` (how many have a true body in some frame; None where none is read), ``bodies`` (mm,
        over frames that have one), ``joints`` (mm, one number a joint) and ``bodies_by_view`` (as ``bodies``), all
        three None without bodies, ``iou`` (mean IoU of reconstructed meshes with their silhouettes, 0…1) and
        ``iou_low_percent`` (the share of frames below :data:`~opengait_meshgait.evaluation.LOW_IOU`), over
        :data:`~opengait_meshgait.engine.overlap.FRAMES_DRAWN` frames a sequence, both None without meshes,
        ``iou_by_view`` (the two by view), ``sequences`` and ``seconds``. Other processes than the first get an empty
        mapping.

    Raises:
        UserError: ``match`` asks for features that there are not.
    """
    began = time.monotonic()
    matched = net.eval().matched(match)
    precision = precision or ("auto" if config.evaluator_cfg.enable_float16 else "fp32")
    precision = pick_precision(precision, next(net.parameters()).device)
    recognise = Recognition(net, PRECISIONS[precision])
    shares = gather_to_rank0(_embed(recognise, dataset, config, preparation, matched, quiet))
    if shares is None:
        return {}
    features = torch.empty(len(dataset), *shares[0].features[0].shape[1:])
    for share in shares:
        features[torch.cat(share.indices)] = torch.cat(share.features)
    found = evaluate_recognition(
        features.to(next(net.parameters()).device),
        dataset.label_list,
        dataset.types_list,
        dataset.views_list,
        *build.build_protocol(config),
        metric=config.evaluator_cfg.metric,
    )
    notes = list(found.notes)
    if not net.recognises:
        notes.append("No loss of this config teaches recognition: how well its features match means nothing.")
    if submission is not None and found.submission is not None:
        write_csv(submission, found.submission)
        notes.append(f"The file for the benchmark's server: {submission}")
    errors: dict[str, BodyErrors] = functools.reduce(_add, (share.errors for share in shares))
    ious: dict[str, list[float]] = functools.reduce(_add, (share.ious for share in shares))
    overlap = iou_metrics([iou for view in ious.values() for iou in view])
    if overlap["iou"] is not None:
        notes.append(
            f"iou is that of the reconstructed mesh with its silhouette in {FRAMES_DRAWN} frames a sequence, iou_low "
            f"the share of them below {LOW_IOU:.2f}."
        )
    known = len(set.union(*(share.with_body for share in shares)))
    if errors and known < len(dataset):
        notes.append(f"True bodies are known of {known} of the {len(dataset)} sequences.")
    bodies = functools.reduce(operator.add, errors.values()) if errors else None
    places = [f"{info.label}/{info.type}/{info.view}" for info in dataset.seqs]
    return {
        "precision": precision,
        "matched": matched,
        "metrics": dict(found.metrics),
        "rank1": found.rank1,
        "views": list(found.views),
        "tables": {name: np.where(np.isnan(table), None, table).tolist() for name, table in found.tables.items()},
        "notes": notes,
        "probes": {
            condition: {places[index]: text for index, text in zip(hits.indices, hits.texts())}
            for condition, hits in found.hits.items()
        },
        "precisions": {condition: hits.precisions() for condition, hits in found.hits.items()},
        "cmc": {
            condition: [None if np.isnan(row).any() else row.round(3).tolist() for row in curves]
            for condition, curves in found.cmc.items()
        },
        "sequences_with_bodies": known if bodies else None,
        "bodies": bodies.metrics() if bodies else None,
        "joints": bodies.joints() if bodies else None,
        "bodies_by_view": {view: errors[view].metrics() for view in sorted(errors)} or None,
        **overlap,
        "iou_by_view": {view: iou_metrics(ious[view]) for view in sorted(ious)} or None,
        "sequences": len(dataset),
        "seconds": round(time.monotonic() - began, 3),
    }


@torch.no_grad()
def _embed(
    recognise: Recognition,
    dataset: GaitDataset,
    config: Config,
    preparation: BatchPreparation,
    matched: str,
    quiet: bool,
) -> _Share:
    cfg, device = config.evaluator_cfg, next(recognise.net.parameters()).device
    with_mesh = recognise.net.reconstruction is not None and preparation.supervision is not None
    sampler = InferenceSampler(dataset, cfg.sampler.batch_size, rank(), world_size())
    loader = make_loader(dataset, sampler, config.data_cfg.num_workers, pin_memory=device.type == "cuda")
    share = _Share()
    silent = True if quiet or rank() else None
    for number, batch in enumerate(tqdm(loader, "testing", leave=False, dynamic_ncols=True, disable=silent)):
        batch = batch.to(device)
        sils = preparation.for_test(batch)
        output = recognise(sils, batch.seqL, reconstruct=with_mesh)
        share.indices.append(batch.indices.cpu())
        share.features.append(getattr(output, matched).float().cpu())
        if with_mesh:
            found = sequence_ious(output, preparation.supervision.body.faces, sils, batch.seqL)
            for view, new, each in zip(batch.views, sampler.first_time[number], found):
                share.ious = _add(share.ious, {view: each if new else []})
        targets = preparation.test_targets(batch)
        if targets is not None:
            frames = (targets.joint_weights > 0).flatten(0, 1).cpu()
            parts = frames.split(
                [len(frames) // len(batch)] * len(batch) if batch.seqL is None else batch.seqL[0].tolist()
            )
            share.with_body |= {int(index) for index, part in zip(batch.indices, parts) if part.any()}
            for view in sorted(set(batch.views)):
                pairs = zip(sampler.first_time[number], batch.views)
                chosen = torch.tensor([new and seen == view for new, seen in pairs], device=device)
                lengths = None if batch.seqL is None else batch.seqL[0].to(device)
                chosen = chosen[:, None] if lengths is None else chosen.repeat_interleave(lengths)[None]
                weights = {key: getattr(targets, key) * chosen for key in ("joint_weights", "mesh_weights")}
                share.errors = _add(share.errors, {view: body_errors(output, replace(targets, **weights))})
    return share


def _add(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Errors or IoUs by view, of both."""
    return first | {view: first[view] + found if view in first else found for view, found in second.items()}


def test(
    config: Config,
    iteration: int | str | None = None,
    device: str = "auto",
    quiet: bool = False,
    output: str | Path = "output",
    split: str = "test",
    match: str | None = None,
    precision: str | None = None,
) -> dict[str, Any]:
    """Test a checkpoint and write ``results-<split>-<iteration>.json`` into its run's folder; ``…-lda.json`` if the
    features of the LDA head were matched.

    Args:
        config: of the run.
        iteration: a number, ``last``, ``best``; None: what ``evaluator_cfg.restore_hint`` says.
        device: ``auto``, ``cpu`` or ``cuda``.
        quiet: no progress bar, no warnings.
        output: the folder of all runs.
        split: ``test`` for the partition's ``TEST_SET``, ``val`` for its ``VAL_SET``.
        match: ``embeddings``, or ``lda``, the features of the LDA head; None: ``lda`` where it is fitted.
        precision: ``auto``, ``fp32``, ``bf16`` or ``fp16``; None: as ``evaluator_cfg.enable_float16`` says.

    Returns:
        ``split``, ``iteration``, ``checkpoint`` and what :func:`~opengait_meshgait.engine.testing.evaluate` returns,
        and ``file``, where that was written; an empty mapping in other processes than the first.

    Raises:
        UserError: there are no trained weights, they do not fit, or the data cannot be used.
    """
    require_config(config)
    with processes(device) as where:
        folder = run_folder(config, output, training=False)
        source = find_checkpoint(config, iteration, folder)
        state = load_checkpoint(source)
        config = _with_head(config, state)
        preparation = build.build_preparation(config, training=False)
        notes = []
        if config.data_cfg.others:
            notes.append(f"Tested on {config.data_cfg.dataset_name}, the first data set of data_cfg.")
        if preparation.supervision is None:
            preparation.supervision, reason = body_to_draw(config, state)
            notes += [reason] if reason else []
        net = build.build_network(config, preparation.supervision)
        if difference := other_network(state, config.model_cfg.model_dump()):
            notes.append(f"Not the network that was trained: {difference}.")
        if left_out := load_weights(net, state, config.evaluator_cfg.restore_ckpt_strict, source, difference):
            notes.append(f"{len(left_out)} weights of {source} or the network are left out: {'; '.join(left_out[:3])}…")
        warning = other_body(state, build.describe_body(preparation.supervision))
        if warning and not quiet and rank() == 0:
            say(warning)
        dataset = build.build_test_set(config, split, preparation.with_bodies)
        if different := other_size(state, dataset.silhouette_size()):
            raise UserError(f"{source} cannot be tested. {different}")
        iteration = state.get("iteration")
        label = iteration if source.parent.parent == folder else source.stem
        name = f"{split}-{label}{'-lda' if net.eval().matched(match) == 'lda' else ''}"
        submission = folder / f"submission-{name}.csv"
        result = evaluate(net.to(where), dataset, config, preparation, match, quiet, submission, precision)
        if not result:
            return {}
        result = {"split": split, "iteration": iteration, "checkpoint": str(source), **result}
        result["notes"] += notes
        file = folder / f"results-{name}.json"
        write_json(file, result)
        return {**result, "file": str(file)}


def _with_head(config: Config, state: Mapping[str, Any]) -> Config:
    """``config`` with the LDA head that `meshgait lda` gave to a checkpoint."""
    head = (state.get("config") or {}).get("model_cfg", {}).get("Discriminant")
    if head is None or config.model_cfg.Discriminant is not None:
        return config
    return config.model_copy(update={"model_cfg": config.model_cfg.model_copy(update={"Discriminant": head})})


def find_checkpoint(config: Config, iteration: int | str | None, folder: Path) -> Path:
    """The file that ``iteration`` or else ``evaluator_cfg.restore_hint`` means.

    Raises:
        UserError: there is none. Random weights are never tested.
    """
    hint = config.evaluator_cfg.restore_hint if iteration is None else iteration
    checkpoints = Checkpoints(folder)
    saved = checkpoints.iterations()
    if isinstance(hint, str) and hint not in ("last", "best"):
        if not Path(hint).is_file():
            raise UserError(f"evaluator_cfg.restore_hint: {hint} is not a file.")
        return Path(hint)
    if not saved:
        raise UserError(
            f"No trained weights in {checkpoints.folder}, and random ones are not worth a test. "
            "Run `meshgait train` with this config first, or name a file in evaluator_cfg.restore_hint."
        )
    if hint == "best":
        if not (folder / BEST).is_file():
            raise UserError(f"{folder} has no {BEST}: train with trainer_cfg.with_test: true, or test `--iter last`.")
        hint = read_json(folder / BEST)["iteration"]
    return checkpoints.find(saved[-1] if hint in ("last", 0) else int(hint))
