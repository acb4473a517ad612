import numpy as np
import pytest

from opengait_meshgait.walkers.bones import turn
from opengait_meshgait.walkers.gait_angles import joint_angles
from opengait_meshgait.walkers.gait_cycle import CYCLE_LENGTH, GAIT_JOINTS
from opengait_meshgait.walkers.gait_model import WalkingModel, load_gait


@pytest.mark.parametrize(
    ("name", "joint", "rotation"),
    [
        ("hip flexion", 1, turn("X", -0.5)),
        ("knee flexion", 4, turn("X", 0.5)),
        ("ankle dorsiflexion", 7, turn("X", -0.5)),
        ("pelvis rotation", 0, turn("Y", 0.5)),
        ("shoulder flexion", 16, turn("XZ", -0.5, -np.pi / 2)),  # an arm that hangs, half a radian forward
        ("elbow flexion", 18, turn("Y", -0.5)),
    ],
)
def test_the_angle_of_one_joint(name, joint, rotation):
    reference = np.tile(np.eye(3), (len(GAIT_JOINTS), 1, 1))
    reference[GAIT_JOINTS.index(joint)] = rotation[0]
    nothing = np.zeros((1, CYCLE_LENGTH))
    angles = joint_angles(WalkingModel(reference, nothing[0], nothing, nothing, 0.0), nothing)
    np.testing.assert_allclose(angles.pop(name), np.full((1, 101), np.rad2deg(0.5)))


def test_the_mean_person_walks_as_people_do():
    """As textbooks have it: the leg is forward at its heel's strike, and the knee bends most in the swing."""
    model = load_gait("cmu")
    angles = {name: curve[0] for name, curve in joint_angles(model, model.mean[None]).items()}
    assert angles["hip flexion"][0] > 15 and angles["hip flexion"][:70].min() < -5
    assert 65 <= angles["knee flexion"].argmax() <= 80 and 50 < angles["knee flexion"].max() < 75
    assert angles["shoulder flexion"][0] < angles["shoulder flexion"][50]  # the arm goes with the other leg
