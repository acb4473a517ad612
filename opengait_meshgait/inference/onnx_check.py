"""An ONNX graph checked against the network that it was exported from, and both timed."""

import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from opengait_meshgait.common.errors import UserError

ONNX_TOLERANCE = 1e-4
"""How far embeddings may lie apart, where their largest number is at most 1; else, as a share of that."""
INPUT, OUTPUT = "silhouettes", "embeddings"

_SHORT, _LONG = range(1, 9), (15, 30, 31, 50)  # lengths that are tried
_TIMED, _RUNS = 30, 7


class OnnxCheck:
    """A graph in onnxruntime against a network in PyTorch, with the same number of threads.

    Args:
        net: silhouettes ``[1, s, h, w]`` to embeddings ``[1, c, p]``, on the CPU.
        size: h and w.
        onnxruntime: the module, which is not always installed.
    """

    def __init__(self, net: nn.Module, size: torch.Size, onnxruntime: Any):
        self._net, self._size, self._onnxruntime = net, size, onnxruntime
        self._options = onnxruntime.SessionOptions()
        self._options.intra_op_num_threads = torch.get_num_threads()
        self._options.log_severity_level = 4  # sequences that are too short are tried too

    def differences(self, proto: Any) -> dict[int, float]:
        """The largest difference, in units where embeddings are at most 1, by the number of frames.

        Lengths with which the graph fails are left out.
        """
        session, found = self._session(proto.SerializeToString()), {}
        for frames in (*_SHORT, *_LONG):
            sils = self._silhouettes(frames)
            with torch.inference_mode():
                expected = self._net(sils).numpy()
            try:
                (actual,) = session.run([OUTPUT], {INPUT: sils.numpy()})
            except Exception:
                # onnxruntime's errors have no base of their own.
                continue
            difference = np.abs(actual - expected).max() / max(1.0, np.abs(expected).max())
            found[frames] = float(difference) if actual.shape == expected.shape else np.inf
        return found

    def milliseconds(self, content: bytes) -> dict[str, float]:
        """The median time of a sequence by either, in turns."""
        session, sils = self._session(content), self._silhouettes(_TIMED)
        runs = {
            "onnxruntime": lambda: session.run([OUTPUT], {INPUT: sils.numpy()}),
            "PyTorch": lambda: self._net(sils),
        }
        times: dict[str, list[float]] = {name: [] for name in runs}
        with torch.inference_mode():
            for _ in range(_RUNS):
                for name, run in runs.items():
                    began = time.perf_counter()
                    run()
                    times[name].append(1000 * (time.perf_counter() - began))
        return {name: statistics.median(values) for name, values in times.items()}

    def _session(self, content: bytes) -> Any:
        return self._onnxruntime.InferenceSession(content, self._options, providers=["CPUExecutionProvider"])

    def _silhouettes(self, frames: int) -> Tensor:
        return torch.rand(1, frames, *self._size, generator=torch.Generator().manual_seed(frames))


def shortest_length(differences: dict[int, float], source: Path) -> int:
    """From how many frames on the graph agrees with PyTorch.

    Raises:
        UserError: from none of the short lengths on.
    """
    # Written so that NaN fails as well.
    wrong = [n for n in (*_SHORT, *_LONG) if not differences.get(n, np.inf) <= ONNX_TOLERANCE]
    if wrong and wrong[-1] >= _SHORT[-1]:
        found = ", ".join(f"{n}: {differences[n]:.1g}" if n in differences else f"{n}: fails" for n in wrong)
        raise UserError(
            f"{source} cannot be exported: in onnxruntime its embeddings are not PyTorch's within {ONNX_TOLERANCE:g}. "
            f"Differences by number of frames: {found}."
        )
    return wrong[-1] + 1 if wrong else 1


def require_frames(onnx: Any, proto: Any, frames: int) -> None:
    """Make the graph fail on shorter sequences, by asking for their last frame that they need to have."""
    graph, helper = proto.graph, onnx.helper
    for node in graph.node:
        node.input[:] = ["checked" if name == INPUT else name for name in node.input]
    constants = {"needed_frame": np.array([frames - 1]), "nothing": np.float32(0)}
    graph.initializer.extend(onnx.numpy_helper.from_array(np.asarray(v), name) for name, v in constants.items())
    nodes = [
        helper.make_node("Gather", [INPUT, "needed_frame"], ["needed"], f"needs_{frames}_frames_or_more", axis=1),
        helper.make_node("Mul", ["needed", "nothing"], ["needed_nothing"]),
        helper.make_node("Add", [INPUT, "needed_nothing"], ["checked"]),
    ]
    for node in reversed(nodes):
        graph.node.insert(0, node)
