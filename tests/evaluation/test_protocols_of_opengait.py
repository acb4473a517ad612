"""The figures of every protocol against those of OpenGait's own functions, on random features."""

import csv
import json
import re

import numpy as np
import pytest
import torch

from opengait_meshgait.evaluation import PROTOCOLS, evaluate_recognition

NEAR = 1e-3  # points of percent
TYPES = {
    "CASIA-B": [f"{kind}-{i:02d}" for kind, n in [("nm", 6), ("bg", 2), ("cl", 2)] for i in range(1, n + 1)],
    "CASIA-E": [
        f"{height}-{scene}-{kind}-{i}"
        for height in "HL"
        for scene in ("scene1", "scene2", "scene3", "scene3_s")
        for kind in ("nm", "bg", "cl")
        for i in (1, 2)
    ],
    "OUMVLP": ["00", "01"],
    "SUSTech1K": ["00-nm", "01-nm", "02-bg", "02-bg-cl", "03-cr", "03-ub-nt", "04-uf", "04-oc", "01-cl"],
    "CCPG": ["U0_D0_BG", "U0_D0", "U1_D1", "U2_D2", "U3_D3", "U0_D3", "U1_D0"],
    "GREW": ["01", "02", "03"],
}
NAMES = {"Umbrella": "Umberalla"}  # as OpenGait spells them


def features(types, people, views, seed=0):
    """Everybody walks every type in every view: embeddings that are often enough taken for others', and their names."""
    rows = [(f"{i:03d}", kind, view) for i in range(people) for kind in types for view in views]
    random = torch.Generator().manual_seed(seed)
    centres = torch.randn(people, 8, 4, generator=random).repeat_interleave(len(rows) // people, 0)
    embeddings = centres + torch.randn(centres.shape, generator=random)
    return embeddings, *map(list, zip(*rows))


def as_data(embeddings, labels, types, views):
    return {"embeddings": embeddings.numpy(), "labels": list(labels), "types": list(types), "views": list(views)}


def without_diagonal(table):
    """The mean over different views, of cells rounded as OpenGait rounds them."""
    return np.round(table, 2)[~np.eye(len(table), dtype=bool)].mean()


@pytest.mark.parametrize("metric", ["euc", "cos"])
@pytest.mark.parametrize("dataset", ["CASIA-B", "CASIA-E", "OUMVLP", "SUSTech1K"])
def test_across_views(opengait, dataset, metric):
    views = ["000", "090", "180", "270"]
    case = features(TYPES[dataset], 25, views)
    theirs = opengait.evaluator.evaluate_indoor_dataset(as_data(*case), dataset, metric)
    ours = evaluate_recognition(*case, PROTOCOLS[dataset], metric=metric)
    expected = {name.removeprefix("scalar/test_accuracy/"): value for name, value in theirs.items()}
    for group in PROTOCOLS[dataset].groups:
        value = expected.pop(f"{NAMES.get(group, group)}@R1")
        assert without_diagonal(ours.tables[f"{group}@R1"]) == pytest.approx(value, abs=NEAR)
        assert ours.metrics[f"{group}@R1"] == pytest.approx(value, abs=0.005)
    assert not expected
    assert 5 < ours.rank1 < 95


def test_rank_5_of_sustech1k(opengait):
    case = features(TYPES["SUSTech1K"], 25, ["000", "045", "090"])
    opengait.evaluator.evaluate_indoor_dataset(as_data(*case), "SUSTech1K")
    said = dict(re.findall(r"(\w+)@R5: ([\d.]+)%", " ".join(map(str, opengait.said))))
    ours = evaluate_recognition(*case, PROTOCOLS["SUSTech1K"])
    assert len(said) == 9
    for group in PROTOCOLS["SUSTech1K"].groups:
        assert ours.metrics[f"{group}@R5"] == pytest.approx(float(said[NAMES.get(group, group)]), abs=0.005)


@pytest.mark.parametrize("metric", ["euc", "cos"])
def test_ccpg(opengait, metric):
    case = features(TYPES["CCPG"], 25, ["1_a", "1_b", "2_a", "3_a"])
    theirs = opengait.evaluator.evaluate_CCPG(as_data(*case), "CCPG", metric)
    ours = evaluate_recognition(*case, PROTOCOLS["CCPG"], metric=metric)
    assert ours.views == ["1", "2", "3"]
    for group in ("CL", "UP", "DN", "BG"):
        np.testing.assert_allclose(ours.tables[f"{group}@R1"], theirs[f"scalar/test_accuracy/{group}"], atol=NEAR)
    lines = [line for line in opengait.said if str(line).startswith("CL: ")]
    said = [{name: float(value) for name, value in re.findall(r"(\w\w): ([\d.]+)", line)} for line in lines]
    for figures, name in zip(said, ["Rank-1", "mAP", "mINP"]):
        for group, value in figures.items():
            assert ours.metrics[f"{group}@{name}"] == pytest.approx(value, abs=NEAR), name
    # With identical views, and without them.
    for group in said[4]:
        assert np.mean(ours.tables[f"{group}@R1"]) == pytest.approx(said[3][group], abs=NEAR)
        assert ours.metrics[f"{group}@R1"] == pytest.approx(said[4][group], abs=NEAR)


@pytest.mark.parametrize("metric", ["euc", "cos"])
@pytest.mark.parametrize(
    "dataset, key, function",
    [("Gait3D", "PROBE_SET", "evaluate_Gait3D"), ("CCGR-MINI", "GALLERY_SET", "evaluate_CCGR_MINI")],
)
def test_named_by_the_partition(opengait, tmp_path, monkeypatch, dataset, key, function, metric):
    embeddings, *columns = features(["cam0", "cam1"], 40, ["a", "b", "c"])
    order = torch.randperm(len(embeddings), generator=torch.Generator().manual_seed(1)).tolist()
    # Some people are only in the gallery, and some only probes.
    for place in range(75, 85):
        columns[0][order[place]] = "998" if place < 80 else "999"
    names = ["-".join(parts) for parts in zip(*columns)]
    named = [names[i] for i in order[:80]]
    (tmp_path / "datasets" / dataset).mkdir(parents=True)
    (tmp_path / "datasets" / dataset / f"{dataset}.json").write_text(json.dumps({key: named}))
    monkeypatch.chdir(tmp_path)
    theirs = getattr(opengait.evaluator, function)(as_data(embeddings, *columns), dataset, metric)
    ours = evaluate_recognition(embeddings, *columns, PROTOCOLS[dataset], named, metric)
    assert {f"scalar/test_accuracy/{name}": value for name, value in ours.metrics.items()} == pytest.approx(
        theirs, abs=NEAR
    )
    assert 5 < ours.rank1 < 95


@pytest.mark.parametrize("metric", ["euc", "cos"])
def test_grew(opengait, tmp_path, monkeypatch, metric):
    monkeypatch.chdir(tmp_path)
    embeddings, labels, types, _ = features(TYPES["GREW"], 50, ["x"])
    views = [f"video{i}" for i in range(len(labels))]
    # As its files lie once they are rearranged: nobody knows who the probes are.
    labels = [label if kind != "03" else "probe" for label, kind in zip(labels, types)]
    case = (embeddings, labels, types, views)
    theirs = opengait.evaluator.evaluate_real_scene(as_data(*case), "GREW", metric)
    ours = evaluate_recognition(*case, PROTOCOLS["GREW"], metric=metric)
    for name, value in theirs.items():
        assert ours.metrics[name.removeprefix("scalar/test_accuracy/")] == pytest.approx(value, abs=NEAR)
    opengait.evaluator.GREW_submission(as_data(*case), "GREW", metric)
    (path,) = (tmp_path / "GREW_result").iterdir()
    assert ours.submission == [*csv.reader(path.open())]
    assert len(ours.submission) == 51
