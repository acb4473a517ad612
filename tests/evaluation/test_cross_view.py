"""The cross-view protocols against loops over probes, by hand, and against OpenGait."""

from fnmatch import fnmatchcase

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.evaluation import PROTOCOLS, evaluate_recognition, find_protocol, split_gallery
from opengait_meshgait.evaluation.recognition import check_embeddings


def sequences(dataset_types, ids, views):
    """Every person walks every type in every view: labels, types, views."""
    rows = [(f"{i:04d}", kind, view) for i in range(ids) for kind in dataset_types for view in views]
    return tuple(map(list, zip(*rows)))


def evaluate(embeddings, labels, types, views, dataset, metric="euc", **more):
    """The figures of a data set's protocol."""
    return evaluate_recognition(embeddings, labels, types, views, find_protocol(dataset), metric=metric, **more)


def loops(embeddings, labels, types, views, dataset, k):
    """Rank-k of each condition and its table, one probe and one gallery sequence at a time (Euclidean)."""
    protocol = PROTOCOLS[dataset]
    is_gallery = [any(fnmatchcase(kind, pattern) for pattern in protocol.gallery) for kind in types]
    metrics, tables = {}, {}
    for condition, patterns in protocol.probes.items():
        cells = {}
        for i, kind in enumerate(types):
            if is_gallery[i] or not any(fnmatchcase(kind, pattern) for pattern in patterns):
                continue
            for view in sorted(set(views)):
                gallery = [j for j in range(len(types)) if is_gallery[j] and views[j] == view]
                if gallery:
                    far = {j: (embeddings[i] - embeddings[j]).double().norm(dim=0).mean().item() for j in gallery}
                    nearest = sorted(gallery, key=lambda j: (round(far[j], 6), j))[:k]
                    hit = any(labels[j] == labels[i] for j in nearest)
                    cells.setdefault(views[i], {}).setdefault(view, []).append(100.0 * hit)
        tables[condition] = {a: {b: np.mean(hits) for b, hits in row.items()} for a, row in cells.items()}
        rows = [[rate for b, rate in row.items() if a != b] for a, row in tables[condition].items()]
        rows = [np.mean(row) for row in rows if row]
        if rows:
            metrics[f"{condition}@R{k}"] = np.mean(rows)
    return metrics, tables


def over_views(embeddings, labels, types, views, dataset):
    """mAP and mINP in percent by condition, each probe against the gallery of all other views, by loops."""
    protocol, found = PROTOCOLS[dataset], {}
    rows = [*zip(labels, types, views, embeddings)]
    gallery = [row for row in rows if any(fnmatchcase(row[1], p) for p in protocol.gallery)]
    gallery.sort(key=lambda row: row[2])
    for condition, patterns in protocol.probes.items():
        by_view = {}
        for label, kind, view, probe in rows:
            others = [row for row in gallery if row[2] != view]
            if not others or not any(fnmatchcase(kind, p) for p in patterns):
                continue
            if any(fnmatchcase(kind, p) for p in protocol.gallery):
                continue
            distance = [(probe - row[3]).norm(dim=0).mean().item() for row in others]
            order = sorted(range(len(others)), key=lambda i: (distance[i], i))
            right = [others[i][0] == label for i in order]
            shares = [sum(right[: k + 1]) / (k + 1) for k, hit in enumerate(right) if hit]
            by_view.setdefault(view, []).append((np.mean(shares), shares[-1]) if shares else (0.0, 0.0))
        if by_view:
            means = 100 * np.mean([np.mean(each, axis=0) for each in by_view.values()], axis=0)
            found |= {f"{condition}@mAP": means[0], f"{condition}@mINP": means[1]}
    return found


def assert_equals_loops(result, *case):
    found = {name: value for name, value in result.metrics.items() if name.endswith(("@mAP", "@mINP"))}
    assert found == pytest.approx(over_views(*case))
    for k in (1, 5):
        metrics, tables = loops(*case, k)
        assert {name: value for name, value in result.metrics.items() if name.endswith(f"@R{k}")} == pytest.approx(
            metrics
        )
        for name in metrics:
            table = tables[name.split("@")[0]]
            expected = [[table.get(a, {}).get(b, np.nan) for b in result.views] for a in result.views]
            np.testing.assert_allclose(result.tables[name], expected)
            cmc = np.nanmean(result.cmc[name.split("@")[0]], axis=0)
            # Beyond the size of the gallery nobody more is found.
            assert cmc[min(k, len(cmc)) - 1] == pytest.approx(metrics[name])


@given(
    present=st.lists(st.booleans(), min_size=60, max_size=60),
    seed=st.integers(0, 99),
    chunk=st.sampled_from([1, 4, 100]),
)
def test_equals_loops_whatever_is_missing(present, seed, chunk):
    labels, types, views = sequences(["nm-01", "nm-02", "bg-01", "cl-01", "cl-02"], 4, ["000", "090", "180"])
    kept = [i for i, there in enumerate(present) if there]
    labels, types, views = ([column[i] for i in kept] for column in (labels, types, views))
    # Small whole numbers: ties abound, and their distances are exact.
    embeddings = torch.randint(3, (len(kept), 2, 1), generator=torch.Generator().manual_seed(seed)).float()
    case = (embeddings, labels, types, views, "Walkers")
    if loops(*case, 1)[0]:
        assert_equals_loops(evaluate(*case, chunk=chunk), *case)
    else:
        with pytest.raises(UserError):
            evaluate(*case, chunk=chunk)


@pytest.mark.parametrize(
    "dataset, types",
    [
        ("CASIA-B", ["nm-01", "nm-02", "nm-03", "nm-04", "nm-05", "nm-06", "bg-01", "bg-02", "cl-01", "cl-02"]),
        ("OUMVLP", ["00", "01"]),
        ("Walkers", ["nm-01", "nm-02", "nm-03", "bg-01", "bg-17", "cl-01"]),
    ],
)
def test_protocols(dataset, types, rng):
    labels, types, views = sequences(types, 5, ["000", "072", "144"])
    centres = torch.randn(5, 8, 2, generator=rng).repeat_interleave(len(labels) // 5, 0)
    embeddings = centres + 1.5 * torch.randn(centres.shape, generator=rng)
    result = evaluate(embeddings, labels, types, views, dataset)
    assert_equals_loops(result, embeddings, labels, types, views, dataset)
    assert {name for name in result.metrics if not name.endswith(("@mAP", "@mINP"))} == set(result.tables)
    assert {name.split("@")[0] for name in result.metrics} == set(PROTOCOLS[dataset].probes)
    assert 0 < result.rank1 < 100
    assert result.rank1 == np.mean([v for name, v in result.metrics.items() if name.endswith("@R1")])
    certain = "Rank-5 cannot fail for who is in the gallery: a probe is compared with 5 gallery sequences of one view"
    assert result.notes == ([] if dataset == "CASIA-B" else [f"{certain} at most."])


def test_by_hand():
    # A person is a number on a line; the probe of B at 000 was taken for A in the gallery of 090.
    rows = [
        *(
            ("A", "nm-01", "000", 0.0),
            ("B", "nm-01", "000", 10.0),
            ("A", "nm-01", "090", 1.0),
            ("B", "nm-01", "090", 9.0),
        ),
        *(
            ("A", "nm-02", "000", 2.0),
            ("B", "nm-02", "000", 4.0),
            ("A", "nm-02", "090", 0.0),
            ("B", "nm-02", "090", 10.0),
        ),
    ]
    labels, types, views, numbers = zip(*rows)
    result = evaluate(torch.tensor(numbers).reshape(-1, 1, 1), labels, types, views, "Walkers")
    assert result.views == ["000", "090"]
    assert result.tables["NM@R1"].tolist() == [[50.0, 50.0], [100.0, 100.0]]
    # The probe of B at 000 finds A at 1 first and itself at 9 second; the gallery has one sequence of B elsewhere.
    assert result.metrics == {"NM@R1": 75.0, "NM@R5": 100.0, "NM@mAP": 87.5, "NM@mINP": 87.5}
    assert result.hits["NM"].precisions() == {"ap": [1.0, 0.5, 1.0, 1.0], "inp": [1.0, 0.5, 1.0, 1.0]}
    assert result.rank1 == 75.0
    assert len(result.notes) == 3
    assert result.notes[0].startswith("BG left out: there is no sequence of type bg-*")


def test_strangers_are_misses():
    labels, types, views = sequences(["00", "01"], 2, ["000", "090"])
    kept = [i for i in range(len(labels)) if (labels[i], types[i]) != ("0001", "01")]
    embeddings = torch.tensor([[[float(labels[i])]] for i in kept])
    result = evaluate(embeddings, *([c[i] for i in kept] for c in (labels, types, views)), "OUMVLP")
    # Two of the four probes are of identity 0001, and no Rank-k can find them in a gallery of one person.
    assert result.metrics == {"NM@R1": 50.0, "NM@R5": 50.0, "NM@mAP": 50.0, "NM@mINP": 50.0}
    assert result.notes == [
        "NM: 2 probes of identities without a gallery sequence are misses.",
        "The gallery holds one identity only (0000): whoever is in it is recognised whatever the network does. Test on "
        "more people.",
    ]


def test_views_without_probe_or_gallery_are_left_out(rng):
    labels = ["0", "1"] * 4
    types = ["nm-01"] * 4 + ["nm-02"] * 4
    views = ["000", "000", "090", "090"] + ["000", "000", "180", "180"]
    result = evaluate(torch.arange(2.0).repeat(4).reshape(8, 1, 1), labels, types, views, "Walkers")
    assert result.views == ["000", "090", "180"]
    nan = np.nan
    np.testing.assert_array_equal(result.tables["NM@R1"], [[100, 100, nan], [nan, nan, nan], [100, 100, nan]])
    assert result.metrics["NM@R1"] == 100.0
    # With a gallery of 000 alone, probes of 000 are not compared.
    views[2:4] = ["000", "000"]
    result = evaluate(torch.arange(2.0).repeat(4).reshape(8, 1, 1), labels, types, views, "Walkers")
    assert result.hits["NM"].precisions() == {name: [None, None, 1.0, 1.0] for name in ("ap", "inp")}
    assert result.hits["NM"].texts() == ["--", "--", "1-", "1-"]


def test_metric_and_scale(rng):
    labels, types, views = sequences(["00", "01"], 6, ["000", "090"])
    embeddings = torch.randn(24, 4, 3, generator=rng)
    euc = evaluate(embeddings, labels, types, views, "OUMVLP")
    cos = evaluate(embeddings, labels, types, views, "OUMVLP", "cos")
    longer = embeddings * torch.rand(24, 1, 3, generator=rng).add(0.5)
    assert evaluate(longer, labels, types, views, "OUMVLP", "cos").metrics == cos.metrics
    assert evaluate(4 * embeddings, labels, types, views, "OUMVLP").metrics == euc.metrics
    # Of the same length, the two metrics rank alike only where the parts agree; with one part they always do.
    unit = torch.nn.functional.normalize(embeddings[:, :, :1], dim=1)
    one, other = (evaluate(unit, labels, types, views, "OUMVLP", m).metrics for m in ("euc", "cos"))
    assert one == other


@pytest.mark.parametrize(
    "rows, dataset, message",
    [
        ([("0", "00", "0")], "OUMVLP-Mesh", "protocol for test_dataset_name 'OUMVLP-Mesh'. Did you mean 'OUMVLP'"),
        (
            [("0", "00", "0")],
            None,
            "protocol for test_dataset_name 'None'. Known: CASIA-B, .*, Walkers. Or name a YAML",
        ),
        ([("0", "00", "0")], "Walkers", r"type nm-01 as gallery, and the test set has 00\. Set test_dataset_name"),
        ([], "Walkers", "has no sequence at all"),
        ([("0", "nm-01", "0")], "Walkers", r"type nm-\*, bg-\*, cl-\* as probe, and the test set has nm-01"),
        ([("0", "nm-01", "90"), ("0", "nm-02", "90")], "Walkers", "have the view 90.*test on two views or more"),
    ],
)
def test_nothing_to_evaluate(rows, dataset, message):
    columns = [*zip(*rows)] or [(), (), ()]
    with pytest.raises(UserError, match=message):
        split_gallery(*columns, find_protocol(dataset))
    with pytest.raises(UserError, match=message):
        evaluate(torch.zeros(len(rows), 2, 1), *columns, dataset)


def test_bad_embeddings():
    labels, types, views = sequences(["00", "01"], 2, ["000", "090"])
    embeddings = torch.zeros(8, 2, 1)
    with pytest.raises(ValueError, match=r"expected embeddings \[n, c, p\], got \[8, 2\]"):
        evaluate(embeddings[:, :, 0], labels, types, views, "OUMVLP")
    with pytest.raises(ValueError, match=r"expected 7 labels, types and views, got \[8, 8, 8\]"):
        evaluate(embeddings[1:], labels, types, views, "OUMVLP")
    check_embeddings(torch.full_like(embeddings, 3e38), labels, types, views)  # finite, though their sum is not
    embeddings[3, 1, 0] = torch.nan
    with pytest.raises(UserError, match="1 of 8 sequences are NaN or infinite, first that of 0000-01-090"):
        evaluate(embeddings, labels, types, views, "OUMVLP")
