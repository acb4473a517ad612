"""The demo's page: what is on it, and the pictures' data."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from opengait_meshgait.body.layout import JOINT_NAMES
from opengait_meshgait.body.markers import VirtualMarkers
from opengait_meshgait.body.model import BodyModel
from opengait_meshgait.data.dataset import GaitDataset
from opengait_meshgait.data.transforms import build_transforms
from opengait_meshgait.engine import build
from opengait_meshgait.engine.schema import Config
from opengait_meshgait.engine.training import TrainResult
from opengait_meshgait.evaluation.bodies import point_errors
from opengait_meshgait.networks import MeshGaitNet, load_checkpoint, load_weights
from opengait_meshgait.visual.charts import curves_figure, views_figure
from opengait_meshgait.visual.drawing import write_png
from opengait_meshgait.visual.figures import bodies_figure, heatmaps_figure, walkers_figure
from opengait_meshgait.visual.frames import BodyFrame
from opengait_meshgait.visual.page import PageSection, write_page

_FRAME = 8
_SHOWN_JOINTS = ("head", "left_hand", "right_hand", "left_knee", "right_foot")
_CURVES = {
    "triplet loss": "scalar/triplet/loss",
    "cross-entropy": "scalar/softmax/loss",
    "marker error in training (mm)": "scalar/marker/marker_mm",
}


def write_report(
    path: Path,
    table: Sequence[Sequence[str]],
    verdict: str,
    context: Mapping[str, Any],
    config: Config,
    trained: Mapping[str, TrainResult],
    tested: Mapping[str, Mapping[str, Any]],
) -> None:
    """Write the page, and its pictures by themselves into ``pictures/`` beside it.

    Args:
        path: of the HTML file.
        table: rows of cells, the first row the header.
        verdict: who recognises better.
        context: command, seed, versions, machine and data, as in ``results.json``.
        config: of Mesh-Gait.
        trained, tested: by name of the network, the baseline first and Mesh-Gait last; tested by embeddings.
    """
    *_, ours = trained
    supervision = build.build_preparation(config, training=False).supervision
    net = build.build_network(config, supervision)
    checkpoint = trained[ours].checkpoint
    load_weights(net, load_checkpoint(checkpoint), strict=True, source=checkpoint)
    dataset = build.build_test_set(config, "test", with_bodies=True)
    samples = body_samples(net.eval(), dataset, config, supervision)
    shown = nearest_markers(supervision.body, supervision.markers)
    matrices = {name: np.array(result["tables"]["NM@R1"], float) for name, result in tested.items()}
    errors = [record["bodies"]["marker_mm"] for record in trained[ours].evaluations]
    sections = [
        PageSection("Verdict", verdict, verdict=True),
        PageSection(
            "Recognition and reconstruction",
            "Cross-view Rank-1 on people not trained on, identical views excluded; NM walks normally, BG carries a "
            "bag, CL wears a coat. MPJPE and MPVPE: mean errors of joints and vertices, pelvis aligned. Parameters "
            "without the class head; GFLOPs of one sequence at inference, where only silhouettes are used. Rows with "
            "the LDA head have the weights of those without, and match its features instead of the embeddings.",
            table=table,
        ),
        PageSection(
            "The walkers",
            "Silhouettes of four test people, each dressed and walking in their own way, from every view. Their gaits "
            "are drawn from a model of recorded people.",
            figures=[_walkers(dataset)],
        ),
        PageSection(
            "Bodies from silhouettes",
            "People the network has never seen. Each row is one frame; the number is the mean error of the predicted "
            "mesh. The silhouette is all the network gets. In training the error of the virtual markers on unseen "
            f"people fell from {errors[0]:.0f} mm to {errors[-1]:.0f} mm.",
            figures=[bodies_figure(samples)],
        ),
        PageSection(
            "Inside the heatmaps",
            "The network's 3D heatmaps of single virtual markers for the first frame above, summed over depth and seen "
            "from the side.",
            figures=[heatmaps_figure(next(iter(samples.values())), shown)],
        ),
        PageSection("Training", figures=[curves_figure(*each) for each in curves(trained).items()]),
        PageSection(
            "Which views are confused",
            "Rank-1 in percent when the probe (row) and the gallery (column) are seen from different sides; normal "
            "walking, embeddings matched.",
            figures=[views_figure(name, matrix, tested[ours]["views"]) for name, matrix in matrices.items()],
        ),
        PageSection("How this was made", code=_how(context, trained)),
    ]
    lead = "Gait recognition that learns 3D from plain silhouettes, beside the same network without its 3D branch."
    write_page(path, "Mesh-Gait on synthetic walkers", lead, sections)
    for section in sections:
        for number, figure in enumerate(section.figures, start=1):
            name = section.heading.lower().replace(" ", "-") + (f"-{number}" if len(section.figures) > 1 else "")
            write_png(path.parent / "pictures" / f"{name}.png", figure)


@torch.no_grad()
def body_samples(net: MeshGaitNet, dataset: GaitDataset, config: Config, supervision: Any) -> dict[str, BodyFrame]:
    """One frame each of five test people, from five views and in every condition, by what to print beside it."""
    transform, transform_bodies = build_transforms(config.evaluator_cfg.transform, True)
    views, types = sorted(set(dataset.views_list)), sorted(set(dataset.types_list))
    samples = {}
    faces = supervision.body.faces.cpu().numpy()
    for number, label in enumerate(dataset.label_set[:5]):
        wanted = (label, types[-1 - number % len(types)], views[(2 * number + 2) % len(views)])
        index = next(i for i, info in enumerate(dataset.seqs) if (info.label, info.type, info.view) == wanted)
        sils, bodies, _ = dataset.load(index)
        # The whole sequence: what a frame shows depends on the others.
        seen = transform(torch.from_numpy(sils[None].copy()))
        output = net(seen, reconstruct=True)
        targets = supervision(transform_bodies(torch.from_numpy(bodies[None].copy())))
        errors = point_errors(output.vertices, targets.vertices, targets.height)
        pairs = ((each.markers, each.vertices) for each in (output, targets))
        estimated, true = ((markers[0, _FRAME].numpy(), vertices[0, _FRAME].numpy()) for markers, vertices in pairs)
        extent = net.HeatmapEstimator.extent(*seen.shape[-2:])
        title = f"{label} {wanted[1]}\n{int(wanted[2])}°, {errors[0, _FRAME].mean():.0f} mm"
        heatmaps = output.heatmaps[0, _FRAME].numpy()
        samples[title] = BodyFrame(sils[_FRAME], heatmaps, extent, *estimated, faces, *true)
    return samples


def nearest_markers(body: BodyModel, markers: VirtualMarkers) -> dict[str, int]:
    """For a few joints, the marker that is nearest in the rest pose."""
    places = body.v_template[markers.vertex_ids]
    joints = body.J_regressor @ body.v_template
    distance = torch.cdist(joints, places)
    return {name.replace("_", " "): int(distance[JOINT_NAMES.index(name)].argmin()) for name in _SHOWN_JOINTS}


def curves(trained: Mapping[str, TrainResult]) -> dict[str, dict[str, tuple[list, list]]]:
    """Loss curves by quantity and run, and the marker error on unseen people; empty where a run has none."""
    lines: dict[str, dict[str, tuple[list, list]]] = {name: {} for name in _CURVES}
    unseen = lines.setdefault("marker error, unseen people (mm)", {})
    for run, result in trained.items():
        for name, key in _CURVES.items():
            points = [(r["iteration"], r["scalars"][key]) for r in result.records if key in r.get("scalars", {})]
            lines[name][run] = _columns(points)
        points = [(r["iteration"], r["bodies"]["marker_mm"]) for r in result.evaluations if r["bodies"]]
        unseen[run] = _columns(points)
    return lines


def _columns(points: Sequence[tuple[Any, Any]]) -> tuple[list, list]:
    return [x for x, _ in points], [y for _, y in points]


def _walkers(dataset: GaitDataset) -> Any:
    views, people = sorted(set(dataset.views_list)), dataset.label_set[:4]
    types = sorted(set(dataset.types_list), reverse=True)
    rows = [(label, types[number % len(types)]) for number, label in enumerate(people)]
    place = {(info.label, info.type, info.view): index for index, info in enumerate(dataset.seqs)}
    frames = [[dataset.load(place[(*row, view)])[0][_FRAME] for view in views] for row in rows]
    return walkers_figure(np.array(frames), [" ".join(row) for row in rows], [f"{int(view)}°" for view in views])


def _how(context: Mapping[str, Any], trained: Mapping[str, TrainResult]) -> str:
    lines = [context["command"], ""]
    lines += [
        f"{name}: {run.iteration} iterations, {run.seconds_per_iteration:.2f} s each" for name, run in trained.items()
    ]
    lines += [f"{key}: {value}" for part in ("data", "versions", "machine") for key, value in context[part].items()]
    return "\n".join(lines)
