import numpy as np
import pytest

from opengait_meshgait.cli.main import main
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.walkers.gait_model import load_gait
from opengait_meshgait.walkers.recorded_people import list_people, read_people


@pytest.fixture
def write(tmp_path, clip, write_npz):
    """Write the same short walk under some names, without a subject."""
    short = {key: clip[key] for key in clip if key != "subject"}
    short |= {key: short[key][:2] for key in ("local_rot", "root")}

    def write(*names, subject=None):
        paths = [tmp_path / name for name in names]
        for path in paths:
            path.parent.mkdir(exist_ok=True, parents=True)
            write_npz(path, short if subject is None else short | {"subject": np.array(subject)})
        return paths

    return write


def who(people):
    """The stems of each person's files."""
    for name, walks in people.items():
        assert {motion.person for _, motion in walks} == {name}
        assert [path.stem for path, _ in walks] == [motion.name for _, motion in walks]
    return {name: [path.stem for path, _ in walks] for name, walks in people.items()}


def test_a_pattern_says_who_walks(write):
    files = write("walk1_subject2.npz", "walk1_subject1.npz", "run2_subject1.npz")
    assert who(read_people([files])) == {"run2": ["run2_subject1"], "walk1": ["walk1_subject1", "walk1_subject2"]}
    by_subject = {"subject1": ["run2_subject1", "walk1_subject1"], "subject2": ["walk1_subject2"]}
    assert who(read_people([files], "(subject[0-9]+)")) == by_subject
    assert who(read_people([files], r"_([^_]+)$")) == by_subject  # the ending is no part of the name


def test_a_pattern_goes_before_a_subject(write):
    files = write("walk1_a.npz", "walk1_b.npz", subject="Zoe")
    assert [*read_people([files])] == ["Zoe"]
    assert [*read_people([files], "_(.)")] == ["a", "b"]


def test_a_pattern_with_a_slash_is_looked_for_in_paths(write, monkeypatch, tmp_path):
    files = write("p1/run_1.npz", "p1/walk_1.npz", "p2/walk_1.npz")
    expected = {"p1": ["run_1", "walk_1"], "p2": ["walk_1"]}
    assert who(read_people([files], "([^/]+)/[^/]+$")) == expected
    monkeypatch.chdir(tmp_path / "p1")
    assert [*read_people([["walk_1.npz"]], "([^/]+)/[^/]+$")] == ["p1"]


def test_equal_names_in_two_collections_are_two_people(write):
    one, two = write("cmu/C10_04.npz", "cmu/C11_01.npz"), write("shum/C10_Cycle1.npz")
    with pytest.raises(UserError, match="C10 is in .*cmu and in .*shum.*give each folder a --motion of its own"):
        read_people([one + two])
    people = who(read_people([one, two]))
    assert people == {"1/C10": ["C10_04"], "1/C11": ["C11_01"], "2/C10": ["C10_Cycle1"]}
    # Who says what the person is means it, whatever the folder.
    assert who(read_people([one + two], "^([^_]+)")) == {"C10": ["C10_04", "C10_Cycle1"], "C11": ["C11_01"]}


@pytest.mark.parametrize(
    "pattern, message",
    [
        ("(subject", "missing \\)"),
        ("subject", "has 0 groups; give a regular expression with one group"),
        ("(s)(u)", "has 2 groups"),
        ("_(subject)", "finds nobody in walk_one"),
        ("walk(x?)", "finds nobody in walk_one"),
        ("(one)/", "finds nobody in /.*/walk_one"),
    ],
)
def test_patterns_that_find_nobody(write, pattern, message):
    with pytest.raises(UserError, match=f"--person .*{message}"):
        read_people([write("walk_one.npz")], pattern)


def test_the_list():
    pairs = [("a", "a_1"), ("b", "b_1"), ("a", "a_2")]
    assert list_people(pairs) == "2 people in 3 recordings:\n  a: a_1, a_2\n  b: b_1"


def test_the_commands_ask_who_walks(tmp_path, write, clip, write_npz, capsys):
    out = tmp_path / "set"
    motion = [str(path) for path in write("walk1_subject1.npz", "walk1_subject2.npz")]
    walkers = ["walkers", "--views", "90", "--workers", "1", "--train", "0", "--out", str(out)]
    assert main([*walkers, "--person", "(subject.)"]) == 1
    assert "--person says who walks in the files of --motion" in capsys.readouterr().err
    assert main([*walkers, "--motion", motion[0], "--motion", motion[1]]) == 0
    assert "  1/walk1: walk1_subject1.npz\n  2/walk1: walk1_subject2.npz\n" in capsys.readouterr().out
    for name in motion:
        write_npz(name, {key: value for key, value in clip.items() if key != "subject"})
    gait = ["gait", "learn", "--motion", *motion, "--broaden", "0", "--out", str(tmp_path / "gait.npz")]
    assert main(gait) == 1
    assert "of 1 people (walk1)" in capsys.readouterr().err
    assert main([*gait, "--person", "(subject.)"]) == 0
    assert "  subject2: walk1_subject2.npz\n" in capsys.readouterr().out
    assert load_gait(str(tmp_path / "gait.npz")).people == ["subject1", "subject2"]
