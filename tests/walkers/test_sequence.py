import numpy as np
import pytest
import torch

from opengait_meshgait.body.layout import BETAS, POSE, ROOT_TURN
from opengait_meshgait.body.raster import rasterize
from opengait_meshgait.walkers.camera import BODY_ROWS, PICTURE_SIZE
from opengait_meshgait.walkers.clothing import HATS
from opengait_meshgait.walkers.options import CASIA_B_VIEWS
from opengait_meshgait.walkers.person import Person, WalkName
from opengait_meshgait.walkers.sequence import make_scene
from opengait_meshgait.walkers.world import WORLDS

VIEWS = (0, 54, 90, 180)


@pytest.fixture(scope="module")
def walk(render_walk):
    return render_walk(WalkName(1, "nm", 1), VIEWS, 6, seed=0)


def test_bodies_lie_on_their_silhouettes(render_walk, overlap):
    """Over 20 people and all views; what is missing are clothes, hair and perspective."""
    ious = [
        overlap(*pair)
        for number in range(1, 21)
        for pair in render_walk(WalkName(number, "nm", 1), CASIA_B_VIEWS, 3, seed=0).values()
    ]
    assert np.mean(ious) >= 0.93
    assert np.min(ious) > 0.75


def test_shapes_and_kinds(walk):
    assert list(walk) == list(VIEWS)
    for silhouettes, frames in walk.values():
        assert silhouettes.dtype == np.uint8 and silhouettes.shape == (6, 64, 64)
        assert frames.dtype == np.float32 and frames.shape == (6, 85)
        assert silhouettes.max() == 255 and np.isfinite(frames).all()
        assert silhouettes[:, [0, -1]].any(2).all()  # height-normalised: the first and the last row hold some body


def test_silhouettes_are_centred_on_their_median(walk):
    for silhouettes, _ in walk.values():
        mass = silhouettes.sum(1, dtype=float)
        before = mass.cumsum(1)
        share = before[:, [31, 32]] / before[:, -1:]
        assert np.all(share[:, 0] <= 0.5) and np.all(share[:, 1] >= 0.5)


def test_all_views_see_the_same_walk(walk):
    frames = [pair[1] for pair in walk.values()]
    for other in frames[1:]:
        np.testing.assert_array_equal(other[:, 6:], frames[0][:, 6:])  # all but the camera and the root
        assert not np.allclose(other[:, ROOT_TURN], frames[0][:, ROOT_TURN])


def test_the_camera_puts_the_body_on_the_silhouette(body, walk):
    """(s, tx, ty) alone, as ROMP means them: s * xy + t is the place in a square picture from -1 to 1."""
    for silhouettes, frames in walk.values():
        numbers = torch.from_numpy(frames)
        vertices, _ = body(numbers[:, POSE], numbers[:, BETAS])
        places = numbers[:, None, :1] * vertices[..., :2] + numbers[:, None, 1:3]
        pixels = (places + 1) * PICTURE_SIZE / 2
        # From the picture to its normalised silhouette: 160 rows become 64, and the median goes to column 32.
        normalised = (pixels - torch.tensor([91.25, 10.0])) * 64 / BODY_ROWS + torch.tensor([32.5, 0.0])
        posed, seen = rasterize(normalised, body.faces, 64, 64).numpy(), silhouettes > 127
        assert np.all((seen & posed).sum((1, 2)) / (seen | posed).sum((1, 2)) > 0.88)


def test_the_root_is_in_camera_orientation(body, walk):
    for view, (_, frames) in walk.items():
        vertices, joints = body(torch.from_numpy(frames[:, POSE]), torch.from_numpy(frames[:, BETAS]))
        assert (joints[:, 15, 1] < joints[:, 7, 1]).all(), "the head is up, so its y is smaller"
        toes = (joints[:, [10, 11]] - joints[:, [7, 8]]).mean((0, 1))
        if view in (0, 180):
            assert float(toes[2]) * (1 if view == 180 else -1) > 0.05
        if view == 90:
            assert float(toes[0]) < -0.05


def test_a_single_view_is_what_it_is_among_others(render_walk, walk):
    for one, other in zip(render_walk(WalkName(1, "nm", 1), (54,), 6, seed=0)[54], walk[54]):
        np.testing.assert_array_equal(one, other)


def test_a_bag_and_a_coat_add_to_the_silhouette(body):
    for number in range(1, 9):
        plain = make_scene(body, WalkName(number, "nm", 1), 2, seed=0)
        bag = make_scene(body, WalkName(number, "bg", 1), 2, seed=0)
        coat = make_scene(body, WalkName(number, "cl", 1), 2, seed=0)
        assert bag.surface.shape[1] > plain.surface.shape[1]
        assert coat.surface.shape[1] > plain.surface.shape[1]
        width = [np.ptp(scene.surface[:, : body.num_vertices, 0]) for scene in (plain, coat)]
        assert width[1] > width[0]


def test_every_worn_mesh_is_closed(body):
    """Each directed edge has its reverse: a raster needs no more than that."""
    hatted = WORLDS["studio"].model_copy(update={"clothes": 1.0})
    for number in range(1, 12):
        for condition, world in (("bg", WORLDS["studio"]), ("cl", hatted)):
            faces = make_scene(body, WalkName(number, condition, 1), 1, seed=0, world=world).faces
            edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
            forth, back = np.unique(edges, axis=0), np.unique(edges[:, ::-1], axis=0)
            assert len(forth) == len(edges)
            np.testing.assert_array_equal(forth, back)


def test_noise_damages_silhouettes_and_leaves_bodies(render_walk, walk):
    damaged = render_walk(WalkName(1, "nm", 1), VIEWS, 6, seed=0, world=WORLDS["studio"].damaged(0.8))
    again = render_walk(WalkName(1, "nm", 1), VIEWS, 6, seed=0, world=WORLDS["studio"].damaged(0.8))
    for view in VIEWS:
        np.testing.assert_array_equal(damaged[view][1], walk[view][1])
        np.testing.assert_array_equal(damaged[view][0], again[view][0])
        assert (damaged[view][0] != walk[view][0]).any((1, 2)).all()


def test_worlds_that_differ_in_damage_show_the_same_people_and_cameras(render_walk):
    name, views = WalkName(2, "nm", 1), (0, 120, 240)
    whole, damaged = (render_walk(name, views, 6, seed=0, world=WORLDS["street"].damaged(x)) for x in (0.0, 0.6))
    for view in views:
        np.testing.assert_array_equal(whole[view][1], damaged[view][1])
        assert (whole[view][0] != damaged[view][0]).any()


def test_bodies_lie_on_their_silhouettes_in_the_street(render_walk, overlap):
    """Near cameras show perspective that no weak-perspective camera has; far ones as much as in the studio."""
    street = WORLDS["street"].damaged(0).model_copy(update={"clothes": 0.0})
    far = street.model_copy(update={"distance": WORLDS["studio"].distance})
    for world, mean, least in ((street, 0.87, 0.6), (far, 0.92, 0.75)):
        ious = [
            overlap(*pair)
            for number in range(1, 9)
            for pair in render_walk(WalkName(number, "nm", 1), (0, 90, 180, 270), 3, seed=0, world=world).values()
        ]
        assert np.mean(ious) > mean and np.min(ious) > least


def test_the_walk_of_a_world_without_turns_is_straight(body):
    straight, curved = (
        [make_scene(body, WalkName(number, "nm", 1), 30, seed=0, world=WORLDS[name]) for number in range(1, 5)]
        for name in ("studio", "street")
    )
    sideways = [[np.ptp(scene.motion.pelvis[:, 0]) for scene in scenes] for scenes in (straight, curved)]
    assert max(sideways[0]) < 0.1 < max(sideways[1])


def test_a_world_of_more_clothes_dresses_the_same_people(body):
    dressed = WORLDS["studio"].model_copy(update={"clothes": 1.0})
    trunk = body.weights[:, [0, 3, 6]].sum(1).numpy() > 0.8
    hats, taller, wider = set(), [], []
    for number in range(1, 25):
        person = Person.draw(0, number, world=dressed)
        np.testing.assert_array_equal(person.betas, Person.draw(0, number).betas)
        hats.add(person.wardrobe.hat)
        plain, more = (
            make_scene(body, WalkName(number, "nm", 1), 1, seed=0, world=w) for w in (WORLDS["studio"], dressed)
        )
        assert more.surface[..., 1].min() == pytest.approx(0, abs=0.003), "soles stand on the ground"
        taller.append(np.ptp(more.surface[..., 1]) - np.ptp(plain.surface[..., 1]))
        deep = [np.ptp(scene.surface[:, : body.num_vertices][:, trunk, 2]) for scene in (plain, more)]
        wider.append(deep[1] - deep[0])
    assert hats == set(HATS)
    assert min(taller) > -0.005 and 0.05 < max(taller) < 0.25
    assert min(wider) > -0.005 and np.mean(wider) > 0.01


def test_a_world_of_more_bodies_spreads_their_shapes():
    wide = WORLDS["studio"].model_copy(update={"bodies": 1.3})
    np.testing.assert_allclose(Person.draw(0, 5, world=wide).betas, 1.3 * Person.draw(0, 5).betas)
    assert Person.draw(0, 5, world=wide).wardrobe == Person.draw(0, 5).wardrobe


def test_variety_changes_the_walk_and_not_the_person(body):
    name = WalkName(3, "cl", 1)
    strict, loose = (make_scene(body, name, 25, seed=0, variety=variety) for variety in (0.0, 1.0))
    np.testing.assert_array_equal(loose.betas, strict.betas)
    np.testing.assert_array_equal(loose.faces, strict.faces)
    assert Person.draw(0, 3).wardrobe == Person.draw(0, 3, variety=1.0).wardrobe

    def uneven(scene):
        """How far the middle of the shoulders is from that of the hips to the side, m, mean of the stride."""
        return abs(scene.joints[:, [16, 17], 0].mean() - scene.joints[:, [1, 2], 0].mean())

    def crowd(variety):
        return [uneven(make_scene(body, WalkName(number, "nm", 1), 25, 0, variety=variety)) for number in range(1, 9)]

    assert np.mean(crowd(0.0)) < 0.005 < 0.01 < np.mean(crowd(1.0))


def test_a_seed_and_a_number_fix_a_person(body):
    one, same, other, crowd = Person.draw(0, 7), Person.draw(0, 7), Person.draw(0, 8), Person.draw(1, 7)
    np.testing.assert_array_equal(one.betas, same.betas)
    assert one.wardrobe == same.wardrobe and one.style.speed == same.style.speed
    for stranger in (other, crowd):
        assert not np.allclose(one.betas, stranger.betas) and one.wardrobe != stranger.wardrobe


def test_walks_of_a_person_differ_and_share_the_body(body):
    walks = [make_scene(body, WalkName(3, "nm", take), 3, seed=0) for take in (1, 2)]
    np.testing.assert_array_equal(walks[0].betas, walks[1].betas)
    assert not np.allclose(walks[0].pose, walks[1].pose)
    streams = [WalkName(3, c, t).rng(0, *p).random() for c in ("nm", "bg") for t in (1, 2) for p in ((), (1,), (2,))]
    assert len({*streams, np.random.default_rng([0, 3]).random()}) == 13
