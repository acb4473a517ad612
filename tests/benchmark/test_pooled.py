"""Runs of several folds as one."""

import numpy as np
import pytest

from opengait_meshgait.benchmark.accuracy_tables import Contestant, differences
from opengait_meshgait.benchmark.pooled import body_view_table, fold_table, pool_runs

VIEWS = ["000", "090", "180"]


def run(people, seed, mpjpe=50.0, sequences=10, **more):
    """A run of some people, each a probe in all views, recognised at random."""
    rng = np.random.default_rng(seed)
    probes = {
        f"{person}/nm-02/{view}": "".join("-" if view == other else str(rng.integers(2)) for other in VIEWS)
        for person in people
        for view in VIEWS
    }
    precisions = {name: rng.random(len(probes)).round(4).tolist() for name in ("ap", "inp")}
    about = {"seed": 0, "matched": "lda", "iterations": 9, "sequences_per_iteration": 4, "seconds_per_iteration": 0.5}
    bodies = {"mpjpe_root_mm": mpjpe}
    return about | {
        "views": VIEWS,
        "probes": {"NM": probes},
        "precisions": {"NM": precisions},
        "metrics": {"NM@R1": 40.0},
        "bodies": bodies,
        "bodies_by_view": dict.fromkeys(VIEWS, bodies),
        "iou": 0.8,
        "iou_by_view": None,
        "sequences": sequences,
        "notes": ["BG left out."],
        "commit": "a",
        **more,
    }


def by_person(run):
    """Each person's mean over probes of the shares of gallery views, and of the AP and INP."""
    found = {}
    for (place, text), ap, inp in zip(
        run["probes"]["NM"].items(), *(run["precisions"]["NM"][name] for name in ("ap", "inp"))
    ):
        found.setdefault(place.split("/")[0], []).append((text.count("1") / 2, ap, inp))
    return {person: np.mean(values, axis=0) for person, values in found.items()}


def test_every_person_counts_alike():
    # With as many probes of each view, whatever the sizes of the folds.
    runs = [run("ABCDE", 1), run("FG", 2)]
    pooled = pool_runs(runs)
    expected = 100 * np.mean([*(by_person(runs[0]) | by_person(runs[1])).values()], axis=0)
    assert pooled["metrics"] == pytest.approx(dict(zip(("NM@R1", "NM@mAP", "NM@mINP"), expected)))
    assert pooled["rank1"] == pooled["metrics"]["NM@R1"]
    table = np.array(pooled["tables"]["NM@R1"], dtype=float)
    assert np.isnan(table.diagonal()).all()
    assert np.nanmean(table) == pytest.approx(pooled["rank1"])
    hits = [
        run["probes"]["NM"][f"{person}/nm-02/000"][1] for run, people in zip(runs, ("ABCDE", "FG")) for person in people
    ]
    assert table[0, 1] == pytest.approx(100 * np.mean([*map(int, hits)]))
    assert pooled["notes"] == ["BG left out."]


def test_curves_of_folds():
    """As if all probes had been in one fold; the smaller gallery has nobody behind its last one."""
    large, small = run("ABC", 1), run("D", 2)
    large["cmc"], small["cmc"] = {"NM": [[0.0, 30, 90], None, [60.0, 60, 60]]}, {"NM": [[40.0, 70], [20.0, 40], None]}
    rows = pool_runs([large, small])["cmc"]["NM"]
    assert rows == [pytest.approx([10, 40, 85]), pytest.approx([20, 40, 40]), pytest.approx([60, 60, 60])]
    assert pool_runs([large, run("E", 3)])["cmc"] is None


def test_errors_are_weighed_by_sequences():
    pooled = pool_runs([run("AB", 1, mpjpe=40.0, sequences=30), run("CD", 2, mpjpe=80.0, iou=0.6)])
    assert pooled["bodies"] == {"mpjpe_root_mm": 50.0}
    assert pooled["bodies_by_view"]["090"] == {"mpjpe_root_mm": 50.0}
    assert pooled["iou"] == pytest.approx(0.75)
    assert pooled["iou_by_view"] is None
    assert pool_runs([run("AB", 1), run("CD", 2, bodies=None)])["bodies"] is None


def test_differences_are_those_of_the_pooled_figures_over_all_people():
    pooled = [pool_runs([run("ABC", seed), run("DE", seed + 1)]) for seed in (0, 10)]
    one, other = (Contestant(name, 1, 1.0, {0: each}) for name, each in zip(("one", "other"), pooled))
    for measure, figure in (("Rank-1", "R1"), ("mAP", "mAP")):
        (found,) = differences([one, other], measure)["other", "one"].values()
        values = [each["metrics"][f"NM@{figure}"] for each in pooled]
        assert found.difference == pytest.approx(values[1] - values[0])
        assert found.people == 5


def test_who_is_in_two_folds_counts_as_one_person():
    pooled = pool_runs([run("ABC", 0), run("CD", 1)])
    assert len(pooled["probes"]["NM"]) == 15
    one, other = (Contestant(name, 1, 1.0, {0: pooled}) for name in ("one", "other"))
    assert differences([one, other])["other", "one"]["NM"].people == 4


def test_one_fold_stays_as_it_is():
    only = run("AB", 0)
    assert pool_runs([only]) is only


def test_other_views_are_refused():
    with pytest.raises(ValueError, match="same views and conditions"):
        pool_runs([run("AB", 0), run("CD", 1, views=VIEWS[:2])])


def test_tables():
    first = [
        Contestant("sils", 1, 1.0, {0: run("AB", 0, bodies=None, bodies_by_view=None)}),
        Contestant("mesh", 1, 1.0),
    ]
    second = [Contestant("sils", 1, 1.0), Contestant("mesh", 1, 1.0, {0: run("AB", 1), 1: run("AB", 1, mpjpe=60.0)})]
    assert fold_table({"fold-1": first, "fold-2": second}) == [
        ["by fold", "fold-1", "fold-2"],
        ["sils, Rank-1 NM", "40.0 %", "–"],
        ["mesh, Rank-1 NM", "–", "40.0 ± 0.0 %"],
        ["mesh, MPJPE", "–", "55 ± 7 mm"],
    ]
    assert fold_table({"fold-1": [Contestant("waiting", 1, 1.0)]}) == []
    assert body_view_table(second) == [["bodies by view", "000°", "090°", "180°"], ["mesh, MPJPE", *["55 ± 7 mm"] * 3]]
    assert body_view_table(first) == []
