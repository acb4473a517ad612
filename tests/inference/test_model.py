"""The Python door: a checkpoint is loaded, and silhouettes become embeddings and bodies."""

import copy
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from PIL import Image

import opengait_meshgait
from opengait_meshgait.body.files import load_body
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.data.reader import read_silhouettes
from opengait_meshgait.inference import load
from opengait_meshgait.inference import model as model_file
from opengait_meshgait.networks import load_checkpoint, make_network


def yaml_file(raw, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(raw))
    return path


def test_importing_the_package_loads_no_torch(checkpoint, model):
    code = "import sys, opengait_meshgait; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert opengait_meshgait.load(checkpoint, device="cpu").fingerprint == model.fingerprint
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        opengait_meshgait.lode  # noqa: B018


def test_embeddings_are_the_engines(model, engine_embeddings, dataset):
    names, expected = engine_embeddings
    found = model.embed([read_silhouettes(dataset / name / "0-sils.pkl") for name in names])
    assert found.dtype == np.float32
    assert found.shape == (8, 8, 4)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_batches_and_order_change_nothing(model, sequences, monkeypatch):
    together = model.embed(sequences)
    alone = np.concatenate([model.embed(one) for one in sequences])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(model.embed(sequences[::-1]), together[::-1], atol=1e-5)
    monkeypatch.setattr(model_file, "FRAMES_AT_ONCE", 4)
    np.testing.assert_allclose(model.embed(sequences), together, atol=1e-5)
    assert np.abs(together[0] - together[5]).max() > 1e-3


def test_batches_hold_all_and_not_too_much(monkeypatch):
    monkeypatch.setattr(model_file, "FRAMES_AT_ONCE", 10)
    lengths = [3, 7, 2, 90, 1, 3, 10]
    batches = list(model_file._batches(lengths))
    assert sorted(sum(batches, [])) == list(range(7))
    assert all(len(batch) == 1 or sum(lengths[i] for i in batch) <= 10 for batch in batches)
    assert len(batches) == 4
    assert list(model_file._batches([])) == []


def test_a_fitted_head_is_what_is_matched(with_lda_head, sequences):
    together = with_lda_head.embed(sequences)
    assert together.shape == (len(sequences), *with_lda_head.embedding_shape) == (len(sequences), 4, 3)
    assert with_lda_head.matched == "lda"
    np.testing.assert_allclose(together, np.concatenate([with_lda_head.embed(one) for one in sequences]), atol=1e-4)


def test_forms_of_the_same_silhouettes(model, sequences):
    sils = sequences[1]
    expected = model.embed(sils)
    same = [sils / 255, sils > 0, torch.from_numpy(sils), torch.from_numpy(sils).float() / 255, sils[..., 10:54]]
    for form in same:
        np.testing.assert_array_equal(model.embed(form), expected)
    # Of a larger batch sums may be rounded otherwise.
    np.testing.assert_allclose(model.embed(np.stack([sils, sils])), np.concatenate([expected, expected]), atol=1e-6)
    # Raw pictures: twice as large, in a wide frame, with an empty one between them.
    raw = np.pad(sils.repeat(2, 1).repeat(2, 2), ((0, 1), (9, 3), (20, 30)))
    assert np.abs(model.embed(raw) - expected).max() < 0.2 * np.abs(expected).max()
    assert model.embed([]).shape == (0, 8, 4)


def test_pictures_with_channels_are_one_sequence(model, sequences):
    sils = sequences[1]
    expected = model.embed(sils)
    noise = np.random.default_rng(0).integers(0, 256, (*sils.shape, 3), dtype=np.uint8)
    colours = np.repeat(sils[..., None], 3, 3)
    forms = [
        list(sils),
        list(colours),
        colours,
        sils[..., None],
        torch.from_numpy(colours),
        torch.from_numpy(sils).bfloat16().requires_grad_(),
        np.concatenate([noise, sils[..., None]], 3),  # a cut-out: its opacity
        np.concatenate([colours, np.full_like(sils, 255)[..., None]], 3),
        [sils[:, None]],
        sils[None, :, None],  # OpenGait's [n, s, 1, h, w]
    ]
    for form in forms:
        np.testing.assert_array_equal(model.embed(form), expected)
    np.testing.assert_array_equal(model.embed(sils[0]), model.embed(sils[:1]))
    assert len(model.embed([colours, sils])) == 2
    raw = [np.pad(picture, number) for number, picture in enumerate(sils, 1)]  # of several sizes
    np.testing.assert_allclose(model.embed([picture // 255 for picture in raw]), model.embed([raw]), atol=1e-6)


def test_raw_pictures_of_the_usual_size_are_normalised(model, sequences):
    small = np.pad(sequences[1][:, ::2, ::2], ((0, 0), (20, 12), (10, 22)))
    assert small.shape[1:] == (64, 64)
    np.testing.assert_array_equal(model.embed(small), model.embed(np.pad(small, ((0, 0), (0, 9), (0, 0)))))


def test_what_may_mean_two_things(model, sequences):
    with pytest.raises(
        UserError, match=r"one sequence of 7 frames with a channel, or 7 sequences of one.*sils\[:, 0\]"
    ):
        model.embed(sequences[1][:, None])


@pytest.mark.parametrize("text", ["walk.npz", Path("walk"), b"walk", ["a.png", "b.png"], [Path("a.png")]])
def test_text_is_no_silhouette(model, text):
    with pytest.raises(UserError, match="this is text: .*cv2.imread"):
        model.embed(text)
    with pytest.raises(UserError, match=r"could OpenCV read the picture\?"):
        model.embed([None])
    with pytest.raises(UserError, match="this is text"):
        model.reconstruct(text if not isinstance(text, list) else text[0])


def test_sequences_by_name(model, sequences, tmp_path):
    by_name = {"ann": sequences[0], "bob": sequences[1]}
    np.savez(tmp_path / "walks.npz", **by_name)
    for mapping in (by_name, np.load(tmp_path / "walks.npz")):
        for wrong in (mapping, [mapping]):
            with pytest.raises(UserError, match=r"with 2 names. Give its sequences, list\(X.values\(\)\), and names"):
                model.embed(wrong)
        found = model.embed(list(mapping.values()), names=list(mapping))
        np.testing.assert_array_equal(found, model.embed(sequences[:2]))
    objects = np.empty(2, object)
    objects[:] = sequences[:2]
    for several in (objects, iter(sequences[:2])):
        np.testing.assert_array_equal(model.embed(several), found)


@pytest.mark.parametrize("names", [[], ["x"], ["x", "y", "z"]])
def test_a_name_for_each_sequence(model, sequences, names):
    with pytest.raises(UserError, match=f"Found {len(names)} names for 2 sequences; expected one for each"):
        model.embed(sequences[:2], names=names)


@pytest.mark.parametrize("number", [5, 0.5, True])
def test_numbers_are_no_silhouettes(model, number):
    with pytest.raises(UserError, match=f"arrays .s, h, w., and this is a {type(number).__name__}"):
        model.embed(number)
    with pytest.raises(UserError, match="silhouettes are uint8"):
        model.reconstruct([number])


def test_frames_that_are_left_out_are_counted(model, sequences, caplog):
    raw = np.pad(sequences[1], ((0, 0), (9, 9), (9, 9)))
    raw[2:] = 0
    raw[3:, 0, 0] = 255
    raw[0, -1, 3:6] = 255
    model.embed([raw, sequences[0]], ["ann", "bob"])
    left_out, several = [record.getMessage() for record in caplog.records]
    assert left_out.startswith("5 of 10 frames are left out") and left_out.endswith("most in ann (5 of 7).")
    assert several.startswith("1 frames hold several parts") and several.endswith("such as ann.")
    raw[0, -1] = 0
    alone = model.embed(raw)
    raw[0, -1, 3:6] = 255
    np.testing.assert_array_equal(model.embed(raw, largest=True), alone)
    assert np.abs(model.embed(raw) - alone).max() > 1e-4


@pytest.mark.parametrize(("height", "width", "transform"), [(128, 128, {}), (64, 44, {"cutting": 0}), (64, 64, {})])
def test_the_size_of_the_training_is_the_input_of_all(height, width, transform, change, checkpoint, sequences, caplog):
    config = copy.deepcopy(load_checkpoint(checkpoint)["config"])
    config["evaluator_cfg"]["transform"][0] |= transform
    model = load(change(config=config, silhouettes=[height, width]), device="cpu")
    assert not caplog.records
    stored = np.stack([cv2.resize(picture, (height, height)) for picture in sequences[1]])
    cut = (height - width) // 2
    stored = stored[..., cut : height - cut]
    seen = model.transform(torch.from_numpy(stored)[None])
    assert seen.shape[-2:] == ((128, 88) if height == 128 else (64, 44))
    expected = model.net(seen, reconstruct=False).embeddings.numpy()
    np.testing.assert_allclose(model.embed(stored), expected, atol=1e-5)
    square = np.pad(stored, ((0, 0), (0, 0), (cut, cut)))
    raw = np.pad(square, ((0, 0), (4, 9), (20, 20)))
    for same in (square, stored[..., (width - seen.shape[-1]) // 2 :][..., : seen.shape[-1]]):
        np.testing.assert_allclose(model.embed(same), expected, atol=1e-5)
    assert np.abs(model.embed(raw) - expected).max() < 0.2 * np.abs(expected).max()
    found = model.reconstruct(raw)
    assert found.silhouettes.shape[1:] == (height, width)
    assert (model.fingerprint == load(change(config=config, silhouettes=[64, 64])).fingerprint) == (width == 64)


def test_checkpoints_that_do_not_say_their_size(change, checkpoint, model, caplog):
    found = load(change(silhouettes=None), device="cpu")
    assert (found.size, found.fingerprint) == (model.size, model.fingerprint)
    assert "does not say what size its silhouettes had: 64 x 64 px is expected" in caplog.text
    caplog.clear()
    config = copy.deepcopy(load_checkpoint(checkpoint)["config"])
    config["evaluator_cfg"]["transform"][0]["img_w"] = 128  # as OpenGait's configs say it
    assert str(load(change(silhouettes=None, config=config)).size) == "128 x 128"
    assert not caplog.records


def test_only_so_many_frames_are_looked_at(change, checkpoint, sequences, caplog):
    config = copy.deepcopy(load_checkpoint(checkpoint)["config"])
    config["evaluator_cfg"]["sampler"]["frames_all_limit"] = 2
    limited = load(change(config=config), device="cpu")
    expected = limited.embed(sequences[3][:2])
    assert not caplog.records
    np.testing.assert_array_equal(limited.embed(sequences), limited.embed([one[:2] for one in sequences]))
    np.testing.assert_array_equal(limited.embed(sequences[3])[0], expected[0])
    assert "4 of 6 sequences are longer than 2 frames" in caplog.text and "Sequence 3 (9)" in caplog.text


@pytest.mark.parametrize(
    ("sils", "message"),
    [
        (np.zeros((3, 64, 64), np.uint8), "black"),
        (np.zeros((0, 64, 64), np.uint8), "silhouettes are uint8"),
        (np.ones((64, 64, 64, 2), np.uint8), "silhouettes are uint8"),
        (np.random.default_rng(0).integers(0, 256, (2, 80, 60), dtype=np.uint8), "grey pictures"),
        (np.full((2, 64, 64), 255, np.uint8), "rectangle"),
        (
            Image.fromarray(np.zeros((64, 44, 3), np.uint8)),
            r"holds uint8 \[64, 44\]; silhouettes are uint8 \[T, h, w\]",
        ),
        (np.full((2, 64, 64), np.nan), "nan"),
        (np.full((2, 64, 64), 24), "from 24 to 24"),
        (np.pad(np.full((2, 3, 3), 255, np.uint8), ((0, 0), (9, 9), (9, 9))), "in none of its 2 pictures"),
    ],
)
def test_what_is_no_silhouette(model, sequences, sils, message):
    with pytest.raises(UserError, match=message) as error:
        model.embed([sequences[0], sils])
    assert "Sequence 1" in str(error.value)


def test_weights_that_are_damaged(change, checkpoint, sequences):
    weights = load_checkpoint(checkpoint)["model"]
    weights["FCs.fc_bin"] = weights["FCs.fc_bin"] * torch.nan
    broken = load(change(model=weights), device="cpu")
    with pytest.raises(UserError, match="not finite .and 1 more.*damaged weights"):
        broken.embed(sequences[:2])


def test_nothing_learns(model, sequences):
    assert not model.net.training
    assert not any(parameter.requires_grad for parameter in model.net.parameters())
    before = {name: value.clone() for name, value in model.net.state_dict().items()}
    model.embed(sequences)
    assert all(value.equal(before[name]) for name, value in model.net.state_dict().items())


def test_bodies(model, sequences):
    sils = sequences[1]
    found = model.reconstruct(sils, stature=1.8, heatmaps=True)
    body = load_body()
    assert found.markers.shape == (7, 64, 3)
    assert found.joints.shape == (7, 24, 3)
    assert found.vertices.shape == (7, body.num_vertices, 3)
    assert found.faces.shape == body.faces.shape
    np.testing.assert_allclose(found.heatmaps.sum((2, 3, 4)), 1, atol=1e-5)
    np.testing.assert_array_equal(found.frames, range(7))
    np.testing.assert_array_equal(found.silhouettes, sils)
    np.testing.assert_allclose(found.metres(found.joints), 1.8 * found.joints)
    seen = torch.from_numpy(sils[None, ..., 10:54]).float() / 255
    output = model.net(seen, reconstruct=True)
    np.testing.assert_allclose(found.markers, output.markers[0], atol=1e-6)
    np.testing.assert_allclose(body.J_regressor.numpy() @ found.vertices, found.joints, atol=1e-4)
    some = model.reconstruct(sils, heatmaps=True, shown=[2, 5])
    np.testing.assert_array_equal(some.frames, [2, 5])
    np.testing.assert_array_equal(some.silhouettes, sils[[2, 5]])
    for name in ("heatmaps", "markers", "joints", "vertices"):
        np.testing.assert_allclose(getattr(some, name), getattr(found, name)[[2, 5]], atol=1e-5)
    again = model.reconstruct(sils)
    np.testing.assert_allclose(again.vertices, found.vertices, atol=1e-5)
    assert again.heatmaps is None


def test_long_sequences_are_read_in_chunks(model, sequences, monkeypatch):
    long = np.concatenate(sequences)
    whole, bodies = model.embed(long), model.reconstruct(long, heatmaps=True)
    monkeypatch.setattr("opengait_meshgait.networks.chunks.FRAMES_AT_ONCE", 3)
    largest = []
    draw = model.net.HeatmapEstimator.draw
    monkeypatch.setattr(
        model.net.HeatmapEstimator, "draw", lambda *given: largest.append(len(given[1])) or draw(*given)
    )
    np.testing.assert_allclose(model.embed(long), whole, atol=1e-5)
    some = model.reconstruct(long, heatmaps=True, shown=[4, 1])
    assert max(largest) == 2
    for name in ("heatmaps", "markers", "vertices"):
        np.testing.assert_allclose(getattr(some, name), getattr(bodies, name)[[4, 1]], atol=1e-5)


def test_bodies_of_raw_pictures_know_their_frames(model, sequences):
    raw = np.pad(sequences[0], ((1, 0), (4, 4), (4, 4)))
    found = model.reconstruct(raw)
    np.testing.assert_array_equal(found.frames, [1, 2, 3])
    assert len(found.markers) == 3


def test_without_a_body_there_are_markers(change, checkpoint, sequences):
    config = copy.deepcopy(load_checkpoint(checkpoint)["config"])
    config["model_cfg"]["body_cfg"]["body"] = "elsewhere/body.npz"
    for entries, reason in (({"config": config}, "elsewhere/body.npz"), ({"body": {}}, None)):
        other = load(change(**entries), device="cpu")
        found = other.reconstruct(sequences[0])
        assert found.markers.shape == (3, 64, 3)
        assert (found.vertices is None) == (reason is not None)
        assert other.no_body is None if reason is None else reason in other.no_body
    state = load_checkpoint(checkpoint)
    untaught = model_file.GaitModel(load(checkpoint, device="cpu").net, state["config"], {"body": None}, "x.pt")
    assert untaught.reconstruct(sequences[0]).joints is None
    assert "trained without bodies" in untaught.no_body


def test_another_body(change, sequences):
    other = load(change(body={"name": "mine", "fingerprint": "0" * 64}), device="cpu")
    other.embed(sequences)
    with pytest.raises(UserError, match=r"trained with the body mine .00000000., and body_cfg names"):
        other.reconstruct(sequences[0])


def test_silhouettes_only(make_raw, tmp_path, sequences):
    raw = make_raw()
    raw["model_cfg"] |= {"heatmap_cfg": None, "HeatmapFeatures": None}
    net = make_network(raw["model_cfg"])
    torch.save({"model": net.state_dict(), "iteration": 3}, tmp_path / "x.pt")
    model = load(tmp_path / "x.pt", yaml_file(raw, tmp_path), device="cpu")
    assert model.iteration == 3
    assert model.embed(sequences[0]).shape == (1, 8, 4)
    assert model.body is None
    with pytest.raises(UserError, match="silhouettes only"):
        model.reconstruct(sequences[0])


def test_openGaits_checkpoints_need_a_config(change, make_raw, tmp_path, model, sequences):
    theirs = change(config=None, body=None, data=None, seed=None)
    with pytest.raises(UserError, match="weights alone, as OpenGait's checkpoints do. Give the YAML file"):
        load(theirs)
    found = load(theirs, yaml_file(make_raw(), tmp_path), device="cpu")
    np.testing.assert_array_equal(found.embed(sequences), model.embed(sequences))
    assert found.fingerprint == model.fingerprint
    assert found.reconstruct(sequences[0]).vertices is not None


def test_another_network(checkpoint, change, make_raw, tmp_path):
    raw = make_raw()
    raw["model_cfg"]["backbone_cfg"]["strides"] = [1, 2, 1, 1]
    with pytest.raises(UserError, match=r"model_cfg.backbone_cfg.strides is \[1, 2, 1, 1\], and it was trained with"):
        load(checkpoint, yaml_file(raw, tmp_path))
    raw = make_raw()
    raw["model_cfg"]["SeparateFCs"]["out_channels"] = 16
    with pytest.raises(UserError, match="do not fit model_cfg"):
        load(change(config=None), yaml_file(raw, tmp_path))


def test_the_same_config_may_say_where_the_body_is(checkpoint, make_raw, tmp_path, model):
    raw = make_raw()
    raw["model_cfg"]["body_cfg"] = {"body": "there.npz"}
    found = load(checkpoint, yaml_file(raw, tmp_path), device="cpu")
    assert "there.npz" in found.no_body
    assert found.fingerprint == model.fingerprint


@pytest.mark.parametrize(
    ("content", "message"), [("model_cfg: 3", "no section model_cfg"), ("- 1", r"holds \[1\] \(a list\)")]
)
def test_files_that_are_no_configs(checkpoint, tmp_path, content, message):
    (tmp_path / "x.yaml").write_text(content)
    with pytest.raises(UserError, match=message):
        load(checkpoint, tmp_path / "x.yaml")


def test_files_that_are_no_checkpoints(tmp_path):
    with pytest.raises(UserError, match="is missing"):
        load(tmp_path / "x.pt")
    (tmp_path / "x.pt").write_bytes(b"no weights")
    with pytest.raises(UserError, match="damaged or no checkpoint"):
        load(tmp_path / "x.pt")


def test_fingerprints_tell_models_apart(change, checkpoint, model):
    weights = load_checkpoint(checkpoint)["model"]
    weights["FCs.fc_bin"] = weights["FCs.fc_bin"] + 1e-3
    assert load(change(model=weights), device="cpu").fingerprint != model.fingerprint
    config = copy.deepcopy(load_checkpoint(checkpoint)["config"])
    config["evaluator_cfg"]["transform"][0]["divsor"] = 256.0
    assert load(change(config=config), device="cpu").fingerprint != model.fingerprint


@pytest.mark.parametrize("shown", [[7], [-1], [], [0, 7], [0.5], [True] * 7, [[0]], 3, "0"])
def test_frames_that_are_not_there(model, sequences, shown):
    with pytest.raises(UserError, match=r"shown names frames by whole numbers from 0 to 6; found"):
        model.reconstruct(sequences[1], shown=shown)


@pytest.mark.parametrize("stature", [0, -1.7, float("nan"), float("inf")])
def test_what_is_no_height(model, sequences, stature):
    with pytest.raises(UserError, match=f"a height in m, such as 1.7; found {stature}"):
        model.reconstruct(sequences[1], stature=stature)
