"""Reports of files of results: tables in every form, and pictures."""

import csv
import json
import re

import numpy as np
import pytest

from opengait_meshgait.benchmark.report import _curves, _matrices
from opengait_meshgait.benchmark.results_files import read_results
from opengait_meshgait.cli.main import main
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.tables import markdown
from opengait_meshgait.inference.embeddings import write_embeddings

VIEWS = ["000", "090"]


def result_of(rate, matched="embeddings", people="ABCDEFGH", **more):
    """What a test on some people says, each recognised at a rate from view to view."""
    hits = {f"{p}/nm-02/{v}": int((i + j) % 10 < 10 * rate) for i, p in enumerate(people) for j, v in enumerate(VIEWS)}
    by_view = [100 * np.mean([hits[name] for name in hits if name.endswith(view)]) for view in VIEWS]
    return {
        "split": "test",
        "matched": matched,
        "metrics": {"NM@R1": float(np.mean(by_view))},
        "rank1": float(np.mean(by_view)),
        "views": VIEWS,
        "tables": {"NM@R1": [[None, by_view[0]], [by_view[1], None]]},
        "probes": {"NM": {name: f"-{hit}" if name.endswith("000") else f"{hit}-" for name, hit in hits.items()}},
        "precisions": {"NM": {name: [0.5] * len(hits) for name in ("ap", "inp")}},
        "cmc": {"NM": [[by_view[0], 100.0], [by_view[1], 100.0]]},
        "bodies": None,
        "iou": None,
        "notes": ["A note."],
        "sequences": len(hits),
        **more,
    }


def run_of(**about):
    """A run of a benchmark."""
    times = {"iterations": 1, "sequences_per_iteration": 1, "seconds_per_iteration": 0.5, "commit": None}
    return {"seed": 0, **result_of(**about), **times}


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return str(path)


def bench(runs, **more):
    entry = {"name": "net", "parameters": 1000, "gflops": 1.0, "runs": runs}
    table = markdown([["", "Rank-1"], ["net", "50 %"]])
    return {"versions": {}, "configs": [entry], "markdown": ["### clean", table, "Of people."], **more}


def test_tests_are_compared_in_every_form(tmp_path, capsys):
    files = [
        write(tmp_path / name / f"results-test-9{head}.json", result_of(rate, head.strip("-") or "embeddings"))
        for name, rate in (("silhouette", 0.4), ("mesh", 0.8))
        for head in ("", "-lda")
    ]
    out = tmp_path / "report"
    assert main(["report", *files, "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out / 'report.html'}: 4 tables, 5 pictures.\n"
    with (out / "table-1.csv").open() as file:
        rows = [*csv.reader(file)]
    names = ["silhouette", "silhouette + LDA head", "mesh", "mesh + LDA head"]
    assert [row[0] for row in rows] == ["", *names]
    assert rows[0][1:] == ["Rank-1 NM"]
    assert [row[1] for row in rows[1::2]] == ["43.8 %", "93.8 %"]
    with (out / "table-3.csv").open() as file:
        pairs = [row[:2] for row in csv.reader(file)][1:]
    # Features are compared with features of the same kind.
    assert pairs == [["mesh", "silhouette"], ["mesh + LDA head", "silhouette + LDA head"]]
    text = (out / "report.md").read_text()
    assert "| mesh | 93.8 % |" in text and "A note." in text and "![cmc-NM](cmc-NM.png)" in text
    tex = (out / "tables.tex").read_text()
    assert tex.count(r"\begin{tabular}") == 4 and r"mesh & 93.8 \% \\" in tex
    page = (out / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 5
    pictures = {"cmc-NM", *(f"views-{name.replace(' + LDA head', '-LDA-head')}-NM" for name in names)}
    assert {path.stem for path in out.glob("*.png")} == pictures


def test_others_are_no_comparison(tmp_path):
    files = [result_of(0.5), result_of(0.5, people="XYZ"), bench([])]
    paths = [tmp_path / f"{number}" / "results-test-9.json" for number in range(3)]
    for path, content in zip(paths, files):
        write(path, content)
    assert [one.title for one in read_results(paths)] == ["Tests", "Tests", "2/results-test-9"]


def test_a_benchmark(tmp_path):
    path = tmp_path / "b" / "results.json"
    write(path, bench([run_of(rate=0.4), {**run_of(rate=0.8), "seed": 1}]))
    (found,) = read_results([path])
    assert found.title == "b/results"
    assert found.blocks == ["### clean", [["", "Rank-1"], ["net", "50 %"]], "Of people."]
    ((one,),) = found.compared.values()
    assert [*one.runs] == [0, 1]
    np.testing.assert_allclose(_curves([one])["NM"]["net"], [(43.75 + 93.75) / 2, 100])


def test_recorded_people_are_pooled_over_folds(tmp_path, capsys):
    folds = {"fold-1": [run_of(rate=0.4)], "fold-2": [run_of(rate=0.8, people="XYZ")]}
    path = write(tmp_path / "results.json", bench({"clean": folds, "damaged": {**folds, "fold-2": []}}))
    (found,) = read_results([tmp_path / "results.json"])
    assert [*found.compared] == ["clean"]  # what is not tested in all folds is left out
    (curve,) = _curves(found.compared["clean"])["NM"].values()
    (run,) = found.compared["clean"][0].runs.values()
    assert curve[0] == pytest.approx(run["metrics"]["NM@R1"])
    assert main(["report", path, "--out", str(tmp_path / "r")]) == 0
    assert {file.name for file in (tmp_path / "r").glob("*.png")} == {"cmc-clean-NM.png", "views-clean-net-NM.png"}


def test_tables_beside_the_file(tmp_path):
    path = tmp_path / "speed.json"
    write(path, {"versions": {}, "entrants": []})
    with pytest.raises(Exception, match=r"has no tables in it, and speed\.md is not beside it"):
        read_results([path])
    path.with_suffix(".md").write_text(markdown([["", "ms"], ["net", "3"]]) + "\n\nOne thread.\n")
    (found,) = read_results([path])
    assert found.blocks == [[["", "ms"], ["net", "3"]], "One thread."]


def test_results_of_an_earlier_version(tmp_path, capsys):
    old = result_of(0.5)
    del old["cmc"]
    path = write(tmp_path / "run" / "results-test-9.json", old)
    assert main(["report", path, "--out", str(tmp_path / "r")]) == 0
    assert "run has no CMC, as an earlier version wrote it" in capsys.readouterr().out
    assert [file.name for file in (tmp_path / "r").glob("*.png")] == ["views-run-NM.png"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.json", None, "Cannot read"),
        ("setup.cfg", "[a]", "does not end in .json or .npz. `meshgait report` reads results-….json"),
        ("a.json", "{", "is not valid JSON"),
        ("a.json", "[1]", "holds no results. `meshgait report` reads"),
        ("a.json", '{"TRAIN_SET": []}', "holds no results"),
        ("a.npz", "no archive", "cannot be read"),
    ],
)
def test_files_that_are_none(name, content, message, tmp_path, capsys):
    if content is not None:
        (tmp_path / name).write_text(content)
    assert main(["report", str(tmp_path / name), "--out", str(tmp_path / "r")]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


OTHERS = [None, True, -1, 1e9, float("nan"), "x", [], {}, [1], [[1.0]], {"NM": 1}, {"NM": [1, 2]}, {"NM": {"a": "b"}}]
FOLDS = {"clean": {"fold-1": [run_of(rate=0.4)], "fold-2": [run_of(rate=0.8, people="XYZ")]}}


@pytest.mark.parametrize("of", ["test", "runs", "folds"])
def test_results_that_somebody_changed(of, tmp_path):
    """Whatever takes the place of a value, or if nothing does: tables and pictures, or a kind error."""
    path, refused = tmp_path / "run" / "results-test-9.json", 0
    for key in run_of(rate=0.5):
        for other in [..., *OTHERS]:
            run = run_of(rate=0.5) | {key: other}
            if other is ...:
                del run[key]
            folds = {"clean": {**FOLDS["clean"], "fold-1": [run]}}
            write(path, {"test": run, "runs": bench([run]), "folds": bench(folds)}[of])
            try:
                (found,) = read_results([path])
                for contestants in found.compared.values():
                    _curves(contestants)
                    [*map(_matrices, contestants)]
            except UserError as error:
                refused += 1
                assert re.match(f"{path} (is not as its command wrote it|holds no results)", str(error))
    assert refused > 100


@pytest.mark.parametrize("key", ["name", "parameters", "gflops", "runs"])
@pytest.mark.parametrize("other", OTHERS)
def test_benchmarks_that_somebody_changed(key, other, tmp_path):
    content = bench([run_of(rate=0.5)])
    content["configs"][0][key] = other
    path = tmp_path / "results.json"
    write(path, content)
    try:
        read_results([path])
    except UserError as error:
        assert str(error).startswith(f"{path} is not as its command wrote it")


def embedded(path, number):
    rng = np.random.default_rng(0)
    texts = {
        "names": [str(i) for i in range(number)],
        "labels": [str(i % 3) for i in range(number)],
        "types": ["nm-01"] * number,
        "views": [VIEWS[i % 2] for i in range(number)],
    }
    write_embeddings(path, [rng.normal(size=(number, 4, 2)).astype(np.float32)], (number, 4, 2), texts, "m", "euc")
    return str(path)


def test_features(tmp_path, capsys):
    pytest.importorskip("sklearn")
    assert main(["report", embedded(tmp_path / "e.npz", 12), "--out", str(tmp_path / "r")]) == 0
    assert {file.name for file in (tmp_path / "r").glob("*.png")} == {"features-e-person.png", "features-e-view.png"}
    assert "t-SNE of all 12 sequences, by the distance that is matched (euc)" in (tmp_path / "r/report.md").read_text()


def test_features_too_few(tmp_path, capsys):
    assert main(["report", embedded(tmp_path / "e.npz", 3), "--out", str(tmp_path / "r")]) == 1
    assert "has 3 sequences: for a picture, embed 4 or more" in capsys.readouterr().err
