"""`meshgait doctor`: all is well on tiny walkers; then each mistake by itself is told, and hides no other check."""

import io
import json
import os
import pickle
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from opengait_meshgait.cli.main import main
from opengait_meshgait.data.reader import read_silhouettes
from opengait_meshgait.doctor import checks, preflight
from opengait_meshgait.doctor import machine as doctor_machine
from opengait_meshgait.doctor import training as doctor_training
from opengait_meshgait.engine.build import build_network, build_optimizer, build_scheduler
from opengait_meshgait.engine.config import make_config
from opengait_meshgait.engine.state import TrainingState
from opengait_meshgait.engine.training import train
from opengait_meshgait.walkers import WalkerSet, parse_seqs, write_walkers

OPENGAIT = os.environ.get("OPENGAIT_ROOT")
ALL = [
    "Python and packages", "device", "config keys", "data root", "partition", "modalities", "frame counts",
    "one sample", "body file", "marker file", "network and losses", "training batches", "test protocol",
    "test batches", "first weights", "outputs", "bodies in silhouettes",
]  # fmt: skip
NEEDY = ("first weights", "bodies in silhouettes")  # they need most of the others
LINE = re.compile(r" ?(\d+) (\S+) ([^:]+): (.*)")


@pytest.fixture(scope="module")
def walkers(tmp_path_factory):
    root = tmp_path_factory.mktemp("walkers") / "data"
    options = WalkerSet(ids=4, views=(0, 90), seqs=parse_seqs("nm:2"), frames=3, train=2)
    write_walkers(options, root, workers=1)
    return root


@pytest.fixture
def data(walkers, tmp_path, monkeypatch):
    """Walkers of one's own, in a folder that is the working directory."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(walkers, "data"))


@pytest.fixture
def raw():
    """A config of a tiny Mesh-Gait for them."""
    transform = [{"type": "BaseSilCuttingTransform"}, {"type": "NoOperation"}]
    return {
        "data_cfg": {
            "dataset_name": "Walkers", "dataset_root": "data", "dataset_partition": "data/partition.json",
            "data_in_use": [True, True],
        },
        "model_cfg": {
            "backbone_cfg": {
                "type": "ResNet9", "block": "BasicBlock", "channels": [4, 4, 8, 8], "layers": [1, 1, 1, 1],
                "strides": [2, 2, 1, 1], "maxpool": False,
            },
            "heatmap_cfg": {"type": "HeatmapEstimator", "markers": 64, "depth": 2, "channels": [4, 8, 8]},
            "HeatmapFeatures": {"channels": [8]},
            "SeparateFCs": {"out_channels": 8},
            "SeparateBNNecks": {"class_num": 2},
            "bin_num": [4],
        },
        "loss_cfg": [
            {"type": "TripletLoss", "log_prefix": "triplet", "margin": 0.2},
            {"type": "CrossEntropyLoss", "log_prefix": "softmax"},
            {"type": "MarkerLoss", "log_prefix": "marker"},
        ],
        "optimizer_cfg": {"solver": "AdamW", "lr": 0.001},
        "trainer_cfg": {
            "total_iter": 10, "save_iter": 4, "save_name": "Run", "transform": transform,
            "sampler": {"batch_size": [2, 2], "frames_num_fixed": 3},
        },
        "evaluator_cfg": {"transform": transform, "sampler": {"batch_size": 4}},
    }  # fmt: skip


@pytest.fixture
def doctor(raw, capsys):
    """A function that runs the doctor: its exit code, each check's (mark, text) by name, and its last line."""

    def run(*arguments):
        Path("config.yaml").write_text(yaml.safe_dump(raw))
        status = main(["doctor", "--cfgs", "config.yaml", *map(str, arguments)])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.out + printed.err
        *lines, last = printed.out.splitlines()
        outcomes, name = {}, None
        for line in lines:
            if match := LINE.fullmatch(line):
                number, mark, name, text = match.groups()
                assert int(number) == len(outcomes) + 1
                outcomes[name] = (mark, text)
            else:
                assert line.startswith("     ")
                outcomes[name] = (outcomes[name][0], outcomes[name][1] + "\n" + line.strip())
        return status, outcomes, last

    return run


@pytest.fixture
def wrong(doctor):
    """A function that runs the doctor, makes sure that just one check fails, and gives its text."""

    def run(name, *arguments, skipped=()):
        status, outcomes, last = doctor(*arguments)
        assert status == 1
        assert [key for key, (mark, _) in outcomes.items() if mark == "✗"] == [name], outcomes
        lacking = [key for key, (mark, _) in outcomes.items() if mark == "–" and key not in NEEDY]
        assert lacking == [key for key in skipped if key not in NEEDY], outcomes
        assert "1 failed" in last
        return outcomes[name][1]

    return run


def dump(path, array):
    with path.open("wb") as file:
        pickle.dump(array, file)


def first(data):
    """The first training sequence, which every sample of sequences holds."""
    label = json.loads((data / "partition.json").read_text())["TRAIN_SET"][0]
    return sorted((data / label).glob("*/*"))[0]


def partition(data, **changes):
    path = data / "partition.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_all_is_well(data, doctor):
    status, outcomes, last = doctor()
    assert (status, [*outcomes]) == (0, ALL)
    assert {mark for mark, _ in outcomes.values()} == {"✓"}
    assert last == "17 checks: 17 passed, 0 failed, 0 skipped. Ready to train."
    assert "torch" in outcomes["Python and packages"][1]
    assert "2 in TRAIN_SET, 2 in TEST_SET" in outcomes["partition"][1]
    assert outcomes["modalities"][1].endswith("16 with silhouettes, 16 with body parameters")
    assert "read 16 of 16 sequences: 3 to 3 frames" in outcomes["frame counts"][1]
    assert "3x64x64 uint8" in outcomes["one sample"][1]
    assert "3x64x44 from 0 to 1; 100% of its frames have a valid body" in outcomes["one sample"][1]
    assert "4 gallery sequences, probes: 4 NM" in outcomes["test protocol"][1]
    assert outcomes["first weights"][1] == "fresh weights"
    assert "3 checkpoints of" in outcomes["outputs"][1]
    # Walkers in clothes, drawn by the camera that saw them.
    assert re.fullmatch(r"true bodies .* mean IoU of 0\.[89]\d \(8 sequences\)", outcomes[ALL[-1]][1])
    assert not Path("output").exists()


def test_meshes_of_trained_weights(data, raw, doctor):
    raw["trainer_cfg"] |= {"total_iter": 1, "save_iter": 1}
    train(make_config(raw), device="cpu", quiet=True)
    text = doctor()[1][ALL[-1]][1]
    assert re.search(r"the meshes of output\S+/Run-00001.pt do with 0\.\d\d \(8 sequences\)", text)
    Path("output/Walkers/MeshGait/Run/checkpoints/Run-00001.pt").write_bytes(b"")
    assert "Run-00001.pt cannot be looked at: " in doctor()[1][ALL[-1]][1]


def test_bodies_of_zeros(data, raw, doctor, wrong):
    for path in data.rglob("1-smpls.pkl"):
        dump(path, np.zeros((3, 85), np.float32))
    assert "Nothing can be learned from such bodies" in wrong("one sample")
    raw["loss_cfg"].append({"type": "SilhouetteLoss", "log_prefix": "silhouette"})
    status, outcomes, _ = doctor()
    assert status == 0
    assert "16 of the 16 have no valid body in any frame" in outcomes["frame counts"][1]
    assert "silhouettes alone teach the mesh" in outcomes["one sample"][1]


def test_silhouettes_alone(data, raw, doctor):
    raw["model_cfg"] |= {"heatmap_cfg": None, "HeatmapFeatures": None}
    raw["loss_cfg"] = raw["loss_cfg"][:2]
    status, outcomes, _ = doctor()
    assert status == 0
    assert [name for name, (mark, _) in outcomes.items() if mark == "–"] == ["body file", "marker file", ALL[-1]]
    assert "body parameters" not in outcomes["modalities"][1]


def test_a_mistake_in_the_config_hides_only_what_needs_it(data, wrong):
    text = wrong("config keys", "--set", "trainer_cfg.total_iters=3", "loss_cfg.1.margin=3", skipped=ALL[3:-1])
    assert "total_iters: unknown key. Did you mean 'total_iter'" in text
    assert "margin" in text


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("network and losses", "model_cfg.heatmap_cfg.markers=32", "write markers: 64"),
        ("network and losses", "optimizer_cfg.lr=-1", "AdamW refuses"),
        ("partition", "model_cfg.SeparateBNNecks.class_num=1", "Set class_num: 2."),
        ("training batches", "trainer_cfg.sampler.batch_size=[3,2]", "asks for 3 ids a batch, and the dataset has 2"),
        ("test protocol", "data_cfg.test_dataset_name=Walker", "Did you mean 'Walkers'?"),
    ],
)
def test_settings_that_cannot_work(data, wrong, name, change, message):
    assert message in wrong(name, "--set", change)


def test_all_that_the_config_misnames_is_reported_at_once(data, wrong):
    wrong_ones = ["model_cfg.backbone_cfg.type=ResNet8", "loss_cfg.0.type=TripletLos", "trainer_cfg.transform.0.type=X"]
    text = wrong("config keys", "--set", *wrong_ones, skipped=ALL[3:-1])
    assert all(part in text for part in ("ResNet9", "TripletLoss", "BaseSilTransform"))


def test_without_a_network_the_size_of_checkpoints_is_unknown(data, doctor):
    _, outcomes, _ = doctor("--set", "model_cfg.heatmap_cfg.markers=32", "optimizer_cfg.lr=-1")
    assert "the size of its 3 checkpoints is unknown" in outcomes["outputs"][1]
    assert "write markers: 64" in outcomes["network and losses"][1]


def test_no_data_root(data, wrong):
    skipped = [*ALL[4:8], "training batches", "test protocol"]
    assert "Did you mean 'data'?" in wrong("data root", "--set", "data_cfg.dataset_root=dat", skipped=skipped)


def test_an_empty_data_root(data, wrong):
    Path("empty").mkdir()
    skipped = ["modalities", "frame counts", "one sample", "training batches", "test protocol"]
    assert "2 of 2 ids have no sequence" in wrong("partition", "--set", "data_cfg.dataset_root=empty", skipped=skipped)


def test_partitions(data, wrong):
    skipped = ["modalities", "frame counts", "one sample", "training batches", "test protocol"]
    assert "Cannot read none.json" in wrong(
        "partition", "--set", "data_cfg.dataset_partition=none.json", skipped=skipped
    )
    content = json.loads((data / "partition.json").read_text())
    partition(data, TRAIN_SET=[*content["TRAIN_SET"], "0099"], TEST_SET=[*content["TEST_SET"], "0098"])
    text = wrong("partition")
    assert "TRAIN_SET: 1 of 3 ids have no sequence: ['0099']" in text
    assert "TEST_SET: 1 of 3 ids have no sequence: ['0098']" in text
    (data / "partition.json").write_text(json.dumps({"TRAIN_SET": content["TRAIN_SET"]}))
    assert "has no 'TEST_SET'" in wrong("partition", skipped=["test protocol"])
    (data / "partition.json").write_text("[")
    assert "not valid JSON" in wrong("partition", skipped=skipped)


def test_people_of_the_test_in_the_training(data, raw, doctor):
    content = json.loads((data / "partition.json").read_text())
    partition(data, TRAIN_SET=[*content["TRAIN_SET"], content["TEST_SET"][0]])
    raw["model_cfg"]["SeparateBNNecks"]["class_num"] = 5
    status, outcomes, _ = doctor()
    assert status == 0
    assert "1 ids are in TRAIN_SET and in TEST_SET" in outcomes["partition"][1]
    assert "2 of 5 classes" in outcomes["partition"][1]


def test_several_data_sets(data, raw, doctor):
    shutil.copytree(data, "more")
    more = {
        **raw["data_cfg"],
        "dataset_name": "More",
        "dataset_root": "more",
        "dataset_partition": "more/partition.json",
    }
    raw["data_cfg"] = [raw["data_cfg"], more]
    raw["model_cfg"]["SeparateBNNecks"]["class_num"] = 4
    status, outcomes, _ = doctor()
    assert status == 0, outcomes
    assert outcomes["data root"][1] == "data, 4 folders; more, 4 folders"
    assert "4 in TRAIN_SET, 2 in TEST_SET" in outcomes["partition"][1]
    assert outcomes["modalities"][1].endswith("24 with silhouettes, 24 with body parameters")
    partition(Path("more"), TRAIN_SET=["0001"])
    assert "asks for 2 ids a batch, and the dataset with More-0001 has 1" in doctor()[1]["training batches"][1]
    more["dataset_root"] = "mroe"
    status, outcomes, _ = doctor()
    assert status == 1 and "mroe is not a folder" in outcomes["data root"][1]


def test_one_test_identity_is_told(data, doctor):
    content = json.loads((data / "partition.json").read_text())
    partition(data, TEST_SET=content["TEST_SET"][:1])
    status, outcomes, _ = doctor()
    assert status == 0
    assert "The gallery holds one identity only" in outcomes["test protocol"][1]


def test_sequences_without_bodies(data, wrong):
    (first(data) / "1-smpls.pkl").unlink()
    text = wrong("modalities")
    assert "1 of 16 sequences cannot be used" in text
    assert "/".join(first(data).parts[1:]) + ": no bodies" in text
    assert "15 with body parameters" in text


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "0-sils.pkl").write_bytes((folder / "0-sils.pkl").read_bytes()[:200]), "truncated"),
        (lambda folder: dump(folder / "1-smpls.pkl", np.ones((2, 85), np.float32)), "has 3 frames and 1-smpls.pkl"),
        (lambda folder: dump(folder / "1-smpls.pkl", np.ones((3, 82), np.float32)), "[3, 82]"),
        (lambda folder: dump(folder / "1-smpls.pkl", print), "only arrays and plain values are allowed"),
        (lambda folder: dump(folder / "0-sils.pkl", np.zeros((3, 64, 64), np.uint8)), "all of them are black"),
        (
            lambda folder: dump(folder / "0-sils.pkl", read_silhouettes(folder / "0-sils.pkl")[:, ::2, ::2]),
            "several sizes",
        ),
        (lambda folder: dump(folder / "0-sils.pkl", ~read_silhouettes(folder / "0-sils.pkl")), "white people on black"),
    ],
)
def test_files_that_cannot_be_used(data, wrong, damage, message):
    damage(first(data))
    assert message in wrong("frame counts")


def test_no_file_can_be_read(data, wrong):
    for path in data.rglob("0-sils.pkl"):
        path.write_bytes(b"x")
    assert "and 11 more" in wrong("frame counts", skipped=["one sample"])


def test_short_sequences_are_counted(data, doctor):
    dump(first(data) / "0-sils.pkl", read_silhouettes(first(data) / "0-sils.pkl")[:1])
    dump(first(data) / "1-smpls.pkl", np.ones((1, 85), np.float32))
    status, outcomes, _ = doctor()
    assert status == 0
    assert "1 to 3 frames, median 3; 1 have one frame only ['" in outcomes["frame counts"][1]


def test_bodies_that_teach_nothing(data, wrong):
    for path in data.rglob("1-smpls.pkl"):
        dump(path, np.zeros((3, 85), np.float32))
    assert "none of its 3 bodies is valid" in wrong("one sample")


def test_joints_alone_with_weights(data, doctor):
    for path in data.rglob("1-smpls.pkl"):
        path.unlink()
        joints = np.random.default_rng(0).normal(0, 0.3, (3, 24, 3)).astype(np.float32)
        joints[:, 15, 1] = -1
        dump(path.with_name("1-joints.pkl"), joints)
        dump(path.with_name("2-weights.pkl"), np.array([1, 0.5, 0], np.float32))
    status, outcomes, _ = doctor()
    assert status == 0, outcomes
    assert outcomes["modalities"][1].endswith("16 with joints alone, 16 with weights")
    assert "67% of its frames have a valid body, mean weight 0.50" in outcomes["one sample"][1]
    assert "nothing for markers and meshes" in outcomes["one sample"][1]


def test_body_and_marker_files(data, wrong):
    body = ("--set", "model_cfg.body_cfg.body=SMPL_NEUTRAL.pkl")
    assert "No body file at SMPL_NEUTRAL.pkl" in wrong("body file", *body, skipped=["marker file"])
    markers = ("--set", "model_cfg.body_cfg.markers=none.npz")
    assert "No file of virtual markers" in wrong("marker file", *markers)


def test_markers_of_another_body(data, wrong, monkeypatch):
    assets = Path(doctor_machine.opengait_meshgait.__file__).parent / "assets"
    with np.load(assets / "standin.npz") as content:
        arrays = dict(content)
    arrays["v_template"] = arrays["v_template"] * 1.01
    np.savez("taller.npz", **arrays)
    text = wrong("marker file", "--set", "model_cfg.body_cfg.body=taller.npz")
    assert "needs virtual markers of its own" in text


def test_few_sequences_of_an_id_are_told(data, doctor):
    status, outcomes, _ = doctor("--set", "trainer_cfg.sampler.batch_size=[2,5]")
    assert status == 0
    assert "2 ids have fewer and give some twice" in outcomes["training batches"][1]


def test_no_probes(data, wrong):
    partition(data, PROBE_SET=None)
    gait3d = ("--set", "evaluator_cfg.eval_func=evaluate_Gait3D")
    assert "needs a list PROBE_SET" in wrong("test protocol", *gait3d)


def test_no_gallery(data, wrong):
    for path in data.glob("*/nm-01"):
        path.rename(path.with_name("nm-03"))
    assert "as gallery, and the test set has nm-02, nm-03" in wrong("test protocol")


def test_outputs_that_cannot_be_written(data, wrong, monkeypatch):
    Path("output").write_text("")
    assert "output/Walkers/MeshGait/Run cannot be written" in wrong("outputs")
    Path("output").unlink()
    monkeypatch.setattr(doctor_training.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(100, 90, 10))
    assert "0.0 MB are free. Make room" in wrong("outputs")


def test_checkpoints_there_already_need_no_room(data, doctor):
    folder = Path("output/Walkers/MeshGait/Run/checkpoints")
    folder.mkdir(parents=True)
    (folder / "Run-00004.pt").touch()
    _, outcomes, _ = doctor()
    assert "2 checkpoints of" in outcomes["outputs"][1]
    assert "Run-00004.pt is damaged" in outcomes["first weights"][1]


def test_first_weights(data, raw, doctor, wrong):
    raw["trainer_cfg"] |= {"total_iter": 2, "save_iter": 1}
    checkpoint = train(make_config(raw), device="cpu", quiet=True).checkpoint
    assert "Run-00002.pt is at iteration 2 of 2: nothing is left" in doctor()[1]["first weights"][1]
    assert (
        "goes on from output/Walkers/MeshGait/Run/checkpoints/Run-00002.pt, iteration 2"
        in (doctor("--set", "trainer_cfg.total_iter=3")[1]["first weights"][1])
    )
    assert "optimizer_cfg.lr: 0.001 there, 0.1 now" in wrong("first weights", "--set", "optimizer_cfg.lr=0.1")
    other = ["--set", "trainer_cfg.save_name=Other"]
    assert (
        f"begins with the weights of {checkpoint}"
        in (doctor(*other, f"trainer_cfg.restore_hint={checkpoint}")[1]["first weights"][1])
    )
    assert "absent.pt is missing" in wrong("first weights", *other, "trainer_cfg.restore_hint=absent.pt")
    assert "config.yaml is damaged or no" in wrong("first weights", *other, "trainer_cfg.restore_hint=config.yaml")
    changed = [*other, f"trainer_cfg.restore_hint={checkpoint}", "model_cfg.SeparateFCs.out_channels=6"]
    assert "FCs.fc_bin: " in wrong("first weights", *changed)
    said = doctor(*changed, "trainer_cfg.restore_ckpt_strict=false")[1]["first weights"][1]
    assert "weights are left out" in said


@pytest.mark.parametrize("optimizer", [{"solver": "AdamW"}, {"solver": "SGD"}, {"solver": "SGD", "momentum": 0.0}])
def test_checkpoints_are_as_large_as_foretold(raw, optimizer):
    raw["optimizer_cfg"] = optimizer
    raw["model_cfg"]["backbone_cfg"]["channels"] = [16, 32, 64, 128]
    config = make_config(raw)
    net = build_network(config, None)
    foretold = doctor_training._checkpoint_bytes(config, net)
    net = build_network(config, None)
    state_optimizer = build_optimizer(config, net)
    state = TrainingState(
        net, state_optimizer, build_scheduler(config, state_optimizer), torch.amp.GradScaler("cuda", enabled=False)
    )
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    state_optimizer.step()
    file = io.BytesIO()
    torch.save(state.state_dict(), file)
    # The names of the weights weigh something in so small a network.
    assert foretold <= len(file.getvalue()) < 1.1 * foretold


def test_packages(monkeypatch):
    versions = {"torch": "2.1.0", "kornia": None, "opencv-python-headless": None, "opencv-python": "4.9.0.80"}
    real = doctor_machine.version

    def version(name):
        found = versions[name] if name in versions else real(name)
        if found is None:
            raise doctor_machine.PackageNotFoundError(name)
        return found

    monkeypatch.setattr(doctor_machine, "version", version)
    with pytest.raises(doctor_machine.UserError) as error:
        doctor_machine.check_python_packages()
    text = str(error.value)
    assert "torch is 2.1.0; >=2.4 is needed" in text
    assert "kornia>=0.7.3 is not installed" in text
    assert "opencv" not in text
    assert "pip install 'torch>=2.4' 'kornia>=0.7.3'" in text


@pytest.mark.parametrize("installed", [True, False])
def test_requirements_are_those_of_setup_cfg(monkeypatch, installed):
    def metadata(name):
        if not installed:
            raise doctor_machine.PackageNotFoundError(name)
        lines = {"Requires-Dist": ["torch>=2.4", "smplx>=0.1.28; extra == 'smpl'", 'ruff>=0.6; extra == "dev"']}
        lines |= {"Provides-Extra": ["smpl", "dev"]}
        about = type("About", (dict,), {"get_all": lambda self, key, default: lines.get(key, default)})
        return about({"Requires-Python": ">=3.10"})

    monkeypatch.setattr(doctor_machine, "metadata", metadata)
    python, required, optional = doctor_machine._requirements()
    assert python == ">=3.10"
    assert "torch>=2.4" in required
    assert ("smpl", "smplx>=0.1.28") in optional
    assert not any(extra == "dev" for extra, _ in optional)


def test_without_a_package_the_rest_is_not_looked_at(data, doctor, monkeypatch):
    monkeypatch.setitem(sys.modules, "opengait_meshgait.doctor.data", None)
    monkeypatch.delattr("opengait_meshgait.doctor.data")
    status, outcomes, _ = doctor()
    assert status == 1
    assert [mark for mark, _ in outcomes.values()] == ["✓", "✗"]


def test_what_nobody_foresaw_is_no_traceback(data, wrong, monkeypatch):
    monkeypatch.setattr(doctor_training, "load_markers", lambda *_: 1 / 0)
    assert "ZeroDivisionError: division by zero. This was not foreseen" in wrong("marker file")


def test_terminals_without_the_marks(monkeypatch):
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", terminal)
    for mark in (checks.PASSED, checks.FAILED, checks.SKIPPED):
        preflight.print_outcome(checks.Outcome(1, "x", mark, "0…255"))
    assert terminal.buffer.getvalue().decode("ascii").split("\n")[:3] == [
        " 1 ok x: 0?255",
        " 1 XX x: 0?255",
        " 1 -- x: 0?255",
    ]


def test_no_checkout_of_opengait(data, wrong, monkeypatch):
    monkeypatch.setattr(doctor_machine, "check_device", lambda opengait: "")
    skipped = ["OpenGait's packages", "OpenGait and this config", "OpenGait's test"]
    assert "is no checkout of OpenGait" in wrong("OpenGait checkout", "--opengait", "data", skipped=skipped)
