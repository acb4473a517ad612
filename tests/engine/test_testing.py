"""Testing a checkpoint."""

import json

import pytest
import torch

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.engine import testing as engine_test
from opengait_meshgait.engine.config import make_config
from opengait_meshgait.engine.training import train
from opengait_meshgait.networks import load_checkpoint

VIEWS = ("000", "090")


def run(raw, output, iteration=None, **more):
    return engine_test.test(make_config(raw), iteration, device="cpu", quiet=True, output=output, **more)


@pytest.fixture(scope="module")
def trained(partition, tmp_path_factory):
    """A folder of runs, filled on first use."""
    output = tmp_path_factory.mktemp("output")

    def get(raw):
        if not any(output.iterdir()):
            raw["trainer_cfg"]["with_test"] = True
            train(make_config(raw), device="cpu", quiet=True, output=output)
        return output

    return get


def test_random_weights_are_refused(raw, tmp_path):
    with pytest.raises(UserError, match="random ones are not worth a test"):
        run(raw, tmp_path)


def test_result(raw, trained):
    output = trained(raw)
    result = run(raw, output)
    folder = output / "Tiny" / "MeshGait" / "Run"
    assert result["iteration"] == 8
    assert result["sequences"] == 16
    assert result["metrics"].keys() == {
        f"{kind}@{k}" for kind in ("NM", "BG", "CL") for k in ("R1", "R5", "mAP", "mINP")
    }
    assert result["views"] == ["000", "090"]
    assert len(result["tables"]["NM@R1"]) == 2
    assert {"mpjpe_mm", "mpvpe_mm", "marker_mm", "mpjpe_root_mm"} <= result["bodies"].keys()
    assert len(result["joints"]["mpjpe"]) == 24
    assert 0 < result["iou"] < 1 and 0 <= result["iou_low_percent"] <= 100
    assert result["iou"] == pytest.approx(sum(view["iou"] for view in result["iou_by_view"].values()) / 2)
    assert "iou is that of the reconstructed mesh with its silhouette in 4 frames a sequence" in result["notes"][-1]
    by_view = result["bodies_by_view"]
    assert [*by_view] == ["000", "090"]
    # As many frames in each view: the figure of all is the mean.
    assert result["bodies"]["mpjpe_mm"] == pytest.approx(sum(view["mpjpe_mm"] for view in by_view.values()) / 2)
    assert result.pop("file") == str(folder / "results-test-8-lda.json")
    assert json.loads((folder / "results-test-8-lda.json").read_text()) == result


def test_single_probes_make_up_the_figures(raw, trained):
    result = run(raw, trained(raw))
    assert [*result["probes"]] == ["NM", "BG", "CL"]
    assert [*result["probes"]["CL"]] == [f"{label}/cl-01/{view}" for label in ("0005", "0006") for view in VIEWS]
    for condition, probes in result["probes"].items():
        # Of two views one is compared.
        assert all(text[name.endswith("090")] == "-" for name, text in probes.items())
        found = "".join(probes.values()).count("1") / len(probes)
        assert 100 * found == pytest.approx(result["metrics"][f"{condition}@R1"])
        # As many in each view: the figure is the mean over all probes.
        for name, figure in (("ap", "mAP"), ("inp", "mINP")):
            values = result["precisions"][condition][name]
            assert len(values) == len(probes)
            assert 100 * sum(values) / len(values) == pytest.approx(
                result["metrics"][f"{condition}@{figure}"], abs=0.01
            )


def test_validation_set(raw, trained, partition, tmp_path):
    output = trained(raw)
    content = json.loads(partition.read_text())
    (tmp_path / "p.json").write_text(json.dumps({**content, "VAL_SET": content["TRAIN_SET"][:3]}))
    raw["data_cfg"]["dataset_partition"] = str(tmp_path / "p.json")
    result = run(raw, output, split="val")
    assert (result["split"], result["sequences"]) == ("val", 24)
    assert (output / "Tiny/MeshGait/Run/results-val-8-lda.json").is_file()


def test_which_weights(raw, trained):
    output = trained(raw)
    folder = output / "Tiny" / "MeshGait" / "Run"
    assert run(raw, output, "last")["iteration"] == 8
    assert run(raw, output, 4)["iteration"] == 4
    (folder / "best.json").write_text('{"iteration": 4}')
    assert run(raw, output, "best")["iteration"] == 4
    raw["evaluator_cfg"]["restore_hint"] = 4
    assert run(raw, output)["iteration"] == 4
    with pytest.raises(UserError, match="Iterations saved in that folder: 4, 8"):
        run(raw, output, 5)
    raw["evaluator_cfg"]["restore_hint"] = "absent.pt"
    with pytest.raises(UserError, match="absent.pt is not a file"):
        run(raw, output)


def test_best_needs_tests_in_training(raw, trained, tmp_path):
    checkpoint = trained(raw) / "Tiny/MeshGait/Run/checkpoints/Run-00008.pt"
    folder = tmp_path / "Tiny/MeshGait/Run/checkpoints"
    folder.mkdir(parents=True)
    (folder / checkpoint.name).write_bytes(checkpoint.read_bytes())
    with pytest.raises(UserError, match="with_test: true"):
        run(raw, tmp_path, "best")


def test_batches_change_nothing(raw, trained):
    output = trained(raw)
    expected = run(raw, output)
    for batch_size, workers in ((1, 0), (5, 0), (16, 1)):
        raw["evaluator_cfg"]["sampler"]["batch_size"] = batch_size
        raw["data_cfg"]["num_workers"] = workers
        result = run(raw, output)
        assert result["metrics"] == expected["metrics"]
        assert result["bodies"] == pytest.approx(expected["bodies"], rel=1e-5)


def test_a_checkpoint_of_openGait(raw, trained, tmp_path):
    output = trained(raw)
    state = load_checkpoint(output / "Tiny/MeshGait/Run/checkpoints/Run-00008.pt")
    torch.save({key: state[key] for key in ("model", "optimizer", "scheduler", "iteration")}, tmp_path / "gait.pt")
    expected = run(raw, output, 8)
    raw["evaluator_cfg"]["restore_hint"] = str(tmp_path / "gait.pt")
    result = run(raw, output)
    assert result["metrics"] == expected["metrics"]
    assert (output / "Tiny/MeshGait/Run/results-test-gait-lda.json").is_file()


def test_silhouettes_of_another_size_are_refused(raw, trained, tmp_path):
    output = trained(raw)
    state = load_checkpoint(output / "Tiny/MeshGait/Run/checkpoints/Run-00008.pt")
    assert state["silhouettes"] == [64, 64]
    torch.save(state | {"silhouettes": [128, 88]}, tmp_path / "large.pt")
    raw["evaluator_cfg"]["restore_hint"] = str(tmp_path / "large.pt")
    with pytest.raises(UserError, match="large.pt cannot be tested. The silhouettes here are 64 x 64 px.* on 128 x 88"):
        run(raw, output)


def without_bodies(raw):
    raw["data_cfg"]["data_in_use"] = [True, False]
    raw["loss_cfg"] = raw["loss_cfg"][:2]
    for section in ("trainer_cfg", "evaluator_cfg"):
        raw[section]["transform"] = raw[section]["transform"][:1]
    return raw


def test_without_bodies_there_are_no_body_errors_but_ious(raw, trained):
    output = trained(raw)
    expected = run(raw, output)
    result = run(without_bodies(raw), output)
    assert result["bodies"] is None
    for view, ious in expected["iou_by_view"].items():
        assert result["iou_by_view"][view] == pytest.approx(ious)
    assert result["metrics"].keys() == {
        f"{kind}@{k}" for kind in ("NM", "BG", "CL") for k in ("R1", "R5", "mAP", "mINP")
    }


def test_why_there_is_no_iou(raw, trained, tmp_path):
    output = trained(raw)
    state = load_checkpoint(output / "Tiny/MeshGait/Run/checkpoints/Run-00008.pt")
    torch.save(state | {"body": None}, tmp_path / "alone.pt")
    without_bodies(raw)["evaluator_cfg"]["restore_hint"] = str(tmp_path / "alone.pt")
    result = run(raw, output)
    assert result["iou"] is result["iou_low_percent"] is result["iou_by_view"] is None
    assert result["notes"][-1].endswith("trained without bodies, and its markers are no body's.")
    raw["evaluator_cfg"]["restore_hint"] = 0
    raw["model_cfg"]["body_cfg"] = {"body": str(tmp_path / "SMPL_NEUTRAL.pkl")}
    result = run(raw, output)
    assert result["iou"] is None and "SMPL_NEUTRAL.pkl" in result["notes"][-1]


def test_weights_of_another_network(raw, trained):
    output = trained(raw)
    raw["model_cfg"]["SeparateFCs"]["out_channels"] = 6
    different = "model_cfg.SeparateFCs.out_channels is 6, and it was trained with [0-9]+"
    with pytest.raises(UserError, match=rf"do not fit model_cfg:(.|\n)*{different}\. Use the config"):
        run(raw, output)


def test_another_network_whose_weights_fit_is_told(raw, trained):
    output = trained(raw)
    assert not [note for note in run(raw, output)["notes"] if "trained with" in note]
    raw["model_cfg"]["backbone_cfg"]["maxpool"] = True
    (note,) = (note for note in run(raw, output)["notes"] if "trained with" in note)
    assert note.endswith("trained: model_cfg.backbone_cfg.maxpool is True, and it was trained with False.")


def test_one_test_identity_is_said(raw, trained, partition, tmp_path):
    output = trained(raw)
    content = json.loads(partition.read_text())
    (tmp_path / "p.json").write_text(json.dumps({**content, "TEST_SET": content["TEST_SET"][:1]}))
    raw["data_cfg"]["dataset_partition"] = str(tmp_path / "p.json")
    result = run(raw, output)
    assert result["rank1"] == 100.0
    (note,) = (note for note in result["notes"] if "one identity" in note)
    assert note in json.loads((output / "Tiny/MeshGait/Run/results-test-8-lda.json").read_text())["notes"]


def test_ones_own_protocol(raw, trained, tmp_path):
    (tmp_path / "mine.yaml").write_text("gallery: [nm-*]\nprobes: {bag: [bg-*]}\nfigures: [retrieval]")
    raw["data_cfg"]["test_dataset_name"] = str(tmp_path / "mine.yaml")
    assert run(raw, trained(raw))["metrics"].keys() == {
        f"bag@{name}" for name in ("Rank-1", "Rank-5", "Rank-10", "mAP", "mINP")
    }


def test_submission_file(raw, trained, make_dataset, tmp_path):
    content = json.loads(make_dataset(tmp_path / "grew", people=12, train=1).read_text())
    for label in content["TEST_SET"]:
        folder = tmp_path / "grew" / label
        for old, new in (("nm-01", "01"), ("nm-02", "02")):
            (folder / old).rename(folder / new)
    probes = tmp_path / "grew" / "probe"
    probes.mkdir()
    (tmp_path / "grew" / "0001" / "bg-01").rename(probes / "03")
    partition = tmp_path / "p.json"
    partition.write_text(json.dumps({**content, "TEST_SET": [*content["TEST_SET"], "probe"]}))
    raw["data_cfg"] |= {"dataset_root": str(tmp_path / "grew"), "dataset_partition": str(partition)}
    raw["evaluator_cfg"]["eval_func"] = "GREW_submission"
    output = trained(raw)
    result = run(raw, output)
    assert result["metrics"].keys() == {f"Rank-{k}" for k in (1, 5, 10, 20)} | {"mAP", "mINP"}
    path = output / "Tiny/MeshGait/Run/submission-test-8-lda.csv"
    assert result["notes"][0] == f"The file for the benchmark's server: {path}"
    head, *rows = (line.split(",") for line in path.read_text().splitlines())
    assert head == ["videoId", *(f"rank{k}" for k in range(1, 21))]
    # By number, as the server knows people.
    assert [row[0] for row in rows] == ["000", "090"] and {*rows[0][1:]} <= {str(i) for i in range(2, 13)}


def test_gait3d_protocol(raw, trained, partition, tmp_path):
    output = trained(raw)
    content = json.loads(partition.read_text())
    content["PROBE_SET"] = [f"{label}-nm-01-000" for label in content["TEST_SET"]]
    (tmp_path / "p.json").write_text(json.dumps(content))
    raw["data_cfg"]["dataset_partition"] = str(tmp_path / "p.json")
    raw["evaluator_cfg"]["eval_func"] = "evaluate_Gait3D"
    assert {"Rank-1", "mAP", "mINP"} <= run(raw, output)["metrics"].keys()
