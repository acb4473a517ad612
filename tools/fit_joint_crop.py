"""Fits the constants of ``opengait_meshgait/body/crop.py`` to the stand-in body, and says how near they come.

    python tools/fit_joint_crop.py        # half a minute on one core

Half of the poses are walkers seen from all sides, the other half moves every joint at random.
"""

import torch

from opengait_meshgait.body.crop import ENDS, CropFrame, JointOutline, crop_frame, joint_crop_frame
from opengait_meshgait.body.files import load_body
from opengait_meshgait.body.layout import JOINT_FLIP, JOINT_NAMES
from opengait_meshgait.body.model import BodyModel
from opengait_meshgait.body.pose_samples import sample_poses
from opengait_meshgait.walkers.camera import Camera
from opengait_meshgait.walkers.person import WalkName
from opengait_meshgait.walkers.sequence import make_scene
from opengait_meshgait.walkers.world import WORLDS

VIEWS = range(0, 360, 30)
FRAMES = 8
STEPS = 400
RIDGE = 1e-2  # of the joints' shares, so that none of two joints that move alike takes all


def walking(body: BodyModel, people: range, seed: int) -> tuple[torch.Tensor, CropFrame]:
    """Joints of walkers in camera orientation, m, [n, 24, 3], and their true crop frames."""
    joints, frames = [], []
    for number in people:
        name = WalkName(number, "nm", 1)
        scene = make_scene(body, name, FRAMES, seed)
        for view in VIEWS:
            rngs = name.rng(seed, view + 1), name.rng(seed, view + 1, 1)
            camera = Camera.draw(view, 0.0, WORLDS["studio"], rngs)
            look = camera.follow(scene.motion.pelvis, scene.stature)
            points = torch.from_numpy(look.orient(scene.joints)).float()
            joints.append(points)
            frames.append(crop_frame(torch.from_numpy(look.orient(scene.skin)), body.faces, points[:, 0]))
    return torch.cat(joints), CropFrame(torch.cat([f.origin for f in frames]), torch.cat([f.height for f in frames]))


@torch.no_grad()
def moving(body: BodyModel, count: int, seed: int) -> tuple[torch.Tensor, CropFrame]:
    """The same of random poses, upright and turned to any side."""
    pose, betas = (torch.from_numpy(array)[count:] for array in sample_poses(2 * count, seed))
    angle = torch.rand(count, generator=torch.Generator().manual_seed(seed)) * 2 * torch.pi
    cos, sin, zero, one = angle.cos(), angle.sin(), torch.zeros(count), torch.ones(count)
    turn = torch.stack([cos, zero, sin, zero, -one, zero, sin, zero, -cos], -1).view(-1, 3, 3)
    vertices, joints = (points @ turn.mT for points in body(pose, betas))
    return joints, crop_frame(vertices, body.faces, joints[:, 0])


def fit(joints: torch.Tensor, frame: CropFrame) -> JointOutline:
    """The outline whose top, bottom and median come nearest to the true ones, by least squares."""
    beyond = torch.full((len(ENDS),), 0.3, requires_grad=True)
    radius = torch.full((len(ENDS),), 0.03, requires_grad=True)
    optimizer = torch.optim.Adam([beyond, radius], 0.02)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        found = joint_crop_frame(joints, JointOutline(beyond, radius, torch.zeros(24)))
        top = (found.origin[:, 1] - frame.origin[:, 1]) / frame.height
        bottom = (found.height - frame.height) / frame.height + top
        loss = (top.square() + bottom.square()).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return JointOutline(beyond.detach(), radius.detach(), fit_shares(joints, frame))


def fit_shares(joints: torch.Tensor, frame: CropFrame) -> torch.Tensor:
    """Shares of sum 1 by least squares, from the pelvis, mirror-symmetric by fitting every pose and its mirror."""
    x = (joints[..., 0] - joints[:, :1, 0]) / frame.height[:, None]
    target = (frame.origin[:, 0] - joints[:, 0, 0]) / frame.height
    x, target = torch.cat([x, -x[:, list(JOINT_FLIP)]]).double(), torch.cat([target, -target]).double()
    normal = x.T @ x / len(x) + RIDGE * x.square().mean() * torch.eye(24)
    share = torch.linalg.solve(normal, x.T @ target / len(x))
    share[0] = 1 - share[1:].sum()
    return share.float()


def report(name: str, joints: torch.Tensor, frame: CropFrame, outline: JointOutline) -> None:
    """Print one line of the table of errors."""
    found = joint_crop_frame(joints, outline)
    height = ((found.height - frame.height) / frame.height).abs()
    origin = ((found.origin - frame.origin) / frame.height[:, None]).abs()
    bottom = ((found.origin[:, 1] + found.height - frame.origin[:, 1] - frame.height) / frame.height).abs()
    errors = (height, origin[:, 0], origin[:, 1], bottom)
    cells = [f"{100 * error.mean():.2f} / {100 * error.quantile(0.95):.2f}" for error in errors]
    print(f"| {name} | {' | '.join(cells)} |")


def main() -> None:
    body = load_body()
    torch.set_num_threads(1)
    parts = [walking(body, range(1, 41), seed=0), moving(body, 400, seed=0)]
    joints = torch.cat([part[0] for part in parts])
    frame = CropFrame(*(torch.cat([getattr(p[1], name) for p in parts]) for name in ("origin", "height")))
    outline = fit(joints, frame)
    for (tip, base), beyond, radius in zip(ENDS, outline.beyond, outline.radius):
        print(f"{tip} from {base}: {beyond:.3f} bones, {radius:.4f} sizes")
    print({name: round(float(share), 3) for name, share in zip(JOINT_NAMES, outline.share)})
    print("\nErrors in % of a crop height, mean / 95th percentile\n")
    print("| | height | median column | top | bottom |\n|---|---|---|---|---|")
    report("fitted to", joints, frame, outline)
    report("held out, walking", *walking(body, range(41, 56), seed=1), outline)
    report("held out, any pose", *moving(body, 200, seed=1), outline)


if __name__ == "__main__":
    main()
