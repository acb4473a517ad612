"""Clients that search a gallery at once."""

import json
import shlex

import numpy as np
import pytest

from opengait_meshgait.benchmark.identification import IdentificationCase
from opengait_meshgait.cli.main import main
from opengait_meshgait.inference.search import SearchIndex

SMALL = shlex.split("--gallery 300 --shape 8 3 --clients 2 --batch 4 --seconds 1 --device cpu --out")


def test_people_are_the_same_in_gallery_and_probes_whatever_the_blocks(monkeypatch):
    case = IdentificationCase(50, 64, 2, "euc", "exact", 1, 1, 1)
    (gallery,), (probes,) = case.blocks(1, 50), case.blocks(2, 50)
    monkeypatch.setattr("opengait_meshgait.benchmark.identification._BLOCK", 7)
    np.testing.assert_array_equal(np.concatenate([*case.blocks(1, 50)]), gallery)
    distance = np.linalg.norm(gallery[:, None] - probes[None], axis=2).mean(2)
    assert (distance.argmin(0) // 10 == np.arange(50) // 10).all()
    assert case.labels(11) == ["0000000"] * 10 + ["0000001"]


@pytest.mark.parametrize(("metric", "index"), [("euc", "exact"), ("cos", "exact"), ("euc", "faiss")])
def test_table(metric, index, tmp_path, capsys):
    if index == "faiss":
        pytest.importorskip("faiss")
    assert main(["bench", "identify", "--metric", metric, "--index", index, *SMALL, str(tmp_path)]) == 0
    assert capsys.readouterr().out == (tmp_path / "identify.md").read_text()
    found = json.loads((tmp_path / "identify.json").read_text())
    assert found["requests"] >= 2 and found["largest_difference"] < 1e-5
    assert found["percentile_99_ms"] >= found["median_ms"] > 0
    assert (found["recall"] is None) == (index == "exact")
    assert found["probes_per_second"] > 0 and found["probes_per_processor_second"] > 0


def test_other_answers_are_an_error(monkeypatch, tmp_path, capsys):
    right = SearchIndex.nearest

    def wrong(self, probes, top):
        distances, places = right(self, probes, top)
        return distances, places[:, ::-1]

    monkeypatch.setattr(SearchIndex, "nearest", wrong)
    assert main(["bench", "identify", *SMALL, str(tmp_path)]) == 1
    assert "are not those of brute force" in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]
