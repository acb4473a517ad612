"""ONNX files: PyTorch's embeddings for sequences of any length, or no file at all."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from opengait_meshgait.cli.main import main
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.inference import export as export_file
from opengait_meshgait.inference.onnx_check import OnnxCheck, require_frames, shortest_length

DOCUMENT = Path(__file__).parents[2] / "docs" / "onnx.md"
WHY = "needs onnx, onnxscript and onnxruntime: pip install '.[export]'"
onnx = pytest.importorskip("onnx", reason=WHY)
onnxruntime = pytest.importorskip("onnxruntime", reason=WHY)
pytest.importorskip("onnxscript", reason=WHY)

EXAMPLE = torch.zeros(1, 6, 4, 3)


class Mean(nn.Module):
    """A backbone for a moment: the mean over rows, columns and time."""

    def forward(self, silhouettes):
        return silhouettes.mean((2, 3)).mean(1, keepdim=True)


class Picky(nn.Module):
    """Treats sequences of fewer than four frames in another way, which a recorded graph cannot."""

    def forward(self, silhouettes):
        least = silhouettes.mean((1, 2, 3)) if silhouettes.shape[1] > 3 else silhouettes.sum((1, 2, 3)) + 1
        return least[:, None]


class Counting(nn.Module):
    """Goes through the frames one by one."""

    def forward(self, silhouettes):
        return sum(silhouettes[:, i].mean((1, 2)) for i in range(silhouettes.shape[1]))


class Untranslated(nn.Module):
    """Uses what ONNX does not have."""

    def forward(self, silhouettes):
        return torch.special.bessel_j0(silhouettes).mean((1, 2, 3))


@pytest.fixture(scope="module")
def exported(checkpoint, tmp_path_factory):
    """The file of the tiny model, and what the command printed."""
    out = tmp_path_factory.mktemp("onnx") / "model.onnx"
    with pytest.MonkeyPatch.context() as patch:
        printed = []
        patch.setattr("builtins.print", lambda *words, **_: printed.append(" ".join(map(str, words))))
        assert main(["export", "--ckpt", str(checkpoint), "--out", str(out)]) == 0
    return out, "\n".join(printed)


def run(proto, frames):
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    sils = np.random.default_rng(0).random((1, frames, 4, 3), np.float32)
    return session.run(None, {"silhouettes": sils})[0], sils


def test_embeddings_are_the_models(exported, model, sequences):
    session = onnxruntime.InferenceSession(str(exported[0]))
    for sils, expected in zip(sequences, model.embed(sequences)):
        given = (sils[:, :, 10:54] / 255).astype(np.float32)[None]
        (found,) = session.run(["embeddings"], {"silhouettes": given})
        np.testing.assert_allclose(found[0], expected, atol=1e-5)
    (taken,), (made,) = session.get_inputs(), session.get_outputs()
    assert taken.shape == [1, "s", 64, 44]
    assert made.shape == [1, 8, 4]


def test_a_fitted_lda_head_is_exported(with_lda_head, sequences, tmp_path):
    assert main(["export", "--ckpt", str(with_lda_head.source), "--out", str(tmp_path / "model.onnx")]) == 0
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"))
    for sils, expected in zip(sequences, with_lda_head.embed(sequences)):
        (found,) = session.run(["embeddings"], {"silhouettes": (sils[:, :, 10:54] / 255).astype(np.float32)[None]})
        np.testing.assert_allclose(found[0], expected, atol=1e-4)


def test_the_documents_snippet(exported, model, sequences, monkeypatch):
    monkeypatch.chdir(exported[0].parent)
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    names = {"sils": sequences[1]}
    exec(code, names)  # noqa: S102
    np.testing.assert_allclose(names["e"][None], model.embed(sequences[1]), atol=1e-5)


def test_the_report(exported):
    assert "embeddings [1, 8, 4] from silhouettes [1, s, 64, 44], s from 1" in exported[1]
    assert "s = 1, 2, 3, 4, 5, 6, 7, 8, 15, 30, 31, 50" in exported[1]
    assert "onnxruntime " in exported[1]
    assert "PyTorch " in exported[1]


def test_what_the_file_says(exported, model, checkpoint):
    proto = onnx.load(exported[0])
    onnx.checker.check_model(proto)
    said = {entry.key: entry.value for entry in proto.metadata_props}
    assert said["fingerprint"] == model.fingerprint
    assert (said["checkpoint"], said["iteration"]) == (checkpoint.name, "2")
    assert (said["shortest"], said["frames_limit"], said["metric"]) == ("1", "720", "euc")
    assert "[1, s, 64, 44]" in said["silhouettes"]
    assert "without 10 columns at either side, black 0 and white 1" in said["silhouettes"]
    assert "[1, 8, 4]" in said["embeddings"]
    config = json.loads(said["config"])
    assert config["model_cfg"]["backbone_cfg"]["type"] == "ResNet9"
    assert "body_cfg" not in config["model_cfg"]


def test_what_the_file_does_not_hold(exported, model):
    # Neither the paths of this machine, nor the classifier, nor markers and bodies.
    content = exported[0].read_bytes()
    for text in (b'File "', b"meshgait.py", str(exported[0].parents[2]).encode()):
        assert text not in content
    tensors = onnx.load(exported[0]).graph.initializer
    assert not [tensor.name for tensor in tensors if "BNNecks" in tensor.name]
    classifier = sum(values.numel() for values in model.net.BNNecks.state_dict().values())
    network = sum(values.numel() for values in model.net.state_dict().values())
    assert sum(np.prod(tensor.dims) for tensor in tensors) < network - classifier + 300


def test_short_sequences_fail_where_they_would_be_wrong():
    net = Picky()
    proto = export_file._convert(net, EXAMPLE, "x.pt")
    check = OnnxCheck(net, EXAMPLE.shape[2:], onnxruntime)
    before = check.differences(proto)
    assert before[3] > 0.1
    assert shortest_length(before, "x.pt") == 4
    require_frames(onnx, proto, 4)
    onnx.checker.check_model(proto)
    after = check.differences(proto)
    assert list(after) == [n for n in before if n > 3]
    assert max(after.values()) < 1e-6
    with pytest.raises(Exception, match="needs_4_frames_or_more"):
        run(proto, 3)


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (Counting(), "x.pt cannot be exported: something in its backbone fixes the number of frames"),
        (Untranslated(), "x.pt cannot be exported: .*bessel_j0"),
    ],
)
def test_what_cannot_be_exported(net, message):
    with pytest.raises(UserError, match=message):
        export_file._convert(net, EXAMPLE, "x.pt")


@pytest.mark.parametrize(
    ("differences", "told"),
    [
        ({n: 0.0 if n < 30 else 0.5 for n in (*range(1, 9), 15, 30, 31, 50)}, "30: 0.5, 31: 0.5, 50: 0.5"),
        (dict.fromkeys((*range(1, 9), 15, 30, 31, 50), np.nan), "1: nan"),
        (dict.fromkeys((*range(1, 9), 15, 30, 31), 0.0), "number of frames: 50: fails"),
        ({}, "1: fails, 2: fails"),
    ],
)
def test_wrong_embeddings(differences, told):
    with pytest.raises(UserError, match=f"are not PyTorch's within 0.0001.*{told}"):
        shortest_length(differences, "x.pt")


def test_differences_are_measured():
    proto = export_file._convert(Mean(), EXAMPLE, "x.pt")
    check = OnnxCheck(nn.Sequential(Mean(), nn.Threshold(2.0, 7.0)), EXAMPLE.shape[2:], onnxruntime)
    for difference in check.differences(proto).values():
        assert 0.9 < difference < 1  # 7 instead of 0.5, as a share of 7
    assert max(OnnxCheck(Mean(), EXAMPLE.shape[2:], onnxruntime).differences(proto).values()) < 1e-6


def test_no_file_where_the_export_fails(model, tmp_path, monkeypatch):
    monkeypatch.setattr(export_file, "_convert", lambda *_: export_file_proto)
    export_file_proto = onnx.helper.make_model(
        onnx.helper.make_graph(
            [onnx.helper.make_node("ReduceMean", ["silhouettes"], ["embeddings"])],
            "wrong",
            [onnx.helper.make_tensor_value_info("silhouettes", 1, [1, "s", 64, 44])],
            [onnx.helper.make_tensor_value_info("embeddings", 1, None)],
        ),
        opset_imports=[onnx.helper.make_opsetid("", 18)],
        ir_version=10,
    )
    with pytest.raises(UserError, match="are not PyTorch's"):
        export_file.export(model, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_missing_packages(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UserError, match=r"onnxscript is not installed: pip install 'opengait-meshgait\[export\]'"):
        export_file.export(model, tmp_path / "m.onnx")


def test_another_ending(checkpoint, tmp_path, capsys):
    assert main(["export", "--ckpt", str(checkpoint), "--out", str(tmp_path / "m.pb")]) == 1
    assert "should end in .onnx" in capsys.readouterr().err
