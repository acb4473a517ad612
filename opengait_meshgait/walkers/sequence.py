"""One walk as every camera sees it: silhouettes and 85-number frames."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from opengait_meshgait.body.crop import CropFrame, crop_frame
from opengait_meshgait.body.layout import NUM_JOINTS
from opengait_meshgait.body.model import BodyModel
from opengait_meshgait.body.raster import rasterize
from opengait_meshgait.walkers.accessories import HANDS, HANGING, Accessory, make_accessories
from opengait_meshgait.walkers.bones import rotation_vectors, turn
from opengait_meshgait.walkers.camera import PICTURE_SIZE, Camera, CameraTrack, half_bin, to_picture, weak_perspective
from opengait_meshgait.walkers.clothing import clothing_offsets
from opengait_meshgait.walkers.curve import Curve, bend
from opengait_meshgait.walkers.damage import degrade
from opengait_meshgait.walkers.gait import Motion, walk
from opengait_meshgait.walkers.gait_model import PROCEDURAL, choose_gait
from opengait_meshgait.walkers.learned_walk import walk_learned
from opengait_meshgait.walkers.options import WalkerSet
from opengait_meshgait.walkers.person import Person, WalkName
from opengait_meshgait.walkers.recorded import RecordedMotion
from opengait_meshgait.walkers.retarget import retarget
from opengait_meshgait.walkers.stride import SIDES, make_foot
from opengait_meshgait.walkers.world import WORLDS, World

_FITTED = 8  # every eighth vertex is enough to fit a weak-perspective camera
# Streams of random numbers: of a walk, beside those of its views; of a view, beside the first one.
_CURVE = 1000
_HOLD, _DAMAGE = 1, 2


@dataclass(frozen=True)
class Scene:
    """One walk in the world: x left, y up from the ground, z forward; m.

    Attributes:
        motion: bones and way.
        pose: axis-angle in the world, rad, [T, 24, 3].
        betas: [10].
        skin: the undressed body, [T, V, 3] float32; joints: [T, 24, 3].
        surface: the dressed body (the first V vertices) and what hangs from it, [T, P, 3] float32.
        faces: triangles of ``surface``, [F, 3].
        stature: m.
        rest_pelvis: the pelvis joint of the rest pose, [3]: posing turns the body about it and leaves it there.
    """

    motion: Motion
    pose: np.ndarray
    betas: np.ndarray
    skin: np.ndarray
    joints: np.ndarray
    surface: np.ndarray
    faces: np.ndarray
    stature: float
    rest_pelvis: np.ndarray


def make_scene(
    body: BodyModel,
    name: WalkName,
    frames: int,
    seed: int,
    same_body: bool = False,
    recorded: RecordedMotion | None = None,
    variety: float = 0.0,
    gait: str = PROCEDURAL,
    world: World = WORLDS["studio"],
) -> Scene:
    """Let the person walk.

    Args:
        body: the body that all people share.
        name: who walks, and which of the person's walks.
        frames: T, at 25 frames/s.
        seed: of the crowd.
        same_body: everyone has the body and the clothes of the first.
        recorded: how to walk, for at least T frames; None walks in the person's style.
        variety: of the styles, 0 … 1.
        gait: one of those of :class:`~opengait_meshgait.walkers.options.WalkerSet`.
        world: that the person walks in.
    """
    person = Person.draw(seed, name.number, same_body, variety, choose_gait(gait), world)
    rng = name.rng(seed)
    betas = torch.from_numpy(person.betas).float()
    rest = (body.v_template + torch.einsum("vcb,b->vc", body.shapedirs, betas)).numpy()
    joints = body.joints(torch.zeros(3 * NUM_JOINTS), betas).numpy()
    weights = body.weights.numpy()
    offsets = clothing_offsets(body, rest, person.wardrobe, coat=name.condition == "cl")
    dressed = rest + offsets
    left, right = (make_foot(dressed, weights, joints, side) for side in SIDES)
    feet = left, right
    burden = person.wardrobe.burden(name.condition)
    if recorded:
        motion = retarget(recorded, joints, feet, frames)
    elif person.learned:
        motion = walk_learned(person.learned.vary(rng), joints, body.parents, feet, frames, rng, burden, world.stop)
    else:
        motion = walk(person.style.vary(rng, variety), joints, feet, frames, rng, burden)
        if variety:
            motion = motion.turned(person.habits.vary(rng, variety).at(motion.phase), body.parents)
    if world.turn:
        motion = bend(motion, Curve.draw(world.turn, motion, name.rng(seed, _CURVE)), joints)

    pose = rotation_vectors(motion.local(body.parents))
    both = torch.from_numpy(np.stack([np.zeros_like(offsets), offsets])[:, None]).float()
    posed, posed_joints = body(torch.from_numpy(pose).float().flatten(1), betas, both)
    shift = (motion.pelvis - joints[0]).astype(np.float32)[:, None]
    skin, clothes = posed.numpy() + shift
    at_joints = posed_joints.numpy() + shift

    surfaces, faces = [clothes], [body.faces.numpy()]
    for accessory in make_accessories(person.wardrobe, name.condition, dressed, weights, joints):
        faces.append(accessory.faces + sum(surface.shape[1] for surface in surfaces))
        surfaces.append(_carry(accessory, motion, joints, at_joints, person.wardrobe.bag_side))
    return Scene(
        motion=motion,
        pose=pose,
        betas=person.betas,
        skin=skin,
        joints=at_joints,
        surface=np.concatenate(surfaces, 1),
        faces=np.concatenate(faces),
        stature=float(np.ptp(rest[:, 1])),
        rest_pelvis=joints[0],
    )


def film_walk(body: BodyModel, name: WalkName, options: WalkerSet) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """One walk from all views at once, in pictures as a tracker cuts them.

    Args:
        body, name: see :func:`make_scene`.
        options: from which views, and how the crowd walks.

    Returns:
        For each view pictures, uint8 [T, 180, 180], 0 or 255, and frames of 85 numbers, float32 [T, 85]: the
        weak-perspective camera (s, tx, ty) of :func:`weak_perspective`, the pose with its root in camera orientation,
        the betas.
    """
    frames, seed, world = options.length(name), options.seed, options.world
    recorded, gait = options.recorded(name), options.gait_of(name)
    scene = make_scene(body, name, frames, seed, options.same_body, recorded, options.variety, gait, world)
    faces = torch.from_numpy(scene.faces)
    rngs = {view: name.rng(seed, view + 1) for view in options.views}
    tracks = {}
    for view, rng in rngs.items():
        camera = Camera.draw(view, half_bin(view, options.views), world, (rng, name.rng(seed, view + 1, _HOLD)))
        camera = camera.outside(scene.motion.pelvis, world.nearest)
        tracks[view] = camera.follow(scene.motion.pelvis, scene.stature)
    flat = torch.cat([track.project(track.orient(scene.surface)) for track in tracks.values()])
    pictures = crop_frame(flat.mT, faces, torch.zeros(len(flat), 3))
    covered = rasterize(to_picture(flat, pictures), faces, PICTURE_SIZE, PICTURE_SIZE).numpy()
    smpls = _smpl_frames(scene, [*tracks.values()], pictures)
    filmed = {}
    for index, view in enumerate(tracks):
        part = slice(index * frames, (index + 1) * frames)
        level = world.damage.draw_level(name.rng(seed, view + 1, _DAMAGE))
        seen = degrade(covered[part], level, rngs[view], world.damage.kinds).view(np.uint8) * np.uint8(255)
        filmed[view] = seen, smpls[part]
    return filmed


def _smpl_frames(scene: Scene, tracks: Sequence[CameraTrack], pictures: CropFrame) -> np.ndarray:
    """Of all views, float32 [N, 85]."""
    pose = np.tile(scene.pose, (len(tracks), 1, 1))
    pose[:, 0] = rotation_vectors(np.concatenate([track.axes @ scene.motion.world[:, 0] for track in tracks]))
    fitted = [track.orient(scene.skin[:, ::_FITTED]) for track in tracks]
    pelvis = [track.orient(scene.joints[:, :1]) for track in tracks]
    posed = np.concatenate(fitted) - np.concatenate(pelvis) + scene.rest_pelvis
    flat = torch.cat([track.project(oriented) for track, oriented in zip(tracks, fitted)])
    cam = weak_perspective(posed, to_picture(flat, pictures).contiguous().numpy())
    betas = np.broadcast_to(scene.betas, (len(pose), len(scene.betas)))
    return np.concatenate([cam, pose.reshape(len(pose), -1), betas], 1).astype(np.float32)


def _carry(accessory: Accessory, motion: Motion, joints: np.ndarray, posed: np.ndarray, bag_side: int) -> np.ndarray:
    """Linear blend skinning of an accessory, [T, P, 3] float32."""
    hand = HANDS[bag_side]
    upright = turn("X", np.deg2rad(6) * np.sin(2 * np.pi * motion.phase))
    rotations = np.concatenate([motion.world, upright[:, None]], 1)
    origins = np.concatenate([joints, joints[[hand]]])
    places = np.concatenate([posed, posed[:, [hand]]], 1)
    shifts = places - (rotations @ origins[..., None])[..., 0]
    transforms = np.concatenate([rotations, shifts[..., None]], -1).reshape(len(rotations), HANGING + 1, 12)
    blended = (accessory.weights @ transforms).reshape(len(rotations), -1, 3, 4)
    return ((blended[..., :3] @ accessory.vertices[..., None])[..., 0] + blended[..., 3]).astype(np.float32)
