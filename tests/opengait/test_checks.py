"""What is refused or corrected before OpenGait starts; none of it needs OpenGait."""

import pytest

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.opengait.checks import check, find_weights, foresee_test, normalize


@pytest.fixture
def cfgs(tiny_config):
    """A config as OpenGait merges it into its defaults."""
    config = tiny_config()
    config["evaluator_cfg"] |= {"eval_func": "evaluate_indoor_dataset", "metric": "euc"}
    config["evaluator_cfg"]["sampler"] |= {"type": "InferenceSampler", "sample_type": "all_ordered"}
    config["trainer_cfg"]["sampler"] |= {"sample_type": "fixed_unordered"}
    return config


def refusal(cfgs, training=True):
    with pytest.raises(UserError) as error:
        check(cfgs, training, ("SupConLoss_Re",))
    return str(error.value)


def test_a_good_config_passes(cfgs):
    check(cfgs, training=True)
    check(cfgs, training=False)


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        ("model_cfg", "fuson", "add", "model_cfg.fuson: unknown key. Did you mean 'fusion'?"),
        ("model_cfg", "body_cfg", {"bodi": None}, "model_cfg.body_cfg.bodi: unknown key. Did you mean 'body'?"),
        ("model_cfg", "Discriminant", {"shrinkag": 1}, "Discriminant has no such argument. Did you mean 'shrinkage'"),
        ("model_cfg", "augment_cfg", {"flips": 3}, "model_cfg.augment_cfg.flips: the body model fills it in"),
        ("optimizer_cfg", "momentun", 0.9, "optimizer_cfg.momentun: SGD has no such argument. Did you mean 'momentum'"),
        ("scheduler_cfg", "scheduler", "CosineLR", "scheduler_cfg.scheduler: Unknown schedule 'CosineLR'"),
        ("data_cfg", "data_in_use", [1, 1], "reads as places, not as switches"),
        ("data_cfg", "data_in_use", [True, True, True], "expected one true (silhouettes) or two (with bodies)"),
        ("data_cfg", "data_in_use", [True, False], "marker, joint, mesh compare with bodies: write [true, true]"),
        ("data_cfg", "test_dataset_name", "Walker", "Did you mean 'Walkers'?"),
        ("evaluator_cfg", "metric", "cosine", "evaluator_cfg.metric: unknown 'cosine'"),
        ("evaluator_cfg", "transform", [{"type": "BaseSilTransfrom"}], "Did you mean 'BaseSilTransform' or"),
        ("trainer_cfg", "transform", [{"type": "BaseSilCuttingTransform"}], "two (silhouettes, then bodies)"),
        ("trainer_cfg", "sampler", {"sample_type": "fixed_orderd"}, "Did you mean 'fixed_ordered'"),
        ("model_cfg", "heatmap_cfg", {"type": "HeatmapEstimator", "frozen": True}, "would begin with fresh weights"),
        ("model_cfg", "heatmap_cfg", None, "It compares predicted bodies: give the model a heatmap_cfg"),
    ],
)
def test_single_mistakes(cfgs, section, key, value, message):
    cfgs[section][key] = value
    if key == "heatmap_cfg":
        cfgs["trainer_cfg"]["transform"] = cfgs["trainer_cfg"]["transform"][:1]
    assert message in refusal(cfgs)


@pytest.mark.parametrize(
    ("place", "changes", "message"),
    [
        (0, {"log_prefix": "triplets"}, "Did you mean 'triplet'?"),
        (0, {"margn": 1}, "margn: TripletLoss has no such argument. Did you mean 'margin'?"),
        (2, {"norm": "l3"}, "norm: found 'l3' (text); expected 'l1' or 'l2'"),
        (3, {"log_prefix": "marker"}, "Two losses of loss_cfg have the log_prefix 'marker'"),
        (0, {"type": "opengait_meshgait.losses.TripletLoss"}, "OpenGait takes losses by name"),
        (0, {"type": "TripletLos"}, "Unknown loss 'TripletLos'. Did you mean 'TripletLoss'?"),
        (0, {"type": "SupConLoss_Re", "log_prefix": "pairs"}, "SupConLoss_Re would never be used"),
    ],
)
def test_mistakes_in_losses(cfgs, place, changes, message):
    cfgs["loss_cfg"][place] |= changes
    assert message in refusal(cfgs)
    check(cfgs, training=False)


def test_losses_of_opengait_may_be_used(cfgs):
    cfgs["loss_cfg"][0] = {"type": "SupConLoss_Re", "log_prefix": "triplet", "temperature": 0.1}
    cfgs["loss_cfg"][1]["gather_and_scale"] = False
    check(cfgs, training=True, more_losses=("SupConLoss_Re",))


def test_augmentation_wants_equally_long_sequences(cfgs):
    cfgs["model_cfg"]["augment_cfg"] = {"flip": 0.5}
    check(cfgs, training=True)
    cfgs["trainer_cfg"]["sampler"] |= {"sample_type": "unfixed_ordered", "frames_num_min": 2, "frames_num_max": 3}
    assert "needs a fixed number of frames" in refusal(cfgs)


def test_all_mistakes_are_told_at_once(cfgs):
    cfgs["model_cfg"]["a"] = 1
    cfgs["data_cfg"]["data_in_use"] = [0, 1]
    cfgs["evaluator_cfg"]["metric"] = "l2"
    assert len(refusal(cfgs).splitlines()) == 4


def test_put_right(cfgs):
    cfgs["scheduler_cfg"] = {"scheduler": "OneCycleLR", "max_lr": 0.1}
    cfgs["trainer_cfg"] |= {"seed": 3, "clip_grad_norm": None}
    notes = normalize(cfgs, training=True, world_size=2)
    assert len(notes) == 4
    assert cfgs["evaluator_cfg"]["sampler"]["batch_size"] == 2
    assert cfgs["evaluator_cfg"]["eval_func"] == "evaluate_walkers"
    assert cfgs["scheduler_cfg"]["total_steps"] == cfgs["trainer_cfg"]["total_iter"]
    assert notes[-1] == "trainer_cfg.seed is without effect in OpenGait."
    cfgs["data_cfg"]["test_dataset_name"] = "OUMVLP"
    assert normalize(cfgs, training=False, world_size=2) == []


def test_find_weights(cfgs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="holds no trained weights, and random ones are worth no test"):
        find_weights(cfgs)
    folder = tmp_path / "output/Walkers/MeshGait/Tiny/checkpoints"
    folder.mkdir(parents=True)
    for name in ("Tiny-00002.pt", "Tiny-100000.pt", "Tiny-x.pt", "Tiny2-00003.pt"):
        (folder / name).touch()
    cfgs["evaluator_cfg"]["restore_hint"] = 80000
    with pytest.raises(UserError, match=r"no weights Tiny-80000.pt. Iterations saved there: 2, 100000\."):
        find_weights(cfgs)
    cfgs["evaluator_cfg"]["restore_hint"] = 0
    assert find_weights(cfgs) == ["evaluator_cfg.restore_hint is 100000 now, the newest weights."]
    assert cfgs["evaluator_cfg"]["restore_hint"] == 100000
    assert find_weights(cfgs) == []
    cfgs["evaluator_cfg"]["restore_hint"] = "nowhere.pt"
    with pytest.raises(UserError, match="nowhere.pt is not a file"):
        find_weights(cfgs)


def test_a_test_that_will_fail_is_foreseen_before_the_training(cfgs, tmp_path):
    cfgs["data_cfg"]["dataset_root"] = str(tmp_path / "nowhere")
    (note,) = foresee_test(cfgs)
    assert note.startswith("This training can go on, but its test will not work: ")
    assert "nowhere" in note
