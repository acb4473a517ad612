import pytest

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.walkers import WalkerSet, choose_walkers, parse_seqs, parse_views
from opengait_meshgait.walkers.options import make_partition
from opengait_meshgait.walkers.person import WalkName
from opengait_meshgait.walkers.world import WORLDS


@pytest.mark.parametrize(
    ("text", "views"),
    [
        ("90", (90,)),
        ("0, 90,180", (0, 90, 180)),
        ("0:180:18", tuple(range(0, 181, 18))),
        ("0:100:30", (0, 30, 60, 90)),
        ("0,18,…,180", tuple(range(0, 181, 18))),
        ("0,18,...,180", tuple(range(0, 181, 18))),
        ("5,0,30,…,90,270", (5, 0, 30, 60, 90, 270)),
        ("0:90:45,180", (0, 45, 90, 180)),
    ],
)
def test_views_can_be_typed_in_three_ways(text, views):
    assert parse_views(text) == views


@pytest.mark.parametrize("text", ["", "a", "0,,90", "0:180", "0:180:0", "…,180", "0,…,180", "0,18,…", "1.5", "0:1:2:3"])
def test_unreadable_views(text):
    with pytest.raises(UserError, match="Cannot read views.*0:180:18"):
        parse_views(text)


def test_seqs_can_be_typed():
    assert parse_seqs("nm:4, bg:2,cl:2") == {"nm": 4, "bg": 2, "cl": 2}


@pytest.mark.parametrize("text", ["", "nm", "nm:x", "nm:4;bg:2", "nm:-1", "nm:4,nm:2"])
def test_unreadable_seqs(text):
    with pytest.raises(UserError, match="Cannot read seqs.*nm:4,bg:2,cl:2"):
        parse_seqs(text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ids": 0}, "ids is 0: make 1 to 9999"),
        ({"ids": 10000}, "ids is 10000"),
        ({"views": ()}, "views is empty"),
        ({"views": (0, 360)}, "views has 360: .* 0 to 359"),
        ({"views": (-18,)}, "views has -18"),
        ({"views": (0, 90, 90)}, "90 more than once"),
        ({"seqs": {}}, "seqs is empty"),
        ({"seqs": {"nn": 2}}, "unknown condition 'nn'. Known: bg, cl, nm"),
        ({"seqs": {"nm": 0}}, "0 walks of nm: make 1 to 99"),
        ({"frames": 0}, "frames is 0"),
        ({"frames": 10**11}, "frames is 100000000000: a sequence has at most 100,000"),
        ({"seed": -1}, "seed is -1"),
        ({"variety": 1.5}, "variety is 1.5"),
        ({"variety": float("nan")}, "variety is nan"),
        ({"variety": 1.0, "gait": "cmu"}, "variety is the procedural gait's"),
        ({"gait": "procedural,cmo"}, "Unknown gait 'cmo'. Did you mean 'cmu'"),
        ({"gait": "cmu,"}, "Unknown gait ''"),
        ({"ids": 5, "train": 6}, "train is 6 and val is 0, of 5 people"),
        ({"ids": 5, "val": 6}, "val is 6"),
        ({"ids": 5, "train": -1}, "train is -1"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(UserError, match=message):
        WalkerSet(**options)


def test_people_take_turns_with_several_gaits():
    options = WalkerSet(gait="procedural, cmu", variety=1.0)
    assert [options.gait_of(WalkName(number, "nm", 1)) for number in (1, 2, 3)] == ["procedural", "cmu", "procedural"]
    first, second = options.describe()["gait"]
    assert first == "procedural" and second["name"] == "cmu" and len(second["people"]) == 14


def test_walks_come_person_by_person():
    walks = WalkerSet(ids=2, seqs={"nm": 2, "cl": 1}).walks()
    assert [f"{walk.label}/{walk.type}" for walk in walks] == [
        "0001/nm-01", "0001/nm-02", "0001/cl-01", "0002/nm-01", "0002/nm-02", "0002/cl-01",
    ]  # fmt: skip
    assert WalkName(2, "nm", 1) in walks


def test_two_thirds_train():
    partition = make_partition(WalkerSet(ids=6, views=(0, 90), seqs={"nm": 3, "bg": 1}))
    assert partition["TRAIN_SET"] == ["0001", "0002", "0003", "0004"]
    assert partition["TEST_SET"] == ["0005", "0006"]
    assert "VAL_SET" not in partition


def test_people_are_in_one_split_only():
    partition = make_partition(WalkerSet(ids=9, train=4, val=2))
    splits = [partition[key] for key in ("TRAIN_SET", "VAL_SET", "TEST_SET")]
    assert [len(split) for split in splits] == [4, 2, 3]
    assert sorted(sum(splits, [])) == [f"{number:04d}" for number in range(1, 10)]


@pytest.mark.parametrize("seqs", [{"nm": 4, "bg": 2, "cl": 2}, {"nm": 1, "bg": 1}, {"nm": 2}, {"nm": 1}])
def test_every_probe_has_a_gallery_from_other_views(seqs):
    options = WalkerSet(ids=6, views=(0, 54, 90), seqs=seqs)
    partition = make_partition(options)
    everything = {
        (walk.label, walk.type, f"{view:03d}")
        for walk in options.walks()
        if walk.label in partition["TEST_SET"]
        for view in options.views
    }
    probes = {tuple(name.rsplit("-", 1)[0].split("-", 1)) + (name[-3:],) for name in partition["PROBE_SET"]}
    assert probes and probes < everything
    for label, _, view in probes:
        assert any(other[0] == label and other[2] != view for other in everything - probes)


def test_a_single_sequence_a_person_leaves_no_probes():
    assert make_partition(WalkerSet(ids=3, views=(90,), seqs={"nm": 1}))["PROBE_SET"] == []


@pytest.mark.parametrize("noise", [1.5, -0.1, float("nan")])
def test_bad_noise(noise):
    with pytest.raises(UserError, match=f"noise is {noise}: give a level from 0"):
        choose_walkers(noise=noise)


def test_noise_is_short_for_damage_in_the_world():
    assert choose_walkers(noise=0.3).world == WORLDS["studio"].damaged(0.3)
    assert choose_walkers(world="street", noise=0.3).describe()["world"]["damage"]["level"] == [0.3, 0.3]
    assert choose_walkers(world="street", noise=0.0).world.damage.probability == 0
    assert choose_walkers(world="street").world == WORLDS["street"]
