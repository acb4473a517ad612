import pytest

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.walkers.skeleton import find_joints


def skeleton(text):
    """Names and parents of a skeleton written as chains ``Hips>Spine>Neck``, later ones hanging from known joints."""
    names, parents = [], []
    for chain in text.split():
        above = -1
        for name in chain.replace("~", " ").split(">"):
            if name not in names:
                names.append(name)
                parents.append(above)
            above = names.index(name)
    return names, parents


RECORDED = {
    "the shared walks": "Hips>RightUpLeg>RightLeg>RightFoot>RightToes Hips>Spine>Spine1>HEad "
    "Spine1>LeftShoulder1>LeftArm>LeftForeArm>LeftHand Spine1>RightShoulder>RightArm>RightForeArm>RightHand "
    "Hips>LeftUpLeg>LeftLeg>LeftFoot>LeftToes",
    "mixamo": "mixamorig:Hips>mixamorig:Spine>mixamorig:Spine1>mixamorig:Spine2>mixamorig:Neck>mixamorig:Head "
    "mixamorig:Spine2>mixamorig:LeftShoulder>mixamorig:LeftArm>mixamorig:LeftForeArm>mixamorig:LeftHand "
    "mixamorig:Spine2>mixamorig:RightShoulder>mixamorig:RightArm>mixamorig:RightForeArm>mixamorig:RightHand "
    "mixamorig:LeftHand>mixamorig:LeftHandIndex1 mixamorig:Hips>mixamorig:LeftUpLeg>mixamorig:LeftLeg>"
    "mixamorig:LeftFoot mixamorig:Hips>mixamorig:RightUpLeg>mixamorig:RightLeg>mixamorig:RightFoot",
    "cmu": "Hips>LHipJoint>LeftUpLeg>LeftLeg>LeftFoot>LeftToeBase Hips>RHipJoint>RightUpLeg>RightLeg>RightFoot "
    "Hips>LowerBack>Spine>Spine1>Neck>Neck1>Head Spine1>LeftShoulder>LeftArm>LeftForeArm>LeftHand>LThumb "
    "Spine1>RightShoulder>RightArm>RightForeArm>RightHand",
    "rokoko": "Hips>Spine1>Spine2>Spine3>Spine4>Neck>Head Spine4>LeftShoulder>LeftArm>LeftForeArm>LeftHand "
    "Spine4>RightShoulder>RightArm>RightForeArm>RightHand Hips>LeftThigh>LeftShin>LeftFoot>LeftToe "
    "Hips>RightThigh>RightShin>RightFoot>RightToe",
    "joints": "Hips>LeftHip>LeftKnee>LeftAnkle>LeftToe Hips>RightHip>RightKnee>RightAnkle Hips>Chest>Neck>Head "
    "Chest>LeftCollar>LeftShoulder>LeftElbow>LeftWrist Chest>RightCollar>RightShoulder>RightElbow>RightWrist",
    "smpl": "pelvis>left_hip>left_knee>left_ankle>left_foot pelvis>right_hip>right_knee>right_ankle>right_foot "
    "pelvis>spine1>spine2>spine3>neck>head spine3>left_collar>left_shoulder>left_elbow>left_wrist>left_hand "
    "spine3>right_collar>right_shoulder>right_elbow>right_wrist>right_hand",
    "biped": "Bip01>Bip01~Pelvis>Bip01~Spine>Bip01~Spine1>Bip01~Neck>Bip01~Head Bip01~Pelvis>Bip01~L~Thigh>"
    "Bip01~L~Calf>Bip01~L~Foot>Bip01~L~Toe0 Bip01~Pelvis>Bip01~R~Thigh>Bip01~R~Calf>Bip01~R~Foot Bip01~Neck>"
    "Bip01~L~Clavicle>Bip01~L~UpperArm>Bip01~L~Forearm>Bip01~L~Hand Bip01~Neck>Bip01~R~Clavicle>Bip01~R~UpperArm>"
    "Bip01~R~Forearm>Bip01~R~Hand",
    "bare biped": "Bip01>Bip01_Spine>Bip01_Spine1>Bip01_Neck>Bip01_Head Bip01>Bip01_L_Thigh>Bip01_L_Calf>Bip01_L_Foot "
    "Bip01>Bip01_R_Thigh>Bip01_R_Calf>Bip01_R_Foot Bip01_Spine1>Bip01_L_Clavicle>Bip01_L_UpperArm>Bip01_L_Forearm>"
    "Bip01_L_Hand Bip01_Spine1>Bip01_R_Clavicle>Bip01_R_UpperArm>Bip01_R_Forearm>Bip01_R_Hand",
    "biped below hips": "Hips>Bip001~Pelvis>Bip001~Spine>Bip001~Spine1>Bip001~Head Bip001~Spine>Bip001~L~Thigh>"
    "Bip001~L~Calf>Bip001~L~Foot Bip001~Spine>Bip001~R~Thigh>Bip001~R~Calf>Bip001~R~Foot Bip001~Spine1>"
    "Bip001~L~Clavicle>Bip001~L~UpperArm>Bip001~L~Forearm>Bip001~L~Hand Bip001~Spine1>Bip001~R~Clavicle>"
    "Bip001~R~UpperArm>Bip001~R~Forearm>Bip001~R~Hand",
    "poser": "hip>abdomen>chest>neck>head chest>lCollar>lShldr>lForeArm>lHand chest>rCollar>rShldr>rForeArm>rHand "
    "hip>lButtock>lThigh>lShin>lFoot hip>rButtock>rThigh>rShin>rFoot",
    "daz": "hip>pelvis>lThighBend>lThighTwist>lShin>lFoot pelvis>rThighBend>rThighTwist>rShin>rFoot "
    "hip>abdomenLower>chestUpper>neckLower>head chestUpper>lCollar>lShldrBend>lShldrTwist>lForearmBend>lForearmTwist>"
    "lHand chestUpper>rCollar>rShldrBend>rShldrTwist>rForearmBend>rForearmTwist>rHand",
    "optitrack": "Hip>Ab>Chest>Neck>Head Chest>LShoulder>LUArm>LFArm>LHand Chest>RShoulder>RUArm>RFArm>RHand "
    "Hip>LThigh>LShin>LFoot Hip>RThigh>RShin>RFoot",
    "acclaim": "root>lhipjoint>lfemur>ltibia>lfoot>ltoes root>rhipjoint>rfemur>rtibia>rfoot root>lowerback>upperback>"
    "thorax>lowerneck>upperneck>head thorax>lclavicle>lhumerus>lradius>lwrist>lhand "
    "thorax>rclavicle>rhumerus>rradius>rwrist>rhand",
    "sides behind": "joint_Root>HIPS>UpperLeg_L>LowerLeg_L>Foot_L>Toes_L HIPS>UpperLeg_R>LowerLeg_R>Foot_R "
    "HIPS>Spine>Chest>Neck>Head Chest>Shoulder_L>UpperArm_L>LowerArm_L>Hand_L "
    "Chest>Shoulder_R>UpperArm_R>LowerArm_R>Hand_R",
}
LEGS = "Hips>LeftUpLeg>LeftLeg>LeftFoot Hips>RightUpLeg>RightLeg>RightFoot"
EXPECTED = {
    "the shared walks": "LeftShoulder1 LeftArm LeftUpLeg RightFoot Spine Spine1",
    "mixamo": "mixamorig:LeftShoulder mixamorig:LeftArm mixamorig:LeftUpLeg mixamorig:RightFoot mixamorig:Spine "
    "mixamorig:Spine1 mixamorig:Spine2",
    "cmu": "LeftShoulder LeftArm LeftUpLeg RightFoot LowerBack Spine Spine1",
    "rokoko": "LeftShoulder LeftArm LeftThigh RightFoot Spine1 Spine2 Spine3 Spine4",
    "joints": "LeftCollar LeftShoulder LeftHip RightAnkle Chest",
    "smpl": "left_collar left_shoulder left_hip right_ankle spine1 spine2 spine3",
    "biped": "Bip01~L~Clavicle Bip01~L~UpperArm Bip01~L~Thigh Bip01~R~Foot Bip01~Spine Bip01~Spine1 Bip01~Neck",
    "bare biped": "Bip01_L_Clavicle Bip01_L_UpperArm Bip01_L_Thigh Bip01_R_Foot Bip01_Spine Bip01_Spine1",
    "biped below hips": "Bip001~L~Clavicle Bip001~L~UpperArm Bip001~L~Thigh Bip001~R~Foot Bip001~Pelvis "
    "Bip001~Spine Bip001~Spine1",
    "poser": "lCollar lShldr lThigh rFoot abdomen chest",
    "daz": "lCollar lShldrBend lThighBend rFoot abdomenLower chestUpper",
    "optitrack": "LShoulder LUArm LThigh RFoot Ab Chest",
    "acclaim": "lclavicle lhumerus lfemur rfoot lowerback upperback thorax",
    "sides behind": "Shoulder_L UpperArm_L UpperLeg_L Foot_R Spine Chest",
}


@pytest.mark.parametrize("program", RECORDED)
@pytest.mark.parametrize("spelled", [str, str.upper])
def test_names_of_many_programs_are_known(program, spelled):
    names, parents = skeleton(RECORDED[program])
    found = find_joints([spelled(name) for name in names], parents)
    joints = ["left_collar", "left_shoulder", "left_hip", "right_ankle"]
    got = [names[found.joints[joint]] for joint in joints] + [names[joint] for joint in found.spine]
    assert [name.replace(" ", "~") for name in got] == EXPECTED[program].split()
    assert len(set(found.joints.values())) == len(found.joints)
    assert {"pelvis", "head", "left_knee", "right_elbow", "left_wrist"} <= set(found.joints)


@pytest.mark.parametrize("program, hand", [("acclaim", "lhand"), ("smpl", "left_wrist"), ("joints", "LeftWrist")])
def test_the_wrist_is_where_the_hand_begins(program, hand):
    names, parents = skeleton(RECORDED[program])
    assert names[find_joints(names, parents).joints["left_wrist"]] == hand


def test_hands_collars_neck_and_head_may_lack():
    names, parents = skeleton(f"Hips>Spine>LeftArm>LeftForeArm Spine>RightArm>RightForeArm {LEGS}")
    found = find_joints(names, parents)
    assert "left_wrist" not in found.joints and "left_collar" not in found.joints and found.spine == (1,)


@pytest.mark.parametrize(
    ("lacking", "message"),
    [
        ("Hips", "no pelvis \\(hips, pelvis, hip, root, bip\\)"),
        ("LeftLeg", "no left knee \\(leg, .*shin"),
        ("RightForeArm", "no right elbow"),
        ("RightFoot", "no right ankle"),
    ],
)
def test_a_missing_joint_is_told_with_those_found(lacking, message):
    names, parents = skeleton(RECORDED["cmu"])
    names[names.index(lacking)] = "Tail"
    with pytest.raises(UserError, match=message) as error:
        find_joints(names, parents)
    assert "It has: " in str(error.value) and "LHipJoint" in str(error.value)


def test_a_skeleton_without_a_spine():
    names, parents = skeleton(f"Hips>LeftArm>LeftForeArm Hips>RightArm>RightForeArm {LEGS}")
    with pytest.raises(UserError, match="no spine \\(any joint between the hips and both arms"):
        find_joints(names, parents)


def test_a_limb_that_hangs_from_the_wrong_joint():
    names, parents = skeleton(RECORDED["rokoko"])
    parents[names.index("LeftShin")] = names.index("RightThigh")
    with pytest.raises(UserError, match="LeftShin should hang from LeftThigh"):
        find_joints(names, parents)
