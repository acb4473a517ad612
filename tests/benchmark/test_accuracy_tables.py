"""Tables, notes and picture of the accuracy benchmark."""

import numpy as np
import pytest

from opengait_meshgait.benchmark.accuracy_figure import accuracy_figure
from opengait_meshgait.benchmark.accuracy_tables import (
    Contestant,
    accuracy_table,
    difference_table,
    differences,
    notes,
    pairs,
    rank1_in,
    view_columns,
    view_table,
)

VIEWS = ["000", "090", "180"]


def indoor(rate, seed, **more):
    """A run on ten people and one condition, recognised at a rate from view to view."""
    rng = np.random.default_rng(seed)
    probes, hits = {}, {}
    for number, view in enumerate(VIEWS):
        for label in range(10):
            row = rng.random(3) < rate
            text = "".join("-" if other == number else str(int(hit)) for other, hit in enumerate(row))
            probes[f"{label:04d}/nm-02/{view}"] = text
            hits.setdefault(view, []).append(row)
    table = [(100 * np.mean(hits[view], axis=0)).tolist() for view in VIEWS]
    rank1 = float(np.mean([[v for other, v in enumerate(row) if other != number] for number, row in enumerate(table)]))
    found = {"metrics": {"NM@R1": rank1, "NM@R5": 99.0}, "rank1": rank1, "views": VIEWS, "tables": {"NM@R1": table}}
    return run(probes={"NM": probes}, **found, **more)


def wild(hits, **more):
    """A run of Gait3D's protocol; the same name of a sequence comes again with every person."""
    probes = {"all": {f"{label}/camid0/seq{label % 2}": str(hit) for label, hit in enumerate(hits)}}
    rank1 = 100 * sum(hits) / len(hits)
    metrics = {"Rank-1": rank1, "Rank-5": 80.0, "Rank-10": 90.0, "mAP": 40.0, "mINP": 30.0}
    return run(probes=probes, metrics=metrics, rank1=rank1, views=[], tables={}, **more)


def run(**found):
    about = {"seconds_per_iteration": 0.5, "iterations": 100, "sequences_per_iteration": 32, "commit": "a", "notes": []}
    return {"bodies": None, **about, **found}


@pytest.fixture
def contestants():
    """A good one and a bad one, with three seeds each."""
    good = {seed: indoor(0.9, seed, bodies={"mpjpe_root_mm": 40.0 + seed}) for seed in range(3)}
    bad = {seed: indoor(0.4, 10 + seed) for seed in range(3)}
    return [Contestant("bad", 2_000_000, 1.0, bad), Contestant("good", 3_000_000, 2.0, good)]


def test_overlap_of_meshes(contestants):
    for number, run in enumerate(contestants[1].runs.values()):
        run |= {"iou": 0.8 + 0.01 * number, "iou_low_percent": 5.0}
    header, bad, good = accuracy_table(contestants)
    assert header[3:5] == ["IoU", "IoU < 0.70"]
    assert bad[3:5] == ["–", "–"] and good[3:5] == ["0.81 ± 0.01", "5.0 ± 0.0 %"]
    assert "IoU" not in accuracy_table(contestants, brief=True)[0]


def test_means_and_spreads(contestants):
    header, bad, good = accuracy_table(contestants)
    assert header == ["", "Rank-1 NM", "MPJPE", "parameters", "GFLOPs", "s / iteration"]
    values = [run["rank1"] for run in contestants[1].runs.values()]
    assert good == [
        "good",
        f"{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f} %",
        "41 ± 1 mm",
        "3.00 M",
        "2.00",
    ] + ["0.50 ± 0.00"]
    assert bad[2] == "–"


def test_one_seed_has_no_spread(contestants):
    del contestants[0].runs[1], contestants[0].runs[2]
    assert "±" not in accuracy_table(contestants)[1][1]
    assert differences(contestants)["good", "bad"]["NM"].seeds == 1


def test_who_has_no_run_yet_is_left_out(contestants):
    contestants.append(Contestant("waiting", 1, 1.0))
    assert [row[0] for row in accuracy_table(contestants)] == ["", "bad", "good"]
    assert [*differences(contestants)] == [("good", "bad")]
    contestants[0].runs.clear()
    assert [row[0] for row in accuracy_table(contestants)] == ["", "good"]
    assert differences(contestants) == {}
    assert notes(contestants, 30)


def test_everybody_is_compared_with_the_own_baseline_or_the_first():
    mesh, plain, other, lonely = (Contestant(name, 1, 1.0) for name in ("mesh", "plain", "other", "lonely"))
    mesh.baseline, other.baseline = "plain", "other plain"
    found = [(one.name, against.name) for one, against in pairs([mesh, plain, other, lonely])]
    assert found == [("mesh", "plain"), ("other", "mesh"), ("lonely", "mesh")]
    assert pairs([plain]) == []


def test_differences_are_those_of_the_table(contestants):
    found = differences(contestants)["good", "bad"]["NM"]
    means = [np.mean([run["rank1"] for run in one.runs.values()]) for one in contestants]
    assert found.difference == pytest.approx(means[1] - means[0])
    assert (found.seeds, found.people, found.verdict) == (3, 10, "larger")
    header, row = difference_table({("good", "bad"): {"NM": found}})
    assert header[:2] == ["Rank-1", "against"]
    assert row[3:] == [f"{found.difference:+.1f}", f"{found.low:+.1f} … {found.high:+.1f}", "larger"]


def test_differences_of_map(contestants):
    assert differences(contestants, "mAP") == {}
    rng = np.random.default_rng(0)
    for one in contestants:
        for run in one.runs.values():
            run["precisions"] = {"NM": {"ap": (rng.random(30) * (1 if one.name == "good" else 0.5)).tolist()}}
    aps = [np.array([run["precisions"]["NM"]["ap"] for run in one.runs.values()]) for one in contestants]
    found = differences(contestants, "mAP")["good", "bad"]["NM"]
    assert found.difference == pytest.approx(100 * (aps[1].mean() - aps[0].mean()))
    assert (found.seeds, found.people) == (3, 10)
    assert difference_table({("good", "bad"): {"NM": found}}, "mAP")[0][0] == "mAP"
    # Earlier runs have none, and are left out.
    del contestants[0].runs[1]["precisions"]
    assert differences(contestants, "mAP")["good", "bad"]["NM"].seeds == 2


def test_probes_that_are_not_compared_do_not_count(contestants):
    before = differences(contestants)
    for one in contestants:
        for run in one.runs.values():
            run["probes"]["NM"]["0001/nm-03/000"] = "---"
            run["probes"]["BG"] = {"0001/bg-01/000": "---"}
    assert differences(contestants) == before


def test_other_probes_are_refused(contestants):
    contestants[1].runs[2]["probes"]["NM"].pop("0003/nm-02/000")
    with pytest.raises(ValueError, match="same probes"):
        differences(contestants)


def test_columns_by_difference_of_views():
    what, columns = view_columns({"views": ["000", "090", "270", "300"]})
    assert what == "difference of views"
    assert {name: int(mask.sum()) for name, mask in columns.items()} == {
        "30°": 2,
        "60°": 2,
        "90°": 4,
        "150°": 2,
        "180°": 2,
    }
    assert columns["60°"][0, 3]


def test_columns_by_view_where_views_are_no_angles():
    what, columns = view_columns({"views": ["front", "side"]})
    assert what == "probe view"
    assert {name: mask.tolist() for name, mask in columns.items()} == {
        "front": [[False, True], [False, False]],
        "side": [[False, False], [True, False]],
    }


def test_view_table(contestants):
    header, bad, good = view_table(contestants)
    assert header == ["Rank-1 (%) by difference of views", "90°", "180°"]
    assert (bad[0], good[0]) == ("bad, NM", "good, NM")
    run = contestants[0].runs[0]
    run["tables"]["NM@R1"][0][2] = run["tables"]["NM@R1"][2][0] = None
    assert rank1_in(run, "NM", view_columns(run)[1]["180°"]) is None
    run["tables"]["NM@R1"][2][0] = 30.0
    assert rank1_in(run, "NM", view_columns(run)[1]["180°"]) == 30.0


def test_in_the_wild():
    first = {seed: wild([1, 0, 1, 0, 1, 0]) for seed in range(2)}
    second = {0: wild([1, 1, 1, 0, 1, 1]), 1: wild([1, 1, 1, 1, 1, 0])}
    pair = [Contestant("first", 10, 1.0, first), Contestant("second", 10, 1.0, second)]
    assert accuracy_table(pair)[0][1:5] == ["Rank-1", "Rank-5", "mAP", "mINP"]
    assert view_table(pair) == []
    (found,) = differences(pair)["second", "first"].values()
    # Sequences count alike, whatever they are called.
    assert found.difference == pytest.approx(100 * 2 / 6)
    assert len(accuracy_figure(pair).axes) == 2


def test_notes(contestants):
    contestants[0].runs[0]["notes"] = ["BG left out."]
    lines = notes(contestants, 30)
    assert any("30 frames" in line for line in lines)
    assert "Costs differ: times the GFLOPs of bad, good 2.0." in lines
    assert "BG left out." in lines
    assert not any("Training budgets" in line or "commits" in line for line in lines)
    for run in contestants[1].runs.values():
        run["iterations"], run["commit"] = 200, None
    lines = notes(contestants, 30)
    assert "Training budgets differ (iterations × sequences in each): bad 100 × 32, good 200 × 32." in lines
    assert "The runs were made by different commits of this package: a, unknown." in lines
    del contestants[0].runs[1]
    assert any("two seeds" in line for line in notes(contestants, 30))
    assert not any("Differences" in line for line in notes(contestants[:1], 30))


def test_picture_has_a_panel_for_conditions_for_cost_and_for_views(contestants):
    figure = accuracy_figure([*contestants, Contestant("waiting", 1, 1.0)])
    assert [ax.get_title() for ax in figure.axes] == [
        *("recognition", "recognition by cost", "Rank-1 (%) by difference of views, all conditions"),
    ]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["bad", "good"]
