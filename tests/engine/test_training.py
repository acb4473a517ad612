"""Training: what it leaves, and that stopping it changes nothing."""

import copy
import functools
import gc
import json
import signal
import weakref
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from opengait_meshgait.common.distributed import processes
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.interruption import Stopped
from opengait_meshgait.engine import build as engine_build
from opengait_meshgait.engine import training as engine_training
from opengait_meshgait.engine.config import make_config
from opengait_meshgait.engine.optimization import take_moments
from opengait_meshgait.engine.progress import read_log
from opengait_meshgait.engine.testing import test as engine_testing
from opengait_meshgait.engine.training import train
from opengait_meshgait.losses.triplet import TripletLoss
from opengait_meshgait.networks import load_checkpoint


def run(raw, output, **more):
    return train(make_config(raw), device="cpu", quiet=True, output=output, **more)


def weights(result):
    return load_checkpoint(result.checkpoint)["model"]


def assert_equal(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


@pytest.fixture(scope="session")
def reference(tmp_path_factory):
    """Weights of eight uninterrupted iterations, by config; computed once each."""
    known = {}

    def get(raw):
        key = json.dumps(raw, sort_keys=True)
        if key not in known:
            known[key] = weights(run(raw, tmp_path_factory.mktemp("reference")))
        return known[key]

    return get


def test_what_a_run_leaves(raw, tmp_path):
    result = run(raw, tmp_path)
    assert result.folder == tmp_path / "Tiny" / "MeshGait" / "Run"
    assert sorted(path.name for path in (result.folder / "checkpoints").iterdir()) == ["Run-00004.pt", "Run-00008.pt"]
    assert list((result.folder / "summary").glob("events.out.tfevents.*"))
    records = read_log(result.folder)
    assert records == result.records
    assert [record["iteration"] for record in records] == [2, 4, 6, 8]
    assert result.seconds_per_iteration > 0
    scalars = records[0]["scalars"]
    parts = ("triplet", "softmax", "marker", "joint", "mesh")
    assert {f"scalar/{name}/loss" for name in parts} | {"scalar/loss", "scalar/learning_rate"} <= scalars.keys()
    assert all(np.isfinite(value) for record in records for value in record["scalars"].values())
    assert scalars["scalar/learning_rate"] == pytest.approx(0.02)
    assert records[-1]["scalars"]["scalar/learning_rate"] == pytest.approx(0.002)


def test_a_checkpoint_names_the_body_and_holds_none_of_it(raw, tmp_path):
    state = load_checkpoint(run(raw, tmp_path).checkpoint)
    assert state.keys() == {
        "model", "optimizer", "scheduler", "scaler", "iteration", "seed", "config", "body", "data", "silhouettes",
    }  # fmt: skip
    assert state["body"].keys() == {"name", "fingerprint"}
    largest = max(max(value.shape, default=0) for value in state["model"].values())
    assert largest < 1000
    assert make_config(state["config"]) == make_config(raw)


def test_no_network_outlives_the_process_group(raw, tmp_path, monkeypatch):
    """One that is wrapped would then free the group, and might wait for ever."""
    alive = []

    class Watched(engine_training.Trainer):
        def __init__(self, *given):
            super().__init__(*given)
            alive.append(weakref.ref(self.state.net))

    @contextmanager
    def watched(device):
        with processes(device) as where:
            yield where
            gc.disable()  # freed without looking for garbage
            alive.append(alive[0]())
            gc.enable()

    monkeypatch.setattr(engine_training, "Trainer", Watched)
    monkeypatch.setattr(engine_training, "processes", watched)
    run(raw | {"trainer_cfg": raw["trainer_cfg"] | {"total_iter": 1}}, tmp_path)
    assert alive[1:] == [None]


def test_total_need_not_be_a_multiple(raw, tmp_path):
    raw["trainer_cfg"] |= {"total_iter": 5, "save_iter": 3, "log_iter": 100}
    result = run(raw, tmp_path)
    assert sorted(path.name for path in (result.folder / "checkpoints").iterdir()) == ["Run-00003.pt", "Run-00005.pt"]
    assert [record["iteration"] for record in result.records] == [5]


@pytest.mark.parametrize("solver", ["SGD", "Adam", "AdamW"])
def test_going_on_is_the_same_as_never_stopping(raw, tmp_path, reference, solver):
    raw["optimizer_cfg"] = {"solver": solver, "lr": 0.01}
    whole = reference(raw)
    raw["trainer_cfg"]["total_iter"] = 5
    run(raw, tmp_path)
    raw["trainer_cfg"] |= {"total_iter": 8, "log_iter": 3}
    raw["data_cfg"]["num_workers"] = 1
    result = run(raw, tmp_path)
    assert_equal(weights(result), whole)
    assert [record["iteration"] for record in result.records] == [2, 4, 5, 6, 8]


def test_one_cycle_goes_on(raw, tmp_path, reference):
    raw["scheduler_cfg"] = {"scheduler": "OneCycleLR", "max_lr": 0.05}
    whole = reference(raw)
    result = run(raw, tmp_path)
    assert_equal(weights(result), whole)
    (tmp_path / "Tiny/MeshGait/Run/checkpoints/Run-00008.pt").unlink()
    assert_equal(weights(run(raw, tmp_path)), whole)


def test_a_finished_run_stays(raw, tmp_path, capsys):
    first = weights(run(raw, tmp_path))
    result = train(make_config(raw), device="cpu", output=tmp_path)
    assert_equal(weights(result), first)
    assert result.iteration == 8
    said = capsys.readouterr().err
    assert "finished: iteration 8 of 8" in said and "--fresh" in said


@pytest.mark.parametrize("door", [train, engine_testing])
@pytest.mark.parametrize("given", ["walkers", ["walkers"], {"data_cfg": {}}, None])
def test_what_is_no_config(door, given):
    with pytest.raises(UserError, match=r"for the config; expected .*load_config\('walkers.yaml'\)"):
        door(given, device="cpu")


def test_a_damaged_newest_checkpoint_is_passed_over(raw, tmp_path, reference, capsys):
    result = run(raw, tmp_path)
    result.checkpoint.write_bytes(result.checkpoint.read_bytes()[:1000])
    result = train(make_config(raw), device="cpu", output=tmp_path)
    assert_equal(weights(result), reference(raw))
    said = capsys.readouterr().err
    assert "Run-00008.pt is damaged" in said
    assert "Run-00004.pt, iteration 4" in said


@pytest.fixture
def at_call(monkeypatch):
    """A function that makes the call number ``moment`` of the triplet loss do something more."""

    def hook(moment, act):
        calls, forward = [], TripletLoss.forward

        @functools.wraps(forward)
        def counted(self, **inputs):
            calls.append(1)
            if len(calls) == moment:
                act()
            return forward(self, **inputs)

        monkeypatch.setattr(TripletLoss, "forward", counted)

    return hook


@pytest.mark.parametrize(("number", "moment"), [(signal.SIGINT, 3), (signal.SIGTERM, 4), (signal.SIGTERM, 8)])
def test_a_signal_saves_first(raw, tmp_path, reference, at_call, number, moment):
    """In mid-interval, where a checkpoint is due, and before the LDA head is fitted."""
    raw["trainer_cfg"]["with_test"] = True
    whole = reference(raw)
    before = signal.getsignal(signal.SIGTERM)
    at_call(moment, lambda: signal.raise_signal(number))
    with pytest.raises(Stopped) as stop:
        run(raw, tmp_path)
    assert stop.value.status == 128 + number
    assert signal.getsignal(signal.SIGTERM) is before
    checkpoints = tmp_path / "Tiny/MeshGait/Run/checkpoints"
    assert max(checkpoints.iterdir()).name == f"Run-0000{moment}.pt"
    result = run(raw, tmp_path)
    assert_equal(weights(result), whole)
    # A file that is there by chance is not tested, so that it cannot be the best one.
    assert [each["iteration"] for each in result.evaluations] == [0, 4, 8]


def test_a_second_ctrl_c_does_not_wait(raw, tmp_path, at_call):
    at_call(2, lambda: [signal.raise_signal(signal.SIGINT) for _ in range(2)])
    with pytest.raises(Stopped):
        run(raw, tmp_path)
    assert not list(tmp_path.rglob("*.pt"))


def test_checkpoints_by_the_clock_replace_each_other(raw, tmp_path, at_call):
    raw["trainer_cfg"]["save_every_minutes"] = 1e-9
    folder = tmp_path / "Tiny/MeshGait/Run/checkpoints"
    seen = []
    at_call(7, lambda: seen.extend(sorted(path.name for path in folder.iterdir())))
    run(raw, tmp_path)
    assert seen == ["Run-00004.pt", "Run-00006.pt"]
    assert sorted(path.name for path in folder.iterdir()) == ["Run-00004.pt", "Run-00008.pt"]


def test_the_seed_decides(raw, tmp_path, reference):
    same = weights(run(raw, tmp_path / "a"))
    assert_equal(same, reference(raw))
    raw["trainer_cfg"]["seed"] = 1
    other = weights(run(raw, tmp_path / "b"))
    assert not torch.equal(other["FCs.fc_bin"], same["FCs.fc_bin"])


def test_the_baseline_trains(baseline, tmp_path):
    result = run(baseline, tmp_path)
    state = load_checkpoint(result.checkpoint)
    assert state["body"] is None
    assert not any(name.startswith(("Heatmap", "Fusion")) for name in state["model"])


def test_other_settings_are_refused(raw, tmp_path):
    run(raw, tmp_path)
    raw["trainer_cfg"]["total_iter"] = 12
    raw["optimizer_cfg"]["lr"] = 0.5
    raw["loss_cfg"][0]["margin"] = 0.3
    with pytest.raises(UserError) as error:
        run(raw, tmp_path)
    message = str(error.value)
    assert "optimizer_cfg.lr: 0.02 there, 0.5 now" in message
    assert "loss_cfg.0.margin: 0.2 there, 0.3 now" in message
    assert "--fresh" in message
    assert "total_iter" not in message
    result = run(raw, tmp_path, fresh=True)
    assert result.iteration == 12
    assert (tmp_path / "Tiny/MeshGait/Run.1/checkpoints/Run-00008.pt").is_file()


def test_another_training_set_is_refused(raw, partition, tmp_path):
    run(raw, tmp_path)
    content = json.loads(partition.read_text())
    content["TRAIN_SET"] = content["TRAIN_SET"][:3] + content["TEST_SET"][:1]
    raw["data_cfg"]["dataset_partition"] = str(tmp_path / "other.json")
    (tmp_path / "other.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="training set: 32 sequences there, 32 others now"):
        run(raw, tmp_path)


def test_another_body_is_told(raw, tmp_path, capsys):
    result = run(raw, tmp_path)
    state = load_checkpoint(result.checkpoint)
    state["body"] = {"name": "somebody", "fingerprint": "0123456789"}
    torch.save(state, result.checkpoint)
    raw["trainer_cfg"]["total_iter"] = 9
    train(make_config(raw), device="cpu", output=tmp_path)
    assert "trained with somebody" in capsys.readouterr().err


def test_silhouettes_of_another_size_are_refused(raw, tmp_path, capsys):
    result = run(raw, tmp_path)
    torch.save(load_checkpoint(result.checkpoint) | {"silhouettes": [128, 128]}, result.checkpoint)
    raw["trainer_cfg"]["total_iter"] = 9
    with pytest.raises(UserError, match="cannot be continued. The silhouettes here are 64 x 64 px.* on 128 x 128"):
        run(raw, tmp_path)
    raw["trainer_cfg"] |= {"save_name": "Other", "total_iter": 1, "restore_hint": str(result.checkpoint)}
    train(make_config(raw), device="cpu", output=tmp_path)
    assert "was trained on 128 x 128 px" in capsys.readouterr().err


def test_weights_of_another_file(raw, tmp_path):
    first = run(raw, tmp_path / "a")
    state = load_checkpoint(first.checkpoint)
    # As OpenGait would have written it.
    torch.save({key: state[key] for key in ("model", "optimizer", "scheduler", "iteration")}, tmp_path / "x.pt")
    raw["trainer_cfg"] |= {"restore_hint": str(tmp_path / "x.pt"), "total_iter": 1}
    raw["trainer_cfg"]["optimizer_reset"] = True
    raw["optimizer_cfg"]["lr"] = 1e-9
    result = run(raw, tmp_path / "b")
    assert result.iteration == 1
    moved = weights(result)
    assert torch.allclose(moved["FCs.fc_bin"], state["model"]["FCs.fc_bin"], atol=1e-6)
    raw["trainer_cfg"]["restore_hint"] = str(tmp_path / "absent.pt")
    with pytest.raises(UserError, match="absent.pt is missing"):
        run(raw, tmp_path / "c")


def test_weights_of_another_run_whose_schedule_has_ended(raw, tmp_path):
    raw["scheduler_cfg"] = {"scheduler": "OneCycleLR", "max_lr": 0.01}
    raw["trainer_cfg"] |= {"total_iter": 2, "save_iter": 2}
    first = run(raw, tmp_path / "a")
    raw["trainer_cfg"]["total_iter"] = 3
    raw["scheduler_cfg"]["total_steps"] = 3
    other = copy.deepcopy(raw) | {"optimizer_cfg": {"solver": "Adam"}}
    raw["trainer_cfg"]["restore_hint"] = other["trainer_cfg"]["restore_hint"] = str(first.checkpoint)
    result = run(raw, tmp_path / "b")
    assert result.iteration == 3
    # The learning rates of a training that begins, not of one that has ended.
    fresh = run({**raw, "trainer_cfg": {**raw["trainer_cfg"], "restore_hint": 0}}, tmp_path / "c")
    key = "scalar/learning_rate"
    rates = [[r["scalars"][key] for r in each.records if "scalars" in r] for each in (result, fresh)]
    assert rates[0] == rates[1]
    assert run(other, tmp_path / "d").iteration == 3  # the moments of SGD are left alone


def test_momentum_of_another_run_is_taken_where_it_fits():
    net = torch.nn.Linear(2, 3)
    theirs = torch.optim.SGD(net.parameters(), 0.5, momentum=0.9)
    net(torch.ones(1, 2)).sum().backward()
    theirs.step()
    mine = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9)
    assert take_moments(mine, theirs.state_dict())
    assert mine.param_groups[0]["lr"] == 0.01
    assert torch.equal(mine.state[net.weight]["momentum_buffer"], theirs.state[net.weight]["momentum_buffer"])
    for other in (
        torch.optim.Adam(net.parameters()),
        torch.optim.SGD([net.weight], 0.01),
        torch.optim.SGD(torch.nn.Linear(2, 4).parameters(), 0.01),
    ):
        assert not take_moments(other, theirs.state_dict()) and not other.state


def test_weights_for_other_people(raw, partition, tmp_path, capsys):
    first = run(raw, tmp_path / "a")
    content = json.loads(partition.read_text())
    (tmp_path / "p.json").write_text(json.dumps({**content, "TRAIN_SET": content["TRAIN_SET"] + content["TEST_SET"]}))
    raw["data_cfg"]["dataset_partition"] = str(tmp_path / "p.json")
    raw["model_cfg"]["SeparateBNNecks"]["class_num"] = 6
    raw["model_cfg"]["Discriminant"]["channels"] = 5
    raw["trainer_cfg"] |= {"restore_hint": str(first.checkpoint), "total_iter": 1}
    raw["optimizer_cfg"]["lr"] = 1e-9
    with pytest.raises(UserError, match=r"(?s)fc_bin: .* 4\] in the file, .* 6\] in the network.*_strict: false"):
        run(raw, tmp_path / "b")
    raw["trainer_cfg"]["restore_ckpt_strict"] = False
    result = train(make_config(raw), device="cpu", output=tmp_path / "c")
    said = capsys.readouterr().err
    assert "weights of this file or network are left out:" in said
    assert "BNNecks.fc_bin: [4, 8, 4] in the file, [4, 8, 6] in the network" in said
    assert "Discriminant.silhouettes.basis: " in said
    before, after = weights(first), weights(result)
    assert torch.allclose(before["FCs.fc_bin"], after["FCs.fc_bin"], atol=1e-6)
    assert after["BNNecks.fc_bin"].shape[-1] == 6 and after["Discriminant.silhouettes.basis"].any()


def test_going_back_to_an_iteration(raw, tmp_path, reference):
    run(raw, tmp_path)
    raw["trainer_cfg"]["restore_hint"] = 4
    assert_equal(
        weights(run(raw, tmp_path)), reference(raw | {"trainer_cfg": raw["trainer_cfg"] | {"restore_hint": 0}})
    )
    raw["trainer_cfg"]["restore_hint"] = 3
    with pytest.raises(UserError, match="Iterations saved in that folder: 4, 8"):
        run(raw, tmp_path)


def test_frozen_batch_normalisation(raw, tmp_path):
    raw["trainer_cfg"]["fix_BN"] = True
    state = weights(run(raw, tmp_path))
    assert all(value.eq(0).all() for name, value in state.items() if name.endswith("running_mean"))


def test_weights_that_nothing_trains_are_told(raw, tmp_path, monkeypatch, capsys):
    build = engine_build.build_network

    def with_spare_layer(*arguments):
        net = build(*arguments)
        net.spare = torch.nn.Linear(1, 1)
        return net

    monkeypatch.setattr(engine_build, "build_network", with_spare_layer)
    raw["trainer_cfg"]["total_iter"] = 1
    train(make_config(raw), device="cpu", output=tmp_path)
    assert "No loss depends on 2 weights of the network, spare.weight among them" in capsys.readouterr().err


def test_a_classifier_without_its_loss_is_left_alone(raw, tmp_path, capsys):
    """DistributedDataParallel would wait for its gradients for ever."""
    del raw["loss_cfg"][1]
    raw["trainer_cfg"]["save_iter"] = 1
    result = train(make_config(raw), device="cpu", output=tmp_path)
    assert "No loss depends" not in capsys.readouterr().err
    assert torch.equal(
        load_checkpoint(result.checkpoint.with_name("Run-00001.pt"))["model"]["BNNecks.fc_bin"],
        weights(result)["BNNecks.fc_bin"],
    )


def test_3d_first_and_then_recognition(raw, tmp_path):
    losses, head = raw["loss_cfg"], raw["model_cfg"].pop("Discriminant")
    raw["loss_cfg"] = [loss for loss in losses if loss["log_prefix"] not in ("triplet", "softmax")]
    raw["trainer_cfg"] |= {"save_iter": 1, "total_iter": 2, "with_test": True}
    first = run(raw, tmp_path / "first")
    one = load_checkpoint(first.checkpoint.with_name("Run-00001.pt"))["model"]
    taught = {name.split(".")[0] for name, value in weights(first).items() if not torch.equal(value, one[name])}
    assert taught == {"HeatmapEstimator"}
    assert any("No loss of this config teaches recognition" in note for note in first.evaluations[-1]["notes"])
    raw["loss_cfg"], raw["model_cfg"]["Discriminant"] = losses, head
    learned = {name: value for name, value in weights(first).items() if name.startswith("HeatmapEstimator.")}
    frozen = copy.deepcopy(raw)
    frozen["model_cfg"]["heatmap_cfg"]["frozen"] = True
    with pytest.raises(UserError, match="marker, joint, mesh would teach nothing, for heatmap_cfg is frozen"):
        run(frozen, tmp_path / "third")
    frozen["loss_cfg"] = losses[:2]
    with pytest.raises(UserError, match="would begin with fresh weights: name a checkpoint"):
        run(frozen, tmp_path / "third")
    frozen["trainer_cfg"] |= {"restore_hint": str(first.checkpoint), "restore_ckpt_strict": False}
    third = weights(run(frozen, tmp_path / "third"))
    assert_equal({name: third[name] for name in learned}, learned)
    assert not torch.equal(third["FCs.fc_bin"], weights(first)["FCs.fc_bin"])
    raw["trainer_cfg"] |= {"restore_hint": str(first.checkpoint), "restore_ckpt_strict": False}
    raw["optimizer_cfg"]["lr"] = 1e-9
    second = run(raw, tmp_path / "second")
    for name, value in learned.items():
        if "running" not in name and "num_batches" not in name:
            torch.testing.assert_close(weights(second)[name], value, rtol=0, atol=1e-6)


def test_clipping(raw, tmp_path):
    raw["model_cfg"]["Discriminant"] = None  # fitted in the last iteration
    raw["trainer_cfg"] |= {"clip_grad_norm": 1e-9, "total_iter": 2}
    raw["optimizer_cfg"] = {"solver": "SGD", "lr": 0.1, "weight_decay": 0, "momentum": 0}
    raw["trainer_cfg"]["save_iter"] = 1
    result = run(raw, tmp_path)
    first, second = (load_checkpoint(result.checkpoint.with_name(f"Run-0000{i}.pt"))["model"] for i in (1, 2))
    for name in first:
        if "running" not in name and "num_batches" not in name:
            assert torch.allclose(first[name], second[name], atol=1e-9), name


@pytest.mark.parametrize("sample_type", ["fixed_ordered", "unfixed_unordered"])
def test_augmentation_goes_on(raw, tmp_path, reference, sample_type):
    raw["model_cfg"]["augment_cfg"] = {"flip": 0.5, "affine": {"probability": 0.5, "degrees": 10}}
    raw["trainer_cfg"]["sampler"] |= {"sample_type": sample_type, "frames_num_min": 2, "frames_num_max": 3}
    whole = reference(raw)
    raw["trainer_cfg"]["total_iter"] = 4
    run(raw, tmp_path)
    raw["trainer_cfg"]["total_iter"] = 8
    assert_equal(weights(run(raw, tmp_path)), whole)


def test_a_loss_that_is_not_finite(raw, tmp_path, monkeypatch, reference):
    raw["model_cfg"]["Discriminant"] = None  # fitted in the last iteration
    raw["trainer_cfg"] |= {"total_iter": 5, "save_iter": 100}
    good = reference(raw)
    calls, forward = [], TripletLoss.forward

    @functools.wraps(forward)
    def bad(self, **inputs):
        calls.append(1)
        loss, info = forward(self, **inputs)
        return (loss * np.nan if len(calls) == 6 else loss), info

    monkeypatch.setattr(TripletLoss, "forward", bad)
    raw["trainer_cfg"]["total_iter"] = 8
    with pytest.raises(UserError) as error:
        run(raw, tmp_path)
    message = str(error.value)
    assert "'triplet'" in message
    assert "iteration 6" in message
    assert "0001/" in message
    path = tmp_path / "Tiny/MeshGait/Run/checkpoints/Run-00005.pt"
    assert str(path) in message
    assert_equal(load_checkpoint(path)["model"], good)


def test_broken_weights_are_not_saved(raw, tmp_path):
    raw["optimizer_cfg"]["lr"] = raw["loss_cfg"][0]["loss_term_weight"] = 1e30
    with pytest.raises(UserError, match="iteration 2.*None were saved yet"):
        run(raw, tmp_path)


def test_tests_in_between(raw, tmp_path, capsys):
    raw["trainer_cfg"]["with_test"] = True
    result = train(make_config(raw), device="cpu", output=tmp_path)
    assert "no VAL_SET" in capsys.readouterr().err
    assert [found["iteration"] for found in result.evaluations] == [0, 4, 8]
    assert all(found["split"] == "test" and found["bodies"]["marker_mm"] > 0 for found in result.evaluations)
    assert not any("probes" in found for found in result.evaluations)
    best = max(result.evaluations[1:], key=lambda found: found["rank1"])
    assert json.loads((result.folder / "best.json").read_text()) == {
        "iteration": best["iteration"], "rank1": best["rank1"], "split": "test",
    }  # fmt: skip
    # A kill between the last checkpoint and its test.
    log = result.folder / "log.jsonl"
    log.write_text("".join(line + "\n" for line in log.read_text().splitlines()[:-1]) + '{"iteration": 8, "eva')
    again = run(raw, tmp_path)
    assert [found["iteration"] for found in again.evaluations] == [0, 4, 8]
    assert again.evaluations[-1]["metrics"] == result.evaluations[-1]["metrics"]


def test_tests_do_not_disturb_training(raw, tmp_path, reference):
    whole = reference(raw)
    raw["trainer_cfg"]["with_test"] = True
    assert_equal(weights(run(raw, tmp_path)), whole)


def test_validation_people_are_preferred(raw, partition, tmp_path):
    content = json.loads(partition.read_text())
    content["VAL_SET"] = content["TEST_SET"]
    raw["data_cfg"]["dataset_partition"] = str(tmp_path / "with_val.json")
    (tmp_path / "with_val.json").write_text(json.dumps(content))
    raw["trainer_cfg"]["with_test"] = True
    assert run(raw, tmp_path).evaluations[0]["split"] == "val"
