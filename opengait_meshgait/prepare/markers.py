"""What ``meshgait markers`` does."""

from pathlib import Path

import numpy as np

from opengait_meshgait.benchmark.demo_results import markdown
from opengait_meshgait.body.archetypes import farthest_point_markers, learn_markers
from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.markers import VirtualMarkers, load_markers, marker_errors, pose_body, save_markers
from opengait_meshgait.body.model import mirror_errors
from opengait_meshgait.body.pose_samples import sample_poses
from opengait_meshgait.body.virtualmarker import (
    INDICES,
    import_published_markers,
    read_covered_vertices,
    read_published_markers,
)
from opengait_meshgait.common.files import atomic_path
from opengait_meshgait.data.poses import Poses, dataset_poses
from opengait_meshgait.visual.markers import markers_figure

LEARNED_POSES, HELD_OUT_POSES = 600, 400
MIRROR_ERROR = 0.01
"""m. A vertex whose counterpart on the other side is farther off becomes no marker: training mirrors markers."""
_ERRORS = ("mesh, mean mm", "mesh, p99 mm")


def learn(body_file: str | None, dataset: str | None, count: int, out: Path) -> None:
    """Learn ``count`` markers for a body, write them and print how good they are."""
    body = load_body(body_file)
    if dataset is None:
        poses, held_out = sample_poses(LEARNED_POSES, seed=0), _held_out_poses()
    else:
        poses, others = dataset_poses(dataset, LEARNED_POSES, HELD_OUT_POSES)
        held_out = {"people held out": others}
    print(f"Learning {count} markers for {body.name} ({body.num_vertices} vertices) from {len(poses[0])} poses …")
    meshes, _ = pose_body(body, *poses)
    mirror = body.mirror.numpy()
    paired = mirror_errors(body.v_template.numpy(), mirror) <= MIRROR_ERROR
    kinds = {
        kind: VirtualMarkers(make(meshes, mirror, count, paired), f"{body.name}-{count}", body.name, body.fingerprint)
        for kind, make in (("learned", learn_markers), ("farthest-point", farthest_point_markers))
    }
    save_markers(kinds["learned"], out)
    print(f"{out}: fingerprint {kinds['learned'].fingerprint}, for body {body.fingerprint}\n")
    rows = [["poses", "markers", *_ERRORS, "joints, mean mm"]]
    for name, others in held_out.items():
        posed = pose_body(body, *others)
        for kind, markers in kinds.items():
            vertices, joints = marker_errors(markers, body, *posed)
            rows.append([name, kind, *_cells(vertices), f"{joints.mean():.1f}"])
    print(markdown(rows))


def show(body_file: str | None, markers_file: str | None, out: Path) -> None:
    """Draw markers on the body at rest."""
    body = load_body(body_file)
    markers = load_markers(markers_file, body)
    points = (tensor.numpy() for tensor in (body.v_template, body.faces, markers.vertex_ids, markers.flip))
    title = f"{markers.name}: {markers.num_markers} virtual markers of {body.name}"
    with atomic_path(out) as temporary:
        markers_figure(*points, title).savefig(temporary, format="png", dpi=150)
    print(f"{out}: {title}")


def convert(folder: str, indices: str | None, body_file: str, out: Path) -> None:
    """Write the published markers of SMPL as ours, and print how good they are."""
    published = read_published_markers(folder)
    body = load_body(body_file)
    covered = read_covered_vertices(indices or Path(folder) / INDICES, body.num_vertices)
    markers = import_published_markers(published, covered, body)
    save_markers(markers, out)
    print(f"{out}: {markers.num_markers} markers, fingerprint {markers.fingerprint}, for body {body.fingerprint}\n")
    rows = [["poses", "vertices", *_ERRORS]]
    for name, others in _held_out_poses().items():
        vertices, _ = marker_errors(markers, body, *pose_body(body, *others))
        rows.append([name, f"{len(covered)} covered", *_cells(vertices[:, covered])])
        rows.append([name, f"{body.num_vertices - len(covered)} others", *_cells(np.delete(vertices, covered, 1))])
    print(markdown(rows))


def _held_out_poses() -> dict[str, Poses]:
    """Of the package's own poses, some that markers are not learned from."""
    pose, betas = sample_poses(HELD_OUT_POSES, seed=1)
    half = HELD_OUT_POSES // 2  # see sample_poses
    return {"walking": (pose[:half], betas[:half]), "any pose": (pose[half:], betas[half:])}


def _cells(vertices: np.ndarray) -> list[str]:
    """Vertex errors in mm under the headings ``_ERRORS``."""
    return [f"{vertices.mean():.1f}", f"{np.percentile(vertices, 99):.1f}"]
