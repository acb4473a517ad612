"""YAML files: defaults, overrides, and what is said of mistakes."""

import datetime
import json
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from unittest import mock

import pytest
import torch
import yaml

from opengait_meshgait.common.configs import CONFIG_NAMES, compose
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.data.transforms import TRANSFORMS
from opengait_meshgait.engine.build import build_losses, build_optimizer, build_scheduler
from opengait_meshgait.engine.config import load_config, make_config, save_name
from opengait_meshgait.engine.optimization import OPTIMIZERS, SCHEDULERS
from opengait_meshgait.engine.reference import reference
from opengait_meshgait.engine.schema import Config, Section
from opengait_meshgait.losses import LOSSES
from opengait_meshgait.networks import count_flops, make_network
from opengait_meshgait.networks.registry import BACKBONES, ESTIMATORS, LAYERS

ROOT = Path(__file__).parents[2]
BASELINES = [
    name for name in CONFIG_NAMES if "_silhouette" in name and not name.startswith(("walkers_small", "walkers_full"))
]


def change(raw, path, value):
    *parents, last = path.split(".")
    for key in parents:
        raw = raw[int(key)] if isinstance(raw, list) else raw.setdefault(key, {})
    raw[last] = value


DATA = ("gait3d", "oumvlp", "casiab", "casiae", "ccpg", "grew", "sustech1k", "fvg", "walkers")


@cache
def buildable(model_cfg):
    """Makes a network, given as text: many configs differ in the number of classes alone."""
    # Without numbers: the largest of these networks take seconds to fill and to run. Autocast knows no such device.
    with torch.device("meta"), mock.patch("torch.autocast", lambda *_, **__: nullcontext()):
        make_network(json.loads(model_cfg))
    return True


@pytest.mark.parametrize("name", CONFIG_NAMES)
def test_shipped_configs_are_valid(name):
    config = load_config(name)
    assert (config.model_cfg.heatmap_cfg is None) == ("silhouette" in name.split("_"))
    assert config.trainer_cfg.save_name == config.evaluator_cfg.save_name == name  # so that runs do not meet
    model_cfg = config.model_cfg.model_dump()
    model_cfg["SeparateBNNecks"]["class_num"] = 2
    assert buildable(json.dumps(model_cfg))


def test_every_data_set_has_every_backbone_published_alone_and_extended():
    backbones = ("", "_gaitset", "_gaitpart", "_gaitgl", "_deepgaitv2", "_swingait")
    variants = ("", "_silhouette", "_silhouette_lda", "_lda", "_shared")
    expected = {f"{data}{b}{v}" for data in DATA for b in backbones for v in variants}
    assert expected - {*CONFIG_NAMES} == {f"{data}_gaitgl_shared" for data in DATA}


@pytest.mark.parametrize("name", [data for data in DATA if data not in ("oumvlp", "walkers")])
def test_real_data_sets_train_the_network_of_gait3d(name):
    config, gait3d = load_config(name), load_config("gait3d")
    assert config.model_cfg.model_dump(exclude={"SeparateBNNecks"}) == gait3d.model_cfg.model_dump(
        exclude={"SeparateBNNecks"}
    )
    assert config.loss_cfg == gait3d.loss_cfg and config.optimizer_cfg == gait3d.optimizer_cfg
    assert config.scheduler_cfg.milestones[-1] < config.trainer_cfg.total_iter
    assert config.data_cfg.test_dataset_name == config.data_cfg.dataset_name


# model_cfg of 0.1.0's gait3d_paper.yaml, as its files merged.
PUBLISHED = {
    "model": "MeshGait",
    "backbone_cfg": {
        "type": "ResNet9", "block": "BasicBlock", "channels": [64, 128, 256, 512], "layers": [1, 1, 1, 1],
        "strides": [1, 2, 2, 1], "maxpool": False,
    },
    "heatmap_cfg": {"type": "HeatmapEstimator", "reads": "silhouettes", "shrink": 1, "markers": 64, "depth": 8},
    "Discriminant": None,
    "SeparateFCs": {"out_channels": 256},
    "SeparateBNNecks": {"class_num": 3000},
    "bin_num": [16],
    "body_cfg": {"body": None, "markers": None},
    "augment_cfg": {"flip": 0.2, "affine": {"probability": 0.2, "degrees": 10}, "perspective": {"probability": 0.2}},
    "HeatmapFeatures": {"channels": [128, 256]},
    "fusion": "concat",
}  # fmt: skip


def test_checkpoints_of_the_former_gait3d_paper_fit_gait3d_without_convolutions_over_time():
    model_cfg = compose("gait3d")["model_cfg"]
    model_cfg["heatmap_cfg"]["dilations"] = []
    former, present = make_network(PUBLISHED), make_network(model_cfg)
    present.load_state_dict(former.state_dict())
    sils = torch.rand(1, 2, 64, 44, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        former, present = (net.eval()(sils).embeddings for net in (former, present))
    assert torch.equal(former, present)


def test_variants_change_what_they_name():
    plain, lda, shared = (load_config(f"gait3d{variant}").model_cfg.model_dump() for variant in ("", "_lda", "_shared"))
    assert lda == plain | {"Discriminant": {"marker_weight": "auto"}}
    estimator = plain["heatmap_cfg"] | {"reads": "backbone", "shrink": 2}
    assert shared == lda | {"heatmap_cfg": estimator, "HeatmapFeatures": None}


@pytest.mark.parametrize("name", BASELINES)
def test_shipped_baselines_differ_only_in_the_heatmap_branch(name):
    ours, baseline = load_config(name.replace("_silhouette", "")), load_config(name)
    for section in ("optimizer_cfg", "scheduler_cfg"):
        assert getattr(ours, section) == getattr(baseline, section)
    assert ours.trainer_cfg.model_dump(exclude={"save_name", "transform"}) == baseline.trainer_cfg.model_dump(
        exclude={"save_name", "transform"}
    )
    branch = {"heatmap_cfg", "HeatmapFeatures"}
    assert ours.model_cfg.model_dump(exclude=branch) == baseline.model_cfg.model_dump(exclude=branch)
    recognition = [loss for loss in ours.loss_cfg if loss["log_prefix"] in ("triplet", "softmax")]
    assert recognition == baseline.loss_cfg


def test_experiments_compare_networks_of_equal_cost_and_budget():
    configs = {name: load_config(name) for name in CONFIG_NAMES if name.startswith(("walkers_small", "walkers_full"))}
    for name, config in configs.items():
        if name.endswith("_bodies"):
            continue  # no network that is compared, but what others begin with
        ours = configs["_".join(name.split("_")[:2])]
        assert config.optimizer_cfg == ours.optimizer_cfg and config.scheduler_cfg == ours.scheduler_cfg
        assert config.trainer_cfg.total_iter == ours.trainer_cfg.total_iter
        assert config.trainer_cfg.sampler == ours.trainer_cfg.sampler
    for backbone in ("", "_deepgaitv2", "_gaitpart", "_gaitset"):
        name = f"walkers_small{backbone}"
        pair = (configs[f"{name}{variant}"].model_cfg.model_dump() for variant in ("_shared", "_silhouette_lda"))
        cost, of_silhouettes = (count_flops(make_network(model))[1] for model in pair)
        assert cost <= of_silhouettes < 1.02 * cost, name


def test_full_experiments_train_the_network_of_gait3d():
    full, gait3d = load_config("walkers_full"), load_config("gait3d")
    different = {"SeparateBNNecks": {"class_num"}, "heatmap_cfg": {"channels"}}
    assert full.model_cfg.model_dump(exclude=different) == gait3d.model_cfg.model_dump(exclude=different)
    assert full.loss_cfg == gait3d.loss_cfg and full.optimizer_cfg == gait3d.optimizer_cfg
    assert full.trainer_cfg.sampler == gait3d.trainer_cfg.sampler


def test_defaults_are_openGaits(raw):
    del raw["optimizer_cfg"], raw["scheduler_cfg"], raw["trainer_cfg"]["save_name"]
    config = make_config(raw)
    assert config.optimizer_cfg.model_dump() == {"solver": "SGD", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.0005}
    assert config.scheduler_cfg.model_dump() == {
        "scheduler": "MultiStepLR", "gamma": 0.1, "milestones": [20000, 40000, 60000],
    }  # fmt: skip
    assert config.trainer_cfg.save_name == "tmp"
    assert config.evaluator_cfg.metric == "euc"


def test_defaults_go_only_to_classes_that_take_them(raw):
    raw["optimizer_cfg"] = {"solver": "AdamW", "lr": 0.001}
    raw["scheduler_cfg"] = {"scheduler": "OneCycleLR", "max_lr": 0.01}
    config = make_config(raw)
    assert config.optimizer_cfg.model_extra == {"lr": 0.001, "weight_decay": 0.0005}
    assert config.scheduler_cfg.model_extra == {"max_lr": 0.01, "total_steps": 8}


def test_one_loss_or_transform_needs_no_list(baseline):
    baseline["loss_cfg"] = baseline["loss_cfg"][0]
    baseline["trainer_cfg"]["transform"] = {"type": "BaseSilCuttingTransform"}
    config = make_config(baseline)
    assert [loss["type"] for loss in config.loss_cfg] == ["TripletLoss"]
    assert config.trainer_cfg.transform == [{"type": "BaseSilCuttingTransform"}]


def test_defaults_are_not_shared(raw):
    del raw["optimizer_cfg"]
    first, second = make_config(raw), make_config(raw)
    first.optimizer_cfg.model_extra["lr"] = 3.0
    first.evaluator_cfg.sampler.batch_size = 7
    assert second.optimizer_cfg.model_extra["lr"] == 0.1
    assert Config.model_fields["evaluator_cfg"].default.sampler.batch_size == 4


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("trainer_cfg.totl_iter", 3, "trainer_cfg.totl_iter: unknown key. Did you mean 'total_iter'"),
        ("trainer_cfg.sampler.frame_num_fixed", 3, "Did you mean 'frames_num_fixed'"),
        ("int", {}, "int: unknown key"),
        ("modl_cfg", {}, "modl_cfg: unknown key. Did you mean 'model_cfg'"),
        ("trainer_cfg.total_iter", "many", "trainer_cfg.total_iter: found 'many' (text); expected a whole number"),
        ("trainer_cfg.total_iter", 0, "expected greater than 0"),
        ("trainer_cfg.save_iter", 0, "trainer_cfg.save_iter: found 0"),
        ("trainer_cfg.with_test", 1, "trainer_cfg.with_test: found 1 (a whole number); expected true or false"),
        ("trainer_cfg.clip_grad_norm", "1", "expected a number"),
        (
            "trainer_cfg.restore_hint",
            1.5,
            "trainer_cfg.restore_hint: found 1.5 (a number); expected a whole number or text",
        ),
        ("trainer_cfg.restore_hint", -1, "trainer_cfg.restore_hint: found -1"),
        ("trainer_cfg.sampler.batch_size", [8], "trainer_cfg.sampler.batch_size: found [8] (a list)"),
        ("trainer_cfg.sampler.sample_type", "fixed", "expected 'fixed_unordered'"),
        ("model_cfg.heatmap_cfg.dilations", [1], "sample_type: found fixed_unordered; heatmap_cfg.dilations looks at"),
        ("trainer_cfg.sampler.frames_num_min", 60, "frames_num_min is larger"),
        ("trainer_cfg.transform", [], "trainer_cfg.transform: found [] (a list); expected at least 1 item"),
        ("trainer_cfg.transform", [{"type": "NoOperation"}], "trainer_cfg.transform: found 1; expected 2"),
        ("trainer_cfg.save_name", "a/b", "trainer_cfg.save_name: found 'a/b'"),
        ("evaluator_cfg.metric", "cosine", "evaluator_cfg.metric: found 'cosine' (text); expected 'euc' or 'cos'"),
        ("evaluator_cfg.eval_func", "rank", "expected 'evaluate_indoor_dataset', 'evaluate_real_scene', "),
        ("model_cfg", None, "model_cfg: found null; expected a mapping"),
        ("model_cfg.heatmap_cfg.in_channels", 7, "heatmap_cfg.in_channels: the network fills it in: take it out"),
        ("model_cfg.HeatmapFeatures.in_channels", 7, "HeatmapFeatures.in_channels: the network fills it in"),
        (
            "model_cfg.backbone_cfg",
            {"type": "GaitSet", "bin_num": [4]},
            "bin_num: the network fills it in",
        ),
        ("model_cfg.backbone_cfg.in_channel", 3, "in_channel: found 3; silhouettes have one channel: write 1"),
        ("model_cfg.Discriminant", {"features": 7, "markers": 3}, "model_cfg.Discriminant.markers: the network fills"),
        (
            "model_cfg.Discriminant",
            {"shrinkag": 1},
            "Discriminant.shrinkag: Discriminant has no such argument",
        ),
        ("model_cfg.augment_cfg", {"flips": 3}, "model_cfg.augment_cfg.flips: the body model fills it in: take it out"),
        ("model_cfg.augment_cfg.affine", {"degrees": 500}, "model_cfg.augment_cfg.affine.degrees: found 500"),
        ("model_cfg.backbone_cfg.type", "absent_package.Net", "Cannot import absent_package for the backbone"),
        ("model_cfg.backbone_cfg.type", "math.sqrt", "sqrt is not a class that derives from Module"),
        ("loss_cfg.0.margin", "x", "loss_cfg.0.margin: found 'x' (text); expected a number"),
        ("trainer_cfg.save_name", 7, "expected text: put it in quotes, in a shell in two: \"save_name='…'\""),
        ("trainer_cfg.save_name", datetime.date(2026, 1, 31), "expected text: put it in quotes"),
        ("trainer_cfg.seed", 2**63, "trainer_cfg.seed: found 9223372036854775808 (a whole number); expected less than"),
        ("loss_cfg.0.log_prefix", "tripet", "loss_cfg: The loss TripletLoss has the log_prefix 'tripet'"),
        ("trainer_cfg.transform.0.cuting", 3, "trainer_cfg.transform.0.cuting: BaseSilCuttingTransform has no such"),
        ("model_cfg.SeparateFCs", {}, "model_cfg.SeparateFCs.out_channels: missing. Channels of the embedding."),
        ("model_cfg.fusion", "sum", "expected 'concat', 'add' or 'gated'"),
        ("model_cfg.model", "Baseline", "Baseline is silhouette-only"),
        ("model_cfg.heatmap_cfg", None, "marker, joint, mesh need the heatmap branch"),
        ("data_cfg.data_in_use", [True, False], "compare with bodies, so set [true, true]"),
        ("data_cfg.data_in_use", [1, 1], "data_cfg.data_in_use.0: found 1 (a whole number); expected true or false"),
        ("data_cfg.data_in_use", [False, False], "expected one true"),
        ("trainer_cfg.save_name", "a/b", "trainer_cfg.save_name: found 'a/b'; expected the name of one folder below"),
        ("evaluator_cfg.save_name", "..", "evaluator_cfg.save_name: found '..'; expected the name of one folder below"),
        ("data_cfg.dataset_name", "", "data_cfg.dataset_name: found ''; expected the name of one folder below"),
        ("optimizer_cfg.solver", "sgd", "optimizer_cfg.solver: Unknown optimizer 'sgd'. Did you mean 'SGD'"),
        ("optimizer_cfg.momentun", 0.9, "optimizer_cfg.momentun: SGD has no such argument. Did you mean 'momentum'"),
        ("optimizer_cfg.solver", "LAMB", "optimizer_cfg.solver: Unknown optimizer 'LAMB'. Known: ASGD"),
        ("optimizer_cfg.solver", "LAMB", "named by its import path: my_package.MyClass"),
        ("optimizer_cfg.solver", "LBFGS", "The optimizer LBFGS cannot be used: it computes the loss several times"),
        ("optimizer_cfg.nesterov", 1, "optimizer_cfg.nesterov: found 1 (a whole number); expected true or false"),
        ("scheduler_cfg.scheduler", "WarmupMultiStep", "Did you mean 'MultiStepLR'"),
        ("scheduler_cfg.scheduler", "CosineWarmup", "OneCycleLR warms up and then anneals by a cosine"),
        ("scheduler_cfg.scheduler", "ReduceLROnPlateau", "it waits for a figure to stop improving"),
        ("scheduler_cfg.scheduler", "SequentialLR", "it takes other schedules; OneCycleLR warms up"),
        (
            "scheduler_cfg",
            {"scheduler": "CosineAnnealingLR"},
            "T_max: missing; CosineAnnealingLR needs it",
        ),
        ("scheduler_cfg", {"scheduler": "OneCycleLR", "max_lr": 1, "epochs": 3}, "count iterations here, not epochs"),
        ("scheduler_cfg.gama", 0.9, "MultiStepLR has no such argument. Did you mean 'gamma'"),
        ("scheduler_cfg", {"scheduler": "OneCycleLR"}, "scheduler_cfg.max_lr: missing; OneCycleLR needs it"),
        ("scheduler_cfg", {"scheduler": "OneCycleLR", "max_lr": 1, "total_steps": 3}, "3 is fewer than"),
    ],
)
def test_mistakes(raw, path, value, message):
    change(raw, path, value)
    with pytest.raises(UserError) as error:
        make_config(raw, "file.yaml")
    assert str(error.value).startswith("file.yaml cannot be used:")
    assert message in str(error.value)


def test_all_mistakes_are_told_at_once(raw):
    raw["trainer_cfg"] |= {"seed": "x", "sync_bn": True}
    with pytest.raises(UserError) as error:
        make_config(raw)
    assert "trainer_cfg.seed" in str(error.value)
    assert "sync_BN" in str(error.value)


@pytest.fixture
def file(raw, tmp_path):
    path = tmp_path / "file.yaml"
    path.write_text(yaml.safe_dump(raw))
    return path


def test_overrides(file):
    config = load_config(
        file,
        ["optimizer_cfg.lr=1e-3", "loss_cfg.1.scale=30", "evaluator_cfg.metric=cos", "model_cfg.augment_cfg.flip=0.5"],
    )
    assert config.optimizer_cfg.model_extra["lr"] == 0.001
    assert config.loss_cfg[1]["scale"] == 30
    assert config.evaluator_cfg.metric == "cos"
    assert config.model_cfg.augment_cfg.model_dump(exclude_none=True) == {"flip": 0.5}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer_cfg.total_iter", "expected section.key=value"),
        ("=3", "expected section.key=value"),
        ("trainer_cfg.total_iter=[3", "not valid YAML"),
        ("trainer_cfg.totl=3", "trainer_cfg.totl: unknown key"),
        ("total_iter=5", "total_iter: unknown key. Did you mean trainer_cfg.total_iter?"),
        ("model_cfg.with_test=true", "model_cfg.with_test: unknown key. Did you mean trainer_cfg.with_test?"),
        ("metric=cos", "metric: unknown key. Did you mean evaluator_cfg.metric?"),
        ("frames_num_fixed=5", "evaluator_cfg.sampler.frames_num_fixed or trainer_cfg.sampler.frames_num_fixed?"),
        ("degrees=5", "degrees: unknown key. Did you mean model_cfg.augment_cfg.affine.degrees?"),
        ("lr=0.1", "lr: unknown key. Did you mean optimizer_cfg.lr?"),
        ("margin=0.1", "margin: unknown key. Did you mean loss_cfg.0.margin?"),
        ("optimizer_cfg.lr.x=3", "optimizer_cfg.lr is 0.02 (a number) and has no key 'x'"),
        ("loss_cfg.5.margin=3", "loss_cfg is a list of 5; expected 0…4"),
        ("loss_cfg.margin=3", "loss_cfg is a list of 5"),
    ],
)
def test_bad_overrides(file, override, message):
    with pytest.raises(UserError) as error:
        load_config(file, [override])
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "Cannot read"), ("a: [", "not valid YAML"), ("", "holds null"), ("- 1", "holds [1] (a list)")],
)
def test_bad_files(tmp_path, content, message):
    path = tmp_path / "file.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=str(path)) as error:
        load_config(path)
    assert message in str(error.value)


def test_every_key_is_described():
    def walk(section, path):
        for name, field in section.model_fields.items():
            assert field.description, f"{path}.{name}"
            if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
                walk(field.annotation, f"{path}.{name}")

    walk(Config, "")


def test_reference_page_is_up_to_date():
    """If this fails: meshgait train --keys > docs/config.md"""
    assert (ROOT / "docs" / "config.md").read_text(encoding="utf-8") == reference()


def test_every_argument_of_every_type_is_described():
    for registry in (BACKBONES, ESTIMATORS, LAYERS, LOSSES, TRANSFORMS):
        for name in registry.entries:
            for key, field in registry.arguments(name).model_fields.items():
                assert field.description, f"{name}.{key}"


def test_the_right_sizes_of_heads_stay_allowed(raw):
    """OpenGait's own files carry them."""
    raw["model_cfg"]["SeparateFCs"] |= {"in_channels": 14, "parts_num": 5}
    raw["model_cfg"]["SeparateBNNecks"] |= {"in_channels": 6, "parts_num": 5}
    assert make_config(raw).model_cfg.SeparateFCs.in_channels == 14


def test_ones_own_backbone_and_loss(baseline, tmp_path, monkeypatch):
    (tmp_path / "own_parts.py").write_text(
        "from torch import nn\n\nfrom opengait_meshgait.losses import TripletLoss\n\n\n"
        "class Thin(nn.Module):\n    def __init__(self, width: int = 4):\n        super().__init__()\n"
        "        self.conv = nn.Conv2d(1, width, 3, 4)\n\n    def forward(self, x):\n        return self.conv(x)\n\n\n"
        "class Wide(TripletLoss):\n    pass\n"
    )
    monkeypatch.chdir(tmp_path)
    backbone = {"type": "own_parts.Thin", "width": 6}
    baseline["model_cfg"] |= {"backbone_cfg": backbone, "bin_num": [1], "Discriminant": None}
    baseline["loss_cfg"][0] |= {"type": "own_parts.Wide"}
    config = make_config(baseline)
    net = make_network(config.model_cfg.model_dump(exclude_none=True))
    assert net.eval()(torch.rand(1, 2, 64, 44)).embeddings.shape[2] == 1
    assert type(build_losses(config).losses["triplet"]).__name__ == "Wide"
    backbone["widht"] = 6
    with pytest.raises(UserError, match="backbone_cfg.widht: Thin has no such argument. Did you mean 'width'"):
        make_config(baseline)


@pytest.mark.parametrize("solver", sorted(OPTIMIZERS.entries))
def test_every_optimizer_of_torch(raw, solver):
    raw["optimizer_cfg"] = {"solver": solver, "lr": 0.001}
    net = torch.nn.Linear(2, 2, bias=False)
    optimizer = build_optimizer(make_config(raw), net)
    net(torch.ones(1, 2)).sum().backward()
    before = net.weight.clone()
    optimizer.step()
    assert type(optimizer).__name__ == solver and not torch.equal(net.weight, before)


@pytest.mark.parametrize("name", sorted(SCHEDULERS.entries))
def test_every_schedule_of_torch(raw, name):
    needed = {
        "CosineAnnealingLR": {"T_max": 4},
        "CosineAnnealingWarmRestarts": {"T_0": 4},
        "CyclicLR": {"base_lr": 0.1, "max_lr": 0.2},
        "OneCycleLR": {"max_lr": 0.2},
        "StepLR": {"step_size": 1},
    }
    raw["scheduler_cfg"] = {"scheduler": name, **needed.get(name, {})}
    config = make_config(raw)
    optimizer = build_optimizer(config, torch.nn.Linear(2, 2))
    scheduler = build_scheduler(config, optimizer)
    for _ in range(3):
        optimizer.step()
        scheduler.step()
    again = build_scheduler(config, optimizer)
    again.load_state_dict(scheduler.state_dict())
    assert type(scheduler).__name__ == name and again.last_epoch == 3


def test_betas_are_a_list_in_yaml(raw):
    raw["optimizer_cfg"] = {"solver": "AdamW", "betas": [0.9, 0.99]}
    assert build_optimizer(make_config(raw), torch.nn.Linear(2, 2)).param_groups[0]["betas"][1] == 0.99
    raw["optimizer_cfg"]["betas"] = [0.9, "x"]
    with pytest.raises(UserError, match="optimizer_cfg.betas.1: found 'x'"):
        make_config(raw)


def test_a_renamed_run_is_the_one_that_is_tested():
    renamed = load_config("walkers", ["trainer_cfg.save_name=quick"])
    assert save_name(renamed, training=False) == save_name(renamed, training=True) == "quick"
    other = load_config("walkers", ["trainer_cfg.save_name=quick", "evaluator_cfg.save_name=walkers"])
    assert save_name(other, training=False) == "walkers"


def test_a_key_that_stands_twice(tmp_path):
    (tmp_path / "x.yaml").write_text("trainer_cfg:\n  total_iter: 5\ntrainer_cfg:\n  save_iter: 5\n")
    with pytest.raises(UserError, match="'trainer_cfg' stands twice.*\n.*line 1"):
        load_config(["walkers", tmp_path / "x.yaml"])


@pytest.mark.parametrize("betas", ["[0.9]", "[]", "[0.9, 0.99, 0.999]", "0.9"])
def test_lists_of_another_length(betas):
    with pytest.raises(UserError, match="optimizer_cfg.betas"):
        load_config("walkers", [f"optimizer_cfg.betas={betas}"])
