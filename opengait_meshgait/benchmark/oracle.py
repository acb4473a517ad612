"""``meshgait bench oracle``: what recognition would gain from truer virtual markers, and in which way truer."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from opengait_meshgait.benchmark.accuracy_plan import tested_on
from opengait_meshgait.body.overlap import mesh_iou
from opengait_meshgait.common import provenance
from opengait_meshgait.common.distributed import pick_device
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import atomic_path, write_json
from opengait_meshgait.common.tables import markdown
from opengait_meshgait.data import FrameSampling, GaitDataset, has_validation_people, whole_sequences
from opengait_meshgait.engine import build
from opengait_meshgait.engine.checkpoint import run_folder
from opengait_meshgait.engine.overlap import drawn_frames
from opengait_meshgait.engine.schema import Config
from opengait_meshgait.engine.testing import find_checkpoint
from opengait_meshgait.evaluation import evaluate_recognition
from opengait_meshgait.evaluation.bodies import iou_metrics, point_errors
from opengait_meshgait.evaluation.results import EvaluationResult
from opengait_meshgait.networks import LDAHead, MeshGaitNet, load_checkpoint, load_weights
from opengait_meshgait.recipe.lda_fit import weigh_markers
from opengait_meshgait.recipe.preparation import BatchPreparation

Markers = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From estimated and true markers ``[s, K, 3]`` of a sequence, and the other sides ``flip [K]``, to what is matched."""


def _left_right(estimated: Tensor, true: Tensor, flip: Tensor) -> Tensor:
    """The estimate, with left and right exchanged in frames in which it is nearer to the truth then."""
    exchanged = estimated[:, flip]
    nearer = (exchanged - true).square().sum((1, 2)) < (estimated - true).square().sum((1, 2))
    return torch.where(nearer[:, None, None], exchanged, estimated)


def _mean_error(estimated: Tensor, true: Tensor) -> Tensor:
    return (estimated - true).mean(0, keepdim=True)


ORACLES: Mapping[str, Markers] = {
    "as estimated": lambda estimated, true, flip: estimated,
    "true": lambda estimated, true, flip: true,
    "true depth": lambda estimated, true, flip: torch.cat([estimated[..., :2], true[..., 2:]], -1),
    "true x and y": lambda estimated, true, flip: torch.cat([true[..., :2], estimated[..., 2:]], -1),
    "true left and right": _left_right,
    "without the sequence's mean error": lambda estimated, true, flip: estimated - _mean_error(estimated, true),
    "with the sequence's mean error alone": lambda estimated, true, flip: true + _mean_error(estimated, true),
}
"""Ways in which estimated markers may be put right."""


def bench_oracle(
    config: Config,
    iteration: int | str | None,
    device: str,
    out: Path,
    on: Path | None = None,
    output: str | Path = "output",
) -> str:
    """Fit the LDA head anew to markers put right in each way of :data:`ORACLES`, match by it, and write the figures.

    The weights stay as they are. Training and test people get the same kind of markers.

    Args:
        config: of a trained run whose network has an LDA head with markers.
        iteration: of its checkpoint, as for ``meshgait test``.
        device: as for ``--device``.
        out: folder of ``oracle.json`` and ``oracle.md``.
        on: folder of other people to test on, with its ``partition.json``.
        output: the folder of all runs.

    Returns:
        A table, in Markdown.

    Raises:
        UserError: there are no trained weights, no bodies, or no LDA head with markers.
    """
    preparation = build.build_preparation(config, training=False)
    net = build.build_network(config, preparation.supervision)
    head = net.Discriminant
    if head is None or head.markers is None or preparation.supervision is None:
        raise UserError(
            "bench oracle puts the virtual markers of an LDA head right: it needs a heatmap_cfg, bodies (data_in_use: "
            "[true, true]) and a Discriminant with a marker_weight. Take a config with _lda or _shared in its name."
        )
    source = find_checkpoint(config, iteration, run_folder(config, output, training=False))
    load_weights(net, load_checkpoint(source), config.evaluator_cfg.restore_ckpt_strict, source)
    net.to(pick_device(device)).eval()
    test = build.build_test_set(tested_on(config, on), "test", with_bodies=True)
    sets = {"train": build.build_train_set(config, with_bodies=True), "test": test}
    if head.marker_weight == "auto" and has_validation_people(config.data_cfg.dataset_partition):
        sets = {"val": build.build_test_set(config, "val", with_bodies=True), **sets}
    seen = {split: _Seen(net, dataset, config, preparation) for split, dataset in sets.items()}
    net.cpu()
    draw = partial(_ious, net, preparation.supervision.body.faces.cpu(), seen["test"])
    rows = [_row(name, way, head, seen, draw, test, config) for name, way in ORACLES.items()]
    found = {"checkpoint": str(source), "on": None if on is None else str(on), "rows": rows}
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "oracle.json", {**found, **provenance.origin(device)})
    table = markdown([_HEAD, *([row["markers"], *_figures(row)] for row in rows)])
    with atomic_path(out / "oracle.md") as temporary:
        temporary.write_text(f"{table}\n", encoding="utf-8")
    return table


_HEAD = ("markers", "error, mm", "IoU", "IoU < 0.70", "Rank-1", "embeddings' part", "markers' part", "mAP")


def _figures(row: Mapping[str, Any]) -> list[str]:
    formats = {"error_mm": "{:.0f}", "iou": "{:.2f}", "iou_low_percent": "{:.1f} %"}
    return [formats.get(key, "{:.1f}").format(row[key]) for key in [*row][1:]]


class _Seen:
    """What a network sees of whole sequences, on the CPU.

    Attributes:
        embeddings, alone: [n, c, p], and those that the silhouettes alone would give.
        estimated, true: markers in crop space, [s, K, 3] each of n sequences.
        heights: one crop height, m, [s] each.
        silhouettes: of the frames to be drawn, 0…1, [m, h, w] each.
        labels: of the people, int64 [n].
        types: of the sequences, [n].

    All are in the order of the dataset.
    """

    @torch.no_grad()
    def __init__(self, net: MeshGaitNet, dataset: GaitDataset, config: Config, preparation: BatchPreparation):
        sampler, device = config.evaluator_cfg.sampler, next(net.parameters()).device
        frames = FrameSampling.from_config(sampler.model_dump())
        share = (sampler.batch_size, 0, 1)
        loader = whole_sequences(dataset, frames, share, config.data_cfg.num_workers, pin_memory=False)
        found: dict[int, tuple[Tensor, ...]] = {}
        for batch in tqdm(loader, "bench oracle", leave=False, dynamic_ncols=True):
            batch = batch.to(device)
            sils, targets = preparation.for_test(batch), preparation.test_targets(batch)
            output = net(sils, batch.seqL, True)
            assert batch.seqL is not None and targets is not None and output.markers is not None
            packed = (output.markers[0], targets.markers[0], targets.height[0], sils[0])
            frames_of = zip(*(tensor.cpu().split(batch.seqL[0].tolist()) for tensor in packed))
            alone = output.embeddings if output.alone is None else output.alone
            of_sequences = batch.labels.cpu(), output.embeddings.cpu(), alone.cpu(), frames_of
            for index, label, *both, (*points, seen) in zip(batch.indices.tolist(), *of_sequences):
                found[index] = (label, *both, *points, seen[drawn_frames(len(seen))])
        labels, embeddings, alone, *frames_of = zip(*(found[i] for i in range(len(dataset))))
        self.estimated, self.true, self.heights, self.silhouettes = frames_of
        self.labels, self.embeddings, self.alone = (torch.stack(each) for each in (labels, embeddings, alone))
        self.types = np.array(dataset.types_list)


@torch.no_grad()
def _ious(net: MeshGaitNet, faces: Tensor, seen: _Seen, markers: Sequence[Tensor]) -> list[float]:
    """Of the meshes that ``markers [s, K, 3]`` of each sequence make, with the silhouettes."""
    ious = []
    for points, silhouettes in zip(markers, seen.silhouettes):
        vertices, _ = net.reconstruction(points[drawn_frames(len(points))])
        ious += mesh_iou(vertices, faces, silhouettes).tolist()
    return ious


def _row(
    name: str,
    way: Markers,
    head: LDAHead,
    seen: Mapping[str, _Seen],
    draw: Callable[[Sequence[Tensor]], list[float]],
    test: GaitDataset,
    config: Config,
) -> dict[str, Any]:
    """The figures of one way; shares in percent."""
    flip, features = head.flip, {}
    for split, each in seen.items():
        markers = [way(estimated, true, flip) for estimated, true in zip(each.estimated, each.true)]
        sequences = zip(each.embeddings, markers, each.alone)
        parts = [head.features(e[None], m[None], alone=alone[None]) for e, m, alone in sequences]
        features[split] = [torch.cat(part) for part in zip(*parts)]
    tested = seen["test"]  # whose markers are the last
    errors = [point_errors(*body).mean() for body in zip(markers, tested.true, tested.heights)]
    head.fit(features["train"], seen["train"].labels)
    if "val" in seen:
        weigh_markers(head, features["val"], seen["val"].labels, seen["val"].types)
    matched = head.project(features["test"])
    parts = (matched, matched[..., :-1], matched[..., -1:])
    both, embeddings, body = (_evaluate(part, test, config) for part in parts)
    mean_ap = [value for key, value in both.metrics.items() if key.endswith("mAP")]
    return {
        "markers": name,
        "error_mm": float(torch.stack(errors).mean()),
        **iou_metrics(draw(markers)),
        "rank1": both.rank1,
        "rank1_embeddings": embeddings.rank1,
        "rank1_markers": body.rank1,
        "map": sum(mean_ap) / len(mean_ap),
    }


def _evaluate(features: Tensor, test: GaitDataset, config: Config) -> EvaluationResult:
    sequences = (test.label_list, test.types_list, test.views_list)
    return evaluate_recognition(features, *sequences, *build.build_protocol(config), metric=config.evaluator_cfg.metric)
