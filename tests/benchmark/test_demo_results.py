"""The table and the verdict say what the numbers say."""

import json

from opengait_meshgait.benchmark.demo_results import RunResult, demo_table, results_json, verdict
from opengait_meshgait.common.tables import markdown


def run(name, nm, **more):
    rank1 = {"NM": nm, "CL": nm - 20}
    return RunResult(name, 270_000, 1.5, 30, 100, 0.5, rank1, **more)


BASELINE = run("silhouette-only", 60.0)
OURS = run("Mesh-Gait", 64.0, mpjpe_mm=51.2, mpvpe_mm=60.9, marker_error_mm={"first": 300.0, "last": 62.0})


def test_table_has_a_row_a_run_and_dashes_for_what_does_not_exist():
    rows = demo_table([BASELINE, OURS])
    assert rows[1] == ["silhouette-only", "60.0 %", "40.0 %", "50.0 %", "–", "–", "0.27 M", "1.50", "0.50"]
    assert rows[2][4:6] == ["51 mm", "61 mm"]
    assert len(markdown(rows).splitlines()) == 4
    assert {line.count("|") for line in markdown(rows).splitlines()} == {len(rows[0]) + 1}


def test_verdict_names_who_is_ahead_whoever_it_is():
    assert verdict(BASELINE, OURS, 30).startswith("Mesh-Gait is ahead by 4.0 points: mean Rank-1 54.0 % against 50.0 %")
    assert verdict(run("silhouette-only", 70.0), OURS, 30).startswith("silhouette-only is ahead by 6.0 points")
    assert "is level" in verdict(BASELINE, run("Mesh-Gait", 60.0), people=30)


def test_verdict_calls_a_difference_large_only_against_the_spread():
    assert "That is not more than two standard errors (25.8 points)" in verdict(BASELINE, OURS, people=30)
    assert "That is more than two" in verdict(BASELINE, OURS, people=30_000)


def test_results_json_is_json():
    content = json.loads(json.dumps(results_json([BASELINE, OURS], "x", {"seed": 0})))
    assert content["schema"] == 1
    assert [r["name"] for r in content["runs"]] == ["silhouette-only", "Mesh-Gait"]
    assert content["runs"][0]["mpjpe_mm"] is None
