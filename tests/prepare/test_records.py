import numpy as np

from opengait_meshgait.prepare.records import iou_histogram


def test_counts_bars_and_percentiles():
    ious = np.concatenate([np.full(20, 0.25), np.full(79, 0.7), [1.0]])
    lines = iou_histogram(ious).splitlines()
    assert lines[0].endswith("100 frames:")
    rows = {line.split()[0]: line.split()[1:] for line in lines[1:11]}
    assert rows["0.2-0.3"] == ["20", "#" * 11] and rows["0.7-0.8"] == ["79", "#" * 40] and rows["0.9-1.0"] == ["1", "#"]
    assert sum(int(row[0]) for row in rows.values()) == 100
    assert lines[11] == "  mean 0.613, 5 % below 0.250, half below 0.700, 95 % below 0.700"


def test_tenths_belong_to_the_bin_above_in_float32_too():
    for ious in (np.arange(10) / 10, (np.arange(10) / 10).astype(np.float32)):
        assert all(line.split()[1] == "1" for line in iou_histogram(ious).splitlines()[1:11])


def test_thousands_and_nothing():
    assert "25,000 frames" in iou_histogram(np.full(25_000, 0.5))
    assert "no frame has a body" in iou_histogram(np.zeros(0))
