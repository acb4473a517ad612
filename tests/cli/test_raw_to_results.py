"""Two commands from raw silhouettes, as CCPG and SUSTech1K lie on disk, to a table of results."""

import re
import shlex
from itertools import product
from pathlib import Path

import pytest

from opengait_meshgait.cli.main import main

TINY = """
data_cfg: {num_workers: 0}
trainer_cfg:
  enable_float16: false
  with_test: true
  total_iter: 2
  save_iter: 2
  log_iter: 1
  sampler: {batch_size: [2, 2], frames_num_fixed: 3}
model_cfg:
  backbone_cfg: {type: Plain, layers_cfg: [BC-4, M, FC-6-1, M, BC-8]}
  SeparateFCs: {out_channels: 8}
  bin_num: [4]
"""
TINY_BODIES = """
  heatmap_cfg: {type: HeatmapEstimator, depth: 4, channels: [4, 6, 8]}
  HeatmapFeatures: {channels: [4, 6]}
"""
# Where the walks of the walkers go: each stands for several types, which the protocols tell apart by name alone.
CCPG = {"U0_D0": "nm-01", "U0_D0_BG": "nm-02", "U0_D3": "nm-01", "U1_D0": "nm-02", "U1_D1": "nm-01", "U2_D2": "nm-02",
        "U3_D3": "nm-02"}  # fmt: skip
SUSTECH1K = {"00-nm": "nm-01", "01-nm": "nm-02", "01-bg": "nm-02", "02-cl-ub": "nm-02"}


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Four walkers as a raw dataset, ``2D_Silhouettes/<id>/<type>/<view>/*.png`` with bodies beside."""
    root = tmp_path_factory.mktemp("raw")
    walkers = ["--ids", "4", "--views", "0,90", "--seqs", "nm:2", "--frames", "3", "--train", "2", "--workers", "1"]
    assert main(["walkers", "--raw", "gait3d", "--out", str(root / "walkers"), *walkers]) == 0
    return root / "walkers"


@pytest.mark.parametrize(
    ("dataset", "types", "place", "bodies", "figures"),
    [
        ("ccpg", CCPG, "{person:03}/{type}/{view}_0", "bodies", ["CL", "UP", "DN", "BG"]),
        ("sustech1k", SUSTECH1K, "{person:04}/{type}/{view}", None, ["Normal", "Bag", "Umbrella", "Overall"]),
    ],
)
def test_two_commands(dataset, types, place, bodies, figures, raw, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for person, (kind, walk), view in product(range(4), types.items(), ("000", "090")):
        folder, source = place.format(person=person, type=kind, view=view), f"{person + 1:04}/{walk}/{view}"
        pictures = Path("raw", folder, "Sils_aligned" if dataset == "sustech1k" else "")
        for link, target in ((pictures, raw / "2D_Silhouettes"), (Path("bodies", folder), raw / "3D_SMPLs")):
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(target / source)
    Path("tiny.yaml").write_text(TINY + (TINY_BODIES if bodies else ""))
    config = [dataset if bodies else f"{dataset}_silhouette", "tiny.yaml"]
    command = ["prepare", dataset, "--root", "raw", "--out", "data/my set", "--workers", "1", "--train", "2"]
    assert main([*command, *(["--bodies", bodies] if bodies else []), "--config", *config]) == 0
    doctor, train = map(shlex.split, capsys.readouterr().out.splitlines()[-2:])
    assert main(doctor[1:]) == 0 and "Ready to train" in capsys.readouterr().out
    assert main(train[1:]) == 0
    table = capsys.readouterr().out
    assert "16 sequences of the test set" in table if dataset == "sustech1k" else "28 sequences" in table
    for figure in figures:
        assert re.search(rf"^  {figure}@R1 .* %$", table, re.MULTILINE), figure
    assert ("mpjpe" in table) == bool(bodies)
    assert ("ReID" in table) == (dataset == "ccpg")  # whose two kinds of Rank-1 differ
