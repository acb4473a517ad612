import numpy as np
import pytest

from opengait_meshgait.walkers.gait import FRAMES_PER_SECOND
from opengait_meshgait.walkers.person import WalkName
from opengait_meshgait.walkers.sequence import make_scene

TOUCH, NEAR = 0.002, 0.005  # m above the ground: a foot that touches it, skin that is in contact


WALKS = [(1, "nm"), (2, "bg"), (3, "cl"), (4, "nm"), (5, "nm"), (12, "nm"), (28, "cl")]


@pytest.fixture(scope="module", params=[(*walk, 0.0) for walk in WALKS] + [(*walk, 1.0) for walk in WALKS[2:6]])
def scene(request, body):
    number, condition, variety = request.param
    return make_scene(body, WalkName(number, condition, 1), frames=60, seed=0, variety=variety)


@pytest.fixture
def shod(scene, body):
    """Left and right shoe of the dressed mesh, m, [T, P, 3] each."""
    skin = scene.surface[:, : body.num_vertices]
    weights = body.weights.numpy()
    return [skin[:, weights[:, joints].sum(1) > 0.6] for joints in ([7, 10], [8, 11])]


def test_feet_do_not_sink(scene):
    assert scene.surface[..., 1].min() > -0.010


def test_a_foot_is_always_on_the_ground(shod):
    lowest = np.min([foot[..., 1].min(1) for foot in shod], axis=0)
    assert lowest.max() < 0.010


def test_both_feet_leave_the_ground_and_come_back(shod):
    for foot in shod:
        lowest = foot[..., 1].min(1)
        assert 0.008 < lowest.max() < 0.08
        assert 0.5 < (lowest < TOUCH).mean() < 0.75


def test_planted_feet_do_not_slide(shod):
    for foot in shod:
        down = foot[..., 1].min(1) < TOUCH
        contact = (foot[1:, :, 1] < NEAR) & (foot[:-1, :, 1] < NEAR)
        moved = np.linalg.norm(np.diff(foot[..., [0, 2]], axis=0), axis=2)
        slid = longest = 0.0
        for frame in range(len(moved)):
            if down[frame] and down[frame + 1]:
                # Between heel and toes no skin may be in contact both before and after.
                slid += moved[frame][contact[frame]].sum() / max(contact[frame].sum(), 1)
                longest = max(longest, slid)
            else:
                slid = 0.0
        assert longest < 0.020


def test_knees_bend_forward_and_elbows_backward(scene):
    for upper, hinge, lower, way in ((1, 4, 7, 1), (2, 5, 8, 1), (16, 18, 20, -1), (17, 19, 21, -1)):
        first, second, third = (scene.joints[:, joint] for joint in (upper, hinge, lower))
        share = np.linalg.norm(second - first, axis=1) / (
            np.linalg.norm(second - first, axis=1) + np.linalg.norm(third - second, axis=1)
        )
        straight = first + share[:, None] * (third - first)
        assert np.all(way * (second - straight)[:, 2] > -0.001)


def test_bones_move_smoothly(scene):
    speed = np.linalg.norm(np.diff(scene.joints, axis=0), axis=2) * FRAMES_PER_SECOND
    assert speed.max() < 7  # m/s; a swinging ankle reaches about 5


def test_arms_swing_against_legs(scene, body):
    """Each wrist's way forward goes with the other side's ankle (a bag's arm is stiller, but does not change sides)."""
    ahead = scene.joints[..., 2] - scene.joints[:, :1, 2]
    for wrist, ankle in ((20, 8), (21, 7)):
        assert np.corrcoef(ahead[:, wrist], ahead[:, ankle])[0, 1] > 0.5


def test_people_walk_at_human_speed(body):
    scenes = [make_scene(body, WalkName(number, "nm", 1), frames=2, seed=0) for number in range(1, 41)]
    speeds = [np.diff(scene.motion.pelvis[:, 2])[0] * FRAMES_PER_SECOND for scene in scenes]
    assert 1.2 < np.mean(speeds) < 1.4
    assert 0.07 < np.std(speeds) < 0.15
    assert min(speeds) > 0.9 and max(speeds) < 1.8


def test_the_skin_is_the_body_posed_where_the_joints_are(scene, body):
    regressed = np.einsum("jv,tvc->tjc", body.J_regressor.numpy(), scene.skin)
    np.testing.assert_allclose(regressed[:, 0], scene.joints[:, 0], atol=0.02)
    np.testing.assert_allclose(scene.joints[:, 0], scene.motion.pelvis, atol=1e-5)
