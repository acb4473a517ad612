"""The stand-in body, how well bodies lie on silhouettes, and a walk as motion capture records it."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from opengait_meshgait.body.crop import crop_frame, to_crop, to_pixels
from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.layout import BETAS, POSE
from opengait_meshgait.body.raster import rasterize
from opengait_meshgait.walkers.bones import turn
from opengait_meshgait.walkers.person import WalkName
from opengait_meshgait.walkers.sequence import make_scene

# fmt: off
MIXAMO = (
    "Hips", "LeftUpLeg", "RightUpLeg", "Spine", "LeftLeg", "RightLeg", "Spine", "LeftFoot", "RightFoot", "Spine",
    "LeftToeBase", "RightToeBase", "Neck", "LeftShoulder", "RightShoulder", "Head", "LeftArm", "RightArm",
    "LeftForeArm", "RightForeArm", "LeftHand", "RightHand", "LeftThumb", "RightThumb",
)
# fmt: on


@pytest.fixture(scope="session")
def body():
    return load_body()


@pytest.fixture(scope="session")
def overlap(body):
    """Intersection over union of each silhouette with the body that its 85 numbers pose, [T]."""

    def measure(silhouettes, frames):
        numbers = torch.from_numpy(frames)
        vertices, joints = body(numbers[:, POSE], numbers[:, BETAS])
        frame = crop_frame(vertices, body.faces, joints[:, 0])
        posed = rasterize(to_pixels(to_crop(vertices, frame), 64, 64), body.faces, 64, 64).numpy()
        seen = silhouettes > 127
        return (posed & seen).sum((1, 2)) / (posed | seen).sum((1, 2))

    return measure


@pytest.fixture(scope="session")
def walked(body):
    """A synthetic walk."""
    return make_scene(body, WalkName(1, "nm", 1), 40, seed=0)


@pytest.fixture(scope="session")
def rest(walked, body):
    """Its body's joints in the T-pose, m, [24, 3]."""
    return body.joints(torch.zeros(72), torch.from_numpy(walked.betas).float()).double().numpy()


@pytest.fixture
def clip(walked, rest, body):
    """That walk as the arrays of an .npz, under the names that a motion capture program gives."""
    parents = np.array(body.parents)
    return {
        "names": np.array(MIXAMO),
        "parents": parents,
        "offsets": rest - np.where(parents[:, None] < 0, rest, rest[parents]),
        "local_rot": walked.motion.local(body.parents),
        "root": walked.motion.pelvis,
        "fps": np.float64(25),
        "subject": np.array("A11"),
    }


@pytest.fixture
def another_rest():
    """A clip whose pose without rotations is another one; every joint goes the same way as before."""

    def change(clip, brought):
        """``brought``: world rotations [J, 3, 3] that take the joints from the old pose to the new one."""
        parents = clip["parents"]
        above = np.concatenate([np.eye(3)[None], brought[parents[1:]]])
        local = above @ clip["local_rot"] @ brought.swapaxes(-1, -2)
        return clip | {"local_rot": local, "offsets": (above @ clip["offsets"][..., None])[..., 0]}

    return change


@pytest.fixture
def write_bvh():
    """Write a clip as BVH."""

    def write(path, clip, order="ZXY", unit=0.01, z_up=False):
        names, parents = clip["names"], clip["parents"]
        raised = turn("X", np.pi / 2)[0] if z_up else np.eye(3)
        local = clip["local_rot"].copy()
        local[:, 0] = raised @ local[:, 0]
        columns = list((clip["root"] @ raised.T / unit).T)
        lines = ["HIERARCHY"]

        def joint(index, depth):
            tabs, children = "\t" * depth, np.flatnonzero(parents == index)
            lines.append(f"{tabs}{'JOINT' if depth else 'ROOT'} {names[index]}")
            lines.append(f"{tabs}{{")
            lines.append(f"{tabs}\tOFFSET " + " ".join(f"{x:.7f}" for x in clip["offsets"][index] / unit))
            places = "" if depth else "Xposition Yposition Zposition "
            turns = " ".join(f"{axis}rotation" for axis in order)
            lines.append(f"{tabs}\tCHANNELS {3 if depth else 6} {places}{turns}")
            angles = Rotation.from_matrix(local[:, index]).as_euler(order, degrees=True)
            columns.extend(angles.T)
            for child in children:
                joint(child, depth + 1)
            if not len(children):
                lines.extend([f"{tabs}\tEnd Site", f"{tabs}\t{{", f"{tabs}\t\tOFFSET 0.0 0.0 0.0", f"{tabs}\t}}"])
            lines.append(f"{tabs}}}")

        joint(0, 0)
        lines += ["MOTION", f"Frames: {len(local)}", f"Frame Time: {1 / float(clip['fps']):.9f}"]
        lines += [" ".join(f"{value:.7f}" for value in row) for row in np.stack(columns, -1)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def write_acclaim():
    """Write a clip as an AMC, with the ASF beside it; the bones' axes stand at random, and turn in ``order``."""

    def write(path, clip, order="XYZ", unit=0.0254 / 0.45):
        names, parents, rng = clip["names"], clip["parents"], np.random.default_rng(0)
        children = {name: names[parents == index] for index, name in enumerate(names)}
        words = {"order": "TX TY TZ RX RY RZ", "axis": "XYZ", "position": "0 0 0", "orientation": "0 0 0"}
        skeleton = [":units", "length 0.45", "angle deg", ":root", *(f"{key} {words[key]}" for key in words)]
        skeleton += [":bonedata"]
        channels = {}
        for index, name in enumerate(names):
            axes = Rotation.from_euler("xyz", rng.uniform(-90, 90, 3), degrees=True) if index else Rotation.identity()
            own = axes.inv() * Rotation.from_matrix(clip["local_rot"][:, index]) * axes
            letters = order.lower() if index else "xyz"
            channels[name] = own.as_euler(letters, degrees=True)
            if index:
                # A bone ends where its children begin; where these are several, one without motion leads to each.
                skeleton += ["begin", f"name {name}", "direction 0 0 0", "length 0"]
                skeleton += [f"axis {' '.join(map(str, axes.as_euler('xyz', degrees=True)))} XYZ"]
                skeleton += ["dof " + " ".join(f"r{letter}" for letter in letters), "end"]
                offset = clip["offsets"][index] / unit
                skeleton += ["begin", f"name to{name}", f"direction {' '.join(map(str, offset))}", "length 1"]
                skeleton += ["axis 0 0 0 XYZ", "end"]
        skeleton += [":hierarchy", "begin"]
        skeleton += [f"{name} " + " ".join(f"to{child}" for child in children[name]) for name in names]
        skeleton += [f"to{name} {name}" for name in names[1:]] + ["end"]
        path.with_name(f"{path.stem.split('_')[0]}.asf").write_text("\n".join(skeleton))
        lines = [":DEGREES"]
        for frame in range(len(clip["root"])):
            lines.append(str(frame + 1))
            for name in names:
                values = (
                    [*clip["root"][frame] / unit, *channels[name][frame]] if name == "root" else channels[name][frame]
                )
                lines.append(f"{name} " + " ".join(f"{value:.6f}" for value in values))
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


@pytest.fixture
def write_npz():
    """Write a clip as .npz."""

    def write(path, clip):
        np.savez(path, **clip)
        return path

    return write
