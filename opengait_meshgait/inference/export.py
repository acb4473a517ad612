"""A trained model as an ONNX file, for machines without PyTorch."""

import copy
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from opengait_meshgait import __version__
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import atomic_path
from opengait_meshgait.inference.model import GaitModel
from opengait_meshgait.inference.onnx_check import INPUT, OUTPUT, OnnxCheck, require_frames, shortest_length
from opengait_meshgait.networks import MeshGaitNet

_OPSET = 18
_EXAMPLE = 6  # frames that the graph is recorded with: more than any window of the backbones


@dataclass(frozen=True)
class Exported:
    """What was written, and how it was checked.

    Attributes:
        shape: of the embeddings, (1, c, p).
        input_shape: of the silhouettes behind the number of frames, (h, w).
        shortest: frames that a sequence needs at least; with fewer the graph fails.
        lengths: that were tried, and agree with PyTorch.
        difference: the largest one from PyTorch's embeddings.
        milliseconds: median time of a sequence of 30 frames, by ``onnxruntime`` and ``PyTorch``.
        threads: that both had.
        size: of the file, bytes.
    """

    shape: tuple[int, ...]
    input_shape: tuple[int, ...]
    shortest: int
    lengths: tuple[int, ...]
    difference: float
    milliseconds: dict[str, float]
    threads: int
    size: int


class _Embedding(nn.Module):
    """The network from silhouettes to the features that are matched: neither classifier nor body."""

    def __init__(self, net: MeshGaitNet, matched: str):
        super().__init__()
        self.net, self.matched = net, matched

    def forward(self, silhouettes: Tensor) -> Tensor:
        return getattr(self.net(silhouettes, reconstruct=False), self.matched)


def export(model: GaitModel, out: str | Path) -> Exported:
    """Write the network as ONNX: embeddings ``[1, c, p]`` from silhouettes float32 ``[1, s, h, w]``, for every s.

    The file is written after its output was checked against PyTorch's for sequences of many lengths. What the numbers
    mean, the config of the network and the model's fingerprint are in its metadata.

    Args:
        model: as loaded.
        out: ``.onnx``; whole or absent, whatever happens.

    Raises:
        UserError: packages are missing, the network cannot be exported, the file would not give PyTorch's embeddings,
            or ``out`` cannot be written.
    """
    onnx, onnxruntime = _packages()
    net = _Embedding(copy.deepcopy(model.net).cpu(), model.matched)
    example = model.transform(torch.zeros(1, _EXAMPLE, model.size.height, model.size.width, dtype=torch.uint8))
    proto = _convert(net, example, model.source)
    check = OnnxCheck(net, example.shape[2:], onnxruntime)
    differences = check.differences(proto)
    shortest = shortest_length(differences, model.source)
    if shortest > 1:
        require_frames(onnx, proto, shortest)
        differences = check.differences(proto)
        if shortest_length(differences, model.source) != shortest or any(n in differences for n in range(1, shortest)):
            raise UserError(
                f"{model.source} cannot be exported: of fewer than {shortest} frames its graph makes wrong embeddings."
            )
    _describe(onnx, proto, model, example, shortest)
    content = proto.SerializeToString()
    times = check.milliseconds(content)
    try:
        with atomic_path(out) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise UserError(f"Cannot write {out}: {error.strerror}.") from error
    return Exported(
        (1, *model.embedding_shape),
        tuple(example.shape[2:]),
        shortest,
        tuple(differences),
        max(differences.values()),
        times,
        torch.get_num_threads(),
        len(content),
    )


def _packages() -> tuple[Any, Any]:
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401, torch.onnx needs it
    except ImportError as error:
        raise UserError(
            f"The export needs onnx, onnxscript and onnxruntime, and {error.name} is not installed: "
            "pip install 'opengait-meshgait[export]'."
        ) from error
    return onnx, onnxruntime


def _convert(net: nn.Module, example: Tensor, source: Path) -> Any:
    """The network as an ``onnx.ModelProto``."""
    try:
        with _silence(), torch.no_grad():
            program = torch.onnx.export(
                net,
                (example,),
                dynamo=True,
                opset_version=_OPSET,
                dynamic_shapes=({1: torch.export.Dim.DYNAMIC},),
                input_names=[INPUT],
                output_names=[OUTPUT],
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        raise UserError(f"{source} cannot be exported: {_reason(error)}") from error
    proto = program.model_proto
    # The exporter writes where in the source each node comes from, with the paths of this machine.
    for node in proto.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for part in ("value_info", "metadata_props"):
        proto.graph.ClearField(part)
    proto.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "s"
    return proto


def _reason(error: BaseException) -> str:
    """Why the export failed, in words; the first of the errors behind it says it best."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = str(error)
    if "static shape" in text or "specialized" in text:
        return "something in its backbone fixes the number of frames, and sequences have any."
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no reason given'}"


@contextmanager
def _silence() -> Iterator[None]:
    """Without the exporter's warnings, which are about other packages and its own insides."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _describe(onnx: Any, proto: Any, model: GaitModel, example: Tensor, shortest: int) -> None:
    """Write into the file what it is."""
    height, width = example.shape[2:]
    white = float(model.transform(torch.full((1, 1, height, model.size.width), 255, dtype=torch.uint8)).max())
    cut = (model.size.height - width) // 2
    channels, parts = model.embedding_shape
    config = model.config
    described = {
        "model_cfg": {key: value for key, value in config["model_cfg"].items() if key != "body_cfg"},
        "evaluator_cfg": {"transform": (config.get("evaluator_cfg") or {}).get("transform")},
    }
    proto.producer_name, proto.producer_version = "opengait_meshgait", __version__
    onnx.helper.set_model_props(
        proto,
        {
            INPUT: f"float32 [1, s, {height}, {width}]: the s frames of one sequence, normalised to {height} x "
            f"{height} px, without {cut} columns at either side, black 0 and white {white:g}",
            OUTPUT: f"float32 [1, {channels}, {parts}]: channels and parts; sequences are compared by the mean over "
            f"parts of the {'cosine' if model.metric == 'cos' else 'Euclidean'} distance",
            "shortest": str(shortest),
            "frames_limit": str(model.frames_limit or ""),
            "metric": model.metric,
            "fingerprint": model.fingerprint,
            "checkpoint": model.source.name,
            "iteration": str(model.iteration or ""),
            "config": json.dumps(described),
        },
    )
