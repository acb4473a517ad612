"""The table of evaluation: figures, comparison, exit codes."""

import json
import os

import pytest
import torch

from opengait_meshgait.benchmark.evaluation import evaluation_table, figure_differences
from opengait_meshgait.benchmark.evaluation_workload import CROSS_VIEW, GAIT3D, EvaluationCase, evaluation_workload
from opengait_meshgait.benchmark.interleaved import Measured, Measurement
from opengait_meshgait.cli.main import main

SMALL = ["--probes", "50", "--gallery", "150", "--shape", "16", "4", "--device", "cpu"]
GAIT3D_METRICS = {"Rank-1", "Rank-5", "Rank-10", "mAP", "mINP"}


def measured(name, seconds, gait3d, cross_view):
    values = {GAIT3D: gait3d, CROSS_VIEW: cross_view}
    return Measured(name, {}, {task: [Measurement(seconds, seconds, 2**30, value)] for task, value in values.items()})


def test_planted_identities():
    case = EvaluationCase(probes=50, gallery=155, channels=16, parts=4, metric="euc")
    assert case.identities == 10
    assert case.embeddings().shape == (205, 16, 4)
    assert case.embeddings().equal(case.embeddings())
    assert [len(column) for column in (case.labels, case.types, case.views)] == [205] * 3
    assert case.types == ["00"] * 50 + ["01"] * 155
    names = list(zip(case.labels, case.views))
    # Every identity has a probe, and gallery, in every view.
    everyone = {(f"{person:04d}", view) for person in range(10) for view in EvaluationCase.VIEWS}
    assert {*names[:50]} == {*names[50:]} == everyone and len(case.probe_names) == 50
    # They are there to be found: sequences of one identity are nearer on average.
    x, same = case.embeddings()[:50].flatten(1), torch.tensor([int(label) for label in case.labels[:50]])
    distance, own = torch.cdist(x, x), (same[:, None] == same) & ~torch.eye(50, dtype=torch.bool)
    assert distance[own].mean() < distance[same[:, None] != same].mean()


def test_figures_are_neither_0_nor_100_and_do_not_depend_on_the_run():
    case = EvaluationCase(probes=100, gallery=300, channels=256, parts=16, metric="euc")
    first, second = (evaluation_workload(case, torch.device("cpu")).tasks for _ in range(2))
    for task in (GAIT3D, CROSS_VIEW):
        assert first[task]() == second[task]()
    assert 1 < first[GAIT3D]()["mINP"] < 99


def test_comparison_by_hand():
    ours = measured("ours", 1.0, {"Rank-1": 50.0, "mAP": 20.0}, {"NM@R1": 70.0, "NM@R5": 90.0})
    theirs = measured("theirs", 12.0, {"Rank-1": 50.0, "mAP": 20.25}, {"NM@R1": 70.0})
    assert figure_differences([ours, theirs]) == {GAIT3D: 0.25, CROSS_VIEW: 0.0}
    assert figure_differences([ours]) == {}
    head, gait3d, _, memory = evaluation_table([ours, theirs], "wall")
    assert head == ["", "ours, s", "theirs, s", "times as fast", "figures, %"]
    assert gait3d == [GAIT3D, "1.0", "12.0", "12.0", "Rank-1 50.00, mAP 20.00"]
    assert memory == ["peak memory", "1.00 GiB", "1.00 GiB", "", ""]


def test_without_opengait(tmp_path, capsys):
    assert main(["bench", "evaluation", *SMALL, "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert printed == (tmp_path / "evaluation.md").read_text()
    record = json.loads((tmp_path / "evaluation.json").read_text())
    (ours,) = record["entrants"]
    assert ours["turns"][GAIT3D][0]["value"].keys() == GAIT3D_METRICS
    assert ours["turns"][GAIT3D][0]["peak_bytes"] > 2**20
    assert (record["probes"], record["gallery"], record["differences"]) == (50, 150, {})


def test_fewer_gallery_sequences_than_probes(tmp_path, capsys):
    assert main(["bench", "evaluation", "--probes", "50", "--gallery", "40", "--out", str(tmp_path / "out")]) == 1
    assert "--gallery 40 is less than --probes 50" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif("OPENGAIT_ROOT" not in os.environ, reason="set OPENGAIT_ROOT to a checkout of OpenGait")
@pytest.mark.parametrize("metric", ["euc", "cos"])
def test_figures_of_opengait(metric, tmp_path):
    # Few enough that hardly any two distances are nearly the same, on whose order float32 sums need not agree.
    command = ["bench", "evaluation", *SMALL, "--metric", metric, "--opengait", os.environ["OPENGAIT_ROOT"]]
    assert main([*command, "--out", str(tmp_path)]) == 0
    record = json.loads((tmp_path / "evaluation.json").read_text())
    theirs = record["entrants"][1]
    assert theirs["turns"][GAIT3D][0]["value"].keys() == GAIT3D_METRICS
    assert record["differences"].keys() == {GAIT3D, CROSS_VIEW}
