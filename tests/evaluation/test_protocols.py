"""Protocols as data: those that are shipped, one's own, and what is wrong with one."""

import numpy as np
import pytest
import torch
import yaml

from opengait_meshgait.common.configs import compose
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.engine.schema import EVAL_FUNCTIONS
from opengait_meshgait.evaluation import PROTOCOLS, evaluate_recognition, find_protocol, split_gallery


@pytest.fixture
def own(tmp_path):
    """A function that writes a protocol to a file of one's own and reads it."""

    def read(**content):
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(content))
        return find_protocol(str(path))

    return read


def chosen(types, protocol, views=("000", "090")):
    """Types of gallery and probes by group, of one person who walks all types in all views."""
    rows = [("1", kind, view) for kind in types for view in views]
    labels, kinds, seen = zip(*rows)
    groups = split_gallery(labels, kinds, seen, protocol).groups
    return {name: tuple(sorted({kinds[i] for i in side}) for side in each) for name, each in groups.items()}


def test_types_of_casia_e():
    scenes = ("scene1", "scene2", "scene3_s")
    types = [f"{h}-{scene}-{kind}-1" for h in "HL" for scene in scenes for kind in ("nm", "cl")]
    found = chosen(types, PROTOCOLS["CASIA-E"], ("000", "090", "270"))
    gallery = ["H-scene1-nm-1", "L-scene1-nm-1"]
    assert found == {
        "NM": (gallery, [f"{h}-{scene}-nm-1" for h in "HL" for scene in ("scene2", "scene3_s")]),
        "CL": (gallery, [f"{h}-{scene}-cl-1" for h in "HL" for scene in ("scene2", "scene3_s")]),
    }
    rows = [("1", kind, view) for kind in types for view in ("000", "090", "270")]
    split = split_gallery(*zip(*rows), PROTOCOLS["CASIA-E"])
    used = np.concatenate([np.concatenate(each) for each in split.groups.values()])
    assert {rows[i][2] for i in used} == {"000", "090"}


def test_attributes_of_sustech1k():
    found = chosen(["00-nm", "01-nm", "02-bg-ub"], PROTOCOLS["SUSTech1K"])
    assert found == {
        "Normal": (["00-nm"], ["01-nm"]),
        "Bag": (["00-nm"], ["02-bg-ub"]),
        "Umbrella": (["00-nm"], ["02-bg-ub"]),
        "Overall": (["00-nm"], ["01-nm", "02-bg-ub"]),
    }


def test_each_group_of_ccpg_has_a_gallery_of_its_own():
    types = ["U0_D0", "U0_D0_BG", "U1_D1", "U0_D3", "U3_D3", "U1_D0"]
    found = chosen(types, PROTOCOLS["CCPG"], ("1_a", "2_a"))
    assert found["CL"] == (["U1_D1", "U3_D3"], ["U0_D0", "U0_D0_BG"])
    assert found["UP"] == (["U0_D3"], ["U3_D3"])
    assert found["DN"] == (["U1_D1"], ["U1_D0"])
    assert found["BG"] == (["U0_D0"], ["U0_D0_BG"])
    with pytest.raises(UserError, match="have the view 1, and identical views are not compared"):
        chosen(types, PROTOCOLS["CCPG"], ("1_a", "1_b"))


def test_ones_own_protocol(own):
    protocol = own(gallery=["day-*"], probes={"night": ["night-*"], "rain": ["*-rain"]})
    assert protocol.name == "mine"
    found = chosen(["day-1", "night-1", "night-rain", "day-rain"], protocol)
    # What is gallery is no probe.
    assert found == {
        "night": (["day-1", "day-rain"], ["night-1", "night-rain"]),
        "rain": (["day-1", "day-rain"], ["night-rain"]),
    }
    found = chosen(["a", "b"], own(gallery=["a"], probes=["b"]))
    assert found == {"all": (["a"], ["b"])}


def test_ones_own_figures(own):
    # Two people on a line. The probe of B is nearer to A's, and its own comes second.
    labels, types, views = ["A", "B", "A", "B"], ["g", "g", "p", "p"], ["0", "0", "1", "1"]
    embeddings = torch.tensor([0.0, 10, 1, 4]).reshape(4, 1, 1)
    case = (embeddings, labels, types, views)
    result = evaluate_recognition(*case, own(gallery=["g"], probes={"P": ["p"]}, figures=["retrieval"], ranks=[1, 2]))
    assert result.metrics == {"P@Rank-1": 50.0, "P@Rank-2": 100.0, "P@mAP": 75.0, "P@mINP": 75.0}
    assert (result.rank1, result.views, result.tables) == (50.0, (), {})
    result = evaluate_recognition(*case, own(gallery=["g"], probes=["p"], ranks=[1]))
    assert result.metrics == {"all@R1": 50.0, "all@mAP": 75.0, "all@mINP": 75.0}
    result = evaluate_recognition(*case, own(gallery=["g"], probes=["p"], figures=["retrieval"], ranks=[1]))
    assert result.metrics == {"Rank-1": 50.0, "mAP": 75.0, "mINP": 75.0}


def test_other_views_of_the_same_person(own):
    # A's probe is nearest to A's own sequence of the same view, which does not count; then come B's, and A's other.
    labels, types, views = ["A", "A", "B", "A", "B"], ["g", "g", "g", "p", "p"], ["0", "1", "0", "0", "0"]
    embeddings = torch.tensor([0.0, 9, 2, 1, 2]).reshape(5, 1, 1)
    options = {"gallery": ["g"], "probes": ["p"], "figures": ["retrieval"], "ranks": [1]}
    result = evaluate_recognition(embeddings, labels, types, views, own(**options, other_views=True))
    assert result.metrics == {"Rank-1": 0.0, "mAP": 50.0, "mINP": 50.0}
    assert "1 of 2 probes left out: their identity is not in the gallery in another view." in result.notes
    result = evaluate_recognition(embeddings, labels, types, views, own(**options))
    assert result.metrics["Rank-1"] == 100.0


@pytest.mark.parametrize(
    "content, message",
    [
        ({"gallery": ["a"]}, "probes: missing; name the sequence types"),
        ({"probes": ["a"]}, "gallery: missing"),
        ({}, "gallery: missing"),
        ({"galery": ["a"], "probes": ["b"]}, "galery: unknown key. Did you mean 'gallery'"),
        ({"gallery": ["a"], "probes": {}}, "probes: found {}"),
        ({"gallery": [], "probes": ["b"]}, r"gallery: found \[\]"),
        ({"gallery": [1], "probes": ["b"]}, r"gallery"),
        ({"gallery": ["a"], "probes": {"X": "b"}}, "expected a list"),
        ({"gallery": {"Y": ["a"]}, "probes": {"X": ["b"]}}, "gallery: found groups Y; expected X"),
        ({"gallery": "A_SET", "probes": ["b"]}, "one is a key of the partition; leave the other out"),
        ({"gallery": ["a"], "probes": ["b"], "ranks": [5]}, r"ranks: found \[5\]; expected 1 among them"),
        ({"gallery": ["a"], "probes": ["b"], "figures": ["cross view"]}, "expected 'cross-view' or 'retrieval'"),
    ],
)
def test_mistakes(own, content, message):
    with pytest.raises(UserError, match=message):
        own(**content)


def test_no_such_file(tmp_path):
    with pytest.raises(UserError, match="Cannot read .*absent.yaml"):
        find_protocol(str(tmp_path / "absent.yaml"))
    (tmp_path / "list.yaml").write_text("- a\n")
    with pytest.raises(UserError, match="is no protocol: expected keys such as gallery and probes"):
        find_protocol(str(tmp_path / "list.yaml"))


def test_one_identity_is_said_whatever_the_protocol(own):
    for protocol in (PROTOCOLS["Walkers"], own(gallery=["nm-01"], probes=["nm-02"], figures=["retrieval"])):
        case = (["7"] * 4, ["nm-01", "nm-01", "nm-02", "nm-02"], ["0", "1"] * 2)
        assert split_gallery(*case, protocol).notes[-1].startswith("The gallery holds one identity only (7): ")
        more = (["7"] * 4 + ["8"], ["nm-01", "nm-01", "nm-02", "nm-02", "nm-01"], ["0", "1"] * 2 + ["0"])
        assert not any("one identity" in note for note in split_gallery(*more, protocol).notes)


def test_no_submission_without_probes_or_gallery_enough():
    labels, types, views = [f"{i // 2}" for i in range(8)], ["01", "02"] * 4, ["x"] * 8
    result = evaluate_recognition(torch.arange(8.0).reshape(8, 1, 1), labels, types, views, PROTOCOLS["GREW"])
    assert result.submission is None
    assert result.notes[-1].startswith("No submission file: the test set has 0 sequences of type 03 to be named, and 8")


def test_every_shipped_config_has_a_protocol():
    for name in ("casiab", "casiae", "ccpg", "fvg", "gait3d", "grew", "oumvlp", "sustech1k", "walkers"):
        found = compose(name)
        function = found["evaluator_cfg"]["eval_func"]
        assert (EVAL_FUNCTIONS[function] or found["data_cfg"]["test_dataset_name"]) in PROTOCOLS, name


@pytest.mark.parametrize("name", ["CASIA-B", "Gait3D", "CASIA-E"])
@pytest.mark.parametrize("shorter", range(3))
def test_columns_of_unequal_length_are_refused(name, shorter):
    columns = [["1", "1", "2"], ["nm-01", "nm-05", "nm-01"], ["000", "090", "000"]]
    columns[shorter].pop()
    with pytest.raises(ValueError, match="expected as many types and views as labels, got"):
        split_gallery(*columns, PROTOCOLS[name])
