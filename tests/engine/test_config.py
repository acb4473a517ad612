"""YAML files: defaults, overrides, and what is said of mistakes."""

from pathlib import Path

import pytest
import torch
import yaml

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.engine.config import load_config, make_config
from opengait_meshgait.engine.reference import reference
from opengait_meshgait.engine.schema import Config, Section
from opengait_meshgait.networks import count_flops, make_network

ROOT = Path(__file__).parents[2]
# Those whose names begin with an underscore are parts of others.
SHIPPED = sorted((ROOT / "configs" / "meshgait").glob("[!_]*.yaml"))
EXPERIMENTS = sorted((ROOT / "configs" / "meshgait" / "experiments").glob("[!_]*.yaml"))


def change(raw, path, value):
    *parents, last = path.split(".")
    for key in parents:
        raw = raw[int(key)] if isinstance(raw, list) else raw.setdefault(key, {})
    raw[last] = value


@pytest.mark.parametrize("path", SHIPPED + EXPERIMENTS, ids=lambda p: p.name)
def test_shipped_files_are_valid(path):
    config = load_config(path)
    assert (config.model_cfg.heatmap_cfg is None) == path.stem.endswith("_silhouette")
    # Without numbers: the largest of these networks take seconds to fill and to run.
    with torch.device("meta"):
        make_network(config.model_cfg.model_dump())


def test_every_data_set_has_every_backbone_its_baseline_and_the_papers_branch():
    backbones = ("", "_gaitset", "_gaitpart", "_gaitgl", "_deepgaitv2", "_swingait")
    assert {path.stem for path in SHIPPED} == {
        f"{data}{backbone}{baseline}"
        for data in ("gait3d", "oumvlp", "walkers")
        for backbone in backbones
        for baseline in ("", "_silhouette")
    } | {"gait3d_paper", "oumvlp_paper", "walkers_paper"}


def test_runs_of_shipped_files_have_names_of_their_own():
    for data in ("gait3d", "oumvlp", "walkers"):
        configs = [load_config(path) for path in SHIPPED if path.stem.startswith(data)]
        names = [config.trainer_cfg.save_name for config in configs]
        assert len(set(names)) == len(names)
        assert names == [config.evaluator_cfg.save_name for config in configs]


@pytest.mark.parametrize("path", [p for p in SHIPPED if p.stem.endswith("_silhouette")], ids=lambda p: p.name)
def test_shipped_baselines_differ_only_in_the_heatmap_branch(path):
    ours, baseline = load_config(path.with_stem(path.stem.removesuffix("_silhouette"))), load_config(path)
    for section in ("optimizer_cfg", "scheduler_cfg"):
        assert getattr(ours, section) == getattr(baseline, section)
    assert ours.trainer_cfg.model_dump(exclude={"save_name", "transform"}) == baseline.trainer_cfg.model_dump(
        exclude={"save_name", "transform"}
    )
    assert ours.model_cfg.model_dump(exclude={"heatmap_cfg"}) == baseline.model_cfg.model_dump(exclude={"heatmap_cfg"})
    recognition = [loss for loss in ours.loss_cfg if loss["log_prefix"] in ("triplet", "softmax")]
    assert recognition == baseline.loss_cfg


def test_experiments_compare_networks_of_equal_cost_and_budget():
    configs = {path.stem: load_config(path) for path in EXPERIMENTS}
    assert {"small", "small_silhouette", "small_unsupervised", "small_auxiliary"} <= configs.keys()
    for name, config in configs.items():
        ours = configs[name.split("_")[0]]
        assert config.optimizer_cfg == ours.optimizer_cfg and config.scheduler_cfg == ours.scheduler_cfg
        assert config.trainer_cfg.total_iter == ours.trainer_cfg.total_iter
        neighbours = "deepgaitv2" in name or "gaitpart" in name  # they look at neighbouring frames
        in_order = {"sample_type": "fixed_ordered"} if neighbours else {}
        assert config.trainer_cfg.sampler == ours.trainer_cfg.sampler.model_copy(update=in_order)
        assert config.trainer_cfg.save_name == config.evaluator_cfg.save_name
    for name in ("small", "small_deepgaitv2", "small_gaitpart", "small_gaitset"):
        nets = (make_network(configs[which].model_cfg.model_dump()) for which in (name, f"{name}_silhouette"))
        cost, of_silhouettes = (count_flops(net)[1] for net in nets)
        assert cost <= of_silhouettes < 1.02 * cost, name


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
            "trainer_cfg.restore_hint: found 1.5 (a number); expected a whole number or a",
        ),
        ("trainer_cfg.restore_hint", -1, "trainer_cfg.restore_hint: found -1"),
        ("trainer_cfg.sampler.batch_size", [8], "trainer_cfg.sampler.batch_size: found [8] (a list)"),
        ("trainer_cfg.sampler.sample_type", "fixed", "expected 'fixed_unordered'"),
        ("trainer_cfg.sampler.frames_num_min", 60, "frames_num_min is larger"),
        ("trainer_cfg.transform", [], "trainer_cfg.transform: found [] (a list); expected at least 1 item"),
        ("trainer_cfg.transform", [{"type": "NoOperation"}], "trainer_cfg.transform: found 1; expected 2"),
        ("trainer_cfg.save_name", "a/b", "trainer_cfg.save_name: found 'a/b'"),
        ("evaluator_cfg.metric", "cosine", "evaluator_cfg.metric: found 'cosine' (text); expected 'euc' or 'cos'"),
        ("evaluator_cfg.eval_func", "rank", "expected 'evaluate_indoor_dataset' or 'evaluate_Gait3D'"),
        ("model_cfg", None, "model_cfg: found null; expected a mapping"),
        ("model_cfg.SeparateFCs", {}, "model_cfg.SeparateFCs.out_channels: missing. Channels of the embedding."),
        ("model_cfg.fusion", "sum", "expected 'concat', 'add' or 'gated'"),
        ("model_cfg.model", "Baseline", "Baseline is silhouette-only"),
        ("model_cfg.heatmap_cfg", None, "marker, joint, mesh need the heatmap branch"),
        ("data_cfg.data_in_use", [True, False], "compare with bodies, so set [true, true]"),
        ("data_cfg.data_in_use", [1, 1], "data_cfg.data_in_use.0: found 1 (a whole number); expected true or false"),
        ("data_cfg.data_in_use", [False, False], "expected one true"),
        ("optimizer_cfg.solver", "sgd", "optimizer_cfg.solver: found 'sgd' (text); expected 'SGD', 'Adam' or 'AdamW'"),
        ("optimizer_cfg.momentun", 0.9, "optimizer_cfg.momentun: SGD has no such argument. Did you mean 'momentum'"),
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
    assert config.model_cfg.augment_cfg == {"flip": 0.5}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("trainer_cfg.total_iter", "expected section.key=value"),
        ("=3", "expected section.key=value"),
        ("trainer_cfg.total_iter=[3", "not valid YAML"),
        ("trainer_cfg.totl=3", "trainer_cfg.totl: unknown key"),
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


def test_torch_has_what_the_schema_names():
    for solver in ("SGD", "Adam", "AdamW"):
        assert issubclass(getattr(torch.optim, solver), torch.optim.Optimizer)
