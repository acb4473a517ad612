"""What ``meshgait markers`` does; people and poses that markers are learned from, out of a dataset's body frames."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from opengait_meshgait.body.archetypes import farthest_point_markers, learn_markers
from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.layout import BETAS, POSE
from opengait_meshgait.body.markers import VirtualMarkers, load_markers, marker_errors, pose_body, save_markers
from opengait_meshgait.body.model import mirror_errors
from opengait_meshgait.body.pose_samples import sample_poses
from opengait_meshgait.body.virtualmarker import (
    INDICES,
    import_published_markers,
    read_covered_vertices,
    read_published_markers,
)
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.tables import markdown
from opengait_meshgait.data.reader import read_bodies
from opengait_meshgait.visual.drawing import write_png
from opengait_meshgait.visual.figures import markers_figure

Poses = tuple[np.ndarray, np.ndarray]
"""Axis-angle ``[n, 72]`` (rad, root upright) and betas ``[n, 10]``, float32."""

LEAST_POSES = 100
"""Fewer say too little about how a body deforms."""
_HELD_OUT = 0.2  # of the people
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
    vertices, faces = body.v_template.numpy(), body.faces.numpy()
    title = f"{markers.name}: {markers.num_markers} virtual markers of {body.name}"
    write_png(out, markers_figure(vertices, faces, markers.vertex_ids.numpy(), markers.flip.numpy(), title))
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


def dataset_poses(root: str | Path, learned: int, held_out: int, seed: int = 0) -> tuple[Poses, Poses]:
    """Draw poses and betas from the 85-number frames of a prepared dataset, as many of each person as of the others.

    Frames without a body (all zeros) and frames that are not finite are left out. Roots are set upright.

    Args:
        root: a folder ``id/type/view/`` with pickles that have ``smpl`` in their name.
        learned: how many poses to learn from, at most.
        held_out: how many to measure on, at most; of other people, a fifth of all.
        seed: the same draws the same.

    Returns:
        Poses of the one and of the other people.

    Raises:
        UserError: no such folder or files in it, fewer than two people, or too few frames with a body.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"{root} is not a folder. Give a prepared dataset: id/type/view/*smpl*.pkl.")
    paths: dict[str, list[Path]] = {}
    for path in sorted(root.glob("*/*/*/*.pkl")):
        if "smpl" in path.name.lower():
            paths.setdefault(path.relative_to(root).parts[0], []).append(path)
    if len(paths) < 2:
        raise UserError(
            f"{root} has body frames (id/type/view/*smpl*.pkl) of {len(paths)} people; at least 2 are needed, one to "
            "learn from and one to measure on. Without --poses, poses that come with the package are taken."
        )
    rng = np.random.default_rng(seed)
    people = rng.permutation(sorted(paths)).tolist()
    apart = max(1, round(_HELD_OUT * len(people)))
    drawn = _draw(paths, people[apart:], learned, rng), _draw(paths, people[:apart], held_out, rng)
    if len(drawn[0][0]) < min(LEAST_POSES, learned) or not len(drawn[1][0]):
        raise UserError(
            f"{root} gives {len(drawn[0][0])} frames with a body to learn from and {len(drawn[1][0])} to measure on; "
            f"at least {LEAST_POSES} and 1 are needed. Give a larger dataset, or none for the package's own poses."
        )
    return drawn


def _draw(paths: Mapping[str, Sequence[Path]], people: Sequence[str], count: int, rng: np.random.Generator) -> Poses:
    """About ``count / len(people)`` frames of each person, from as many of their sequences as can be."""
    people = people[:count]
    share = -(-count // len(people))
    drawn = []
    for person in people:
        chosen = [paths[person][place] for place in rng.permutation(len(paths[person]))[:share]]
        usable = [frames[_has_body(frames)] for frames in map(read_bodies, chosen)]
        each = -(-share // len(chosen))
        drawn += [frames[rng.permutation(len(frames))[:each]] for frames in usable]
    frames = np.concatenate(drawn)
    frames = frames[rng.permutation(len(frames))[:count]]
    pose, betas = frames[:, POSE].copy(), frames[:, BETAS].copy()
    pose[:, :3] = 0  # the root upright
    return pose, betas


def _has_body(frames: np.ndarray) -> np.ndarray:
    """Which of the frames [T, 85] hold one: bool [T]."""
    return np.isfinite(frames[:, POSE.start :]).all(1) & frames[:, POSE].any(1)
