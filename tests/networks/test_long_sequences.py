"""Long sequences are looked at window by window, with the same result."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from opengait_meshgait.networks.chunks import FRAMES_AT_ONCE, frame_windows
from opengait_meshgait.networks.part_backbone import PartBackbone
from opengait_meshgait.networks.recognition import Recognition
from tests.networks.conftest import RESNET9

DEEP = {"type": "DeepGaitV2", "layers": [1, 1, 2, 1], "channels": [3, 4, 5, 6]}
SWIN = {
    "type": "SwinGait",
    "layers": [1, 1, 2, 1],
    "channels": [3, 4],
    "embed_dim": 8,
    "num_heads": [2, 4],
    "grid": [4, 5],
}
BACKBONES = {
    "ResNet9": RESNET9,
    "GaitSet": {"type": "GaitSet", "channels": [4, 6, 8]},
    "GaitPart": {"type": "GaitPart", "layers_cfg": ["BC-4", "M", "FC-6-2", "M", "FC-8-3"]},
    "GaitGL": {"type": "GaitGL", "channels": [4, 5, 6]},
    "GaitGL, two layers": {"type": "GaitGL", "channels": [3, 4, 5, 6], "layers": 2, "halving": 1},
    **{f"DeepGaitV2 {mode}": {**DEEP, "mode": mode} for mode in ("2d", "3d", "p3d")},
    "SwinGait": SWIN,
    "SwinGait, windows of 4": {**SWIN, "window_size": [4, 3, 5]},
}
AT_ONCE = 6


@pytest.fixture
def few(monkeypatch):
    """From here on, six frames at once."""
    return lambda: monkeypatch.setattr("opengait_meshgait.networks.chunks.FRAMES_AT_ONCE", AT_ONCE)


@pytest.fixture
def make(make_net):
    """A network with this backbone, in which neighbouring frames matter to each other."""

    def build(name, **changes):
        net = make_net(backbone_cfg=BACKBONES[name], bin_num=[4], **changes).eval()
        for key, parameter in net.named_parameters():
            if "table" in key or ("transformer" in key and parameter.dim() == 2):
                nn.init.normal_(parameter, std=0.3)
            if ".times." in key:
                nn.init.normal_(parameter, std=0.1)
            if "shortcut3d" in key:
                nn.init.normal_(parameter)
        return net

    return build


def _whole_and_in_windows(function, few):
    with torch.inference_mode():
        whole = function()
        few()
        return whole, function()


@given(st.integers(1, 60), st.integers(0, 9), st.integers(1, 5), st.integers(1, 12))
def test_windows_share_the_frames_out_and_see_their_neighbours(length, reach, step, at_once):
    with pytest.MonkeyPatch.context() as patch, torch.inference_mode():
        patch.setattr("opengait_meshgait.networks.chunks.FRAMES_AT_ONCE", at_once)
        windows = frame_windows(length, reach, step, whole=False)
    frames = list(range(length))
    assert [frame for window in windows for frame in frames[window.frames]] == frames
    for window in windows:
        seen, own = frames[window.seen], frames[window.frames]
        assert seen[window.own] == own and seen[0] % step == own[0] % step == 0
        if len(windows) > 1:
            assert len(own) >= min(step, length)
            assert seen[0] <= max(own[0] - reach, 0) and seen[-1] >= min(own[-1] + reach, length - 1)
            assert len(own) < max(at_once, step) + step and len(seen) < len(own) + 2 * (reach + step)


def test_what_is_trained_or_compiled_or_knows_all_frames_is_one_window():
    with torch.inference_mode():
        assert len(frame_windows(3 * FRAMES_AT_ONCE, 0, 1, whole=False)) == 3
        assert len(frame_windows(3 * FRAMES_AT_ONCE, None, 1, whole=False)) == 1
        assert len(frame_windows(3 * FRAMES_AT_ONCE, 0, 1, whole=True)) == 1
        assert len(frame_windows(FRAMES_AT_ONCE, 0, 1, whole=False)) == 1
    assert len(frame_windows(3 * FRAMES_AT_ONCE, 0, 1, whole=False)) == 1  # gradients are recorded


@pytest.mark.parametrize("name", BACKBONES)
def test_the_embedding_is_the_same(make, few, name):
    net, sils = make(name, heatmap_cfg=None, HeatmapFeatures=None), (torch.rand(2, 41, 64, 44) > 0.5).float()
    whole, found = _whole_and_in_windows(lambda: net(sils).embeddings, few)
    torch.testing.assert_close(found / whole.abs().max(), whole / whole.abs().max(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", BACKBONES)
def test_no_layer_sees_more_frames_than_a_window(make, few, name):
    net, frames = make(name), 45
    recognition, largest = Recognition(net), []
    for module in recognition.net.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d):
            module.register_forward_pre_hook(lambda _, given: largest.append(given[0].numel()))
    sils = (torch.rand(1, frames, 64, 44) > 0.5).float()

    def look():
        largest.clear()
        return recognition(sils).embeddings, max(largest)

    (_, most), (_, found) = _whole_and_in_windows(look, few)
    backbone = net.Backbone
    margin = -(-backbone.reach // backbone.step) * backbone.step
    assert found * frames <= most * (AT_ONCE + backbone.step - 1 + 2 * margin)


@pytest.mark.parametrize(
    "name, reads", [("ResNet9", "backbone"), ("DeepGaitV2 p3d", "backbone"), ("GaitGL", "silhouettes")]
)
def test_bodies_and_lda_features_are_the_same(make, few, reconstruction, name, reads):
    heatmap_cfg = {"markers": 5, "depth": 3, "channels": [4, 6, 8], "dilations": [1, 3]}
    heatmap_cfg = {"type": "HeatmapEstimator", "reads": reads, **heatmap_cfg}
    net = make(name, heatmap_cfg=heatmap_cfg, reconstruction=reconstruction)
    net.Discriminant.silhouettes.fitted = net.Discriminant.markers.fitted = True
    for part in (net.Discriminant.silhouettes, net.Discriminant.markers):
        nn.init.normal_(part.components, std=0.1)
    sils, shown = (torch.rand(1, 20, 64, 44) > 0.5).float(), torch.tensor([13, 2, 3])
    outputs = _whole_and_in_windows(
        lambda: (net(sils, reconstruct=True), net.bodies(sils, shown, True), net.bodies(sils, shown, False)), few
    )
    for asked in ("embeddings", "lda", "heatmaps", "markers", "joints", "vertices"):
        whole, found = (getattr(output[0], asked) for output in outputs)
        torch.testing.assert_close(found, whole, atol=1e-5, rtol=1e-5)
        for _, with_heatmaps, without in outputs:
            if asked in ("embeddings", "lda"):
                assert getattr(with_heatmaps, asked) is None
                continue
            torch.testing.assert_close(getattr(with_heatmaps, asked), whole[:, shown], atol=1e-5, rtol=1e-5)
            if asked == "heatmaps":
                assert without.heatmaps is None
            else:
                torch.testing.assert_close(getattr(without, asked), whole[:, shown], atol=1e-5, rtol=1e-5)


def test_a_backbone_of_ones_own_sees_whole_sequences(make_net, few, monkeypatch):
    class Own(PartBackbone):
        def __init__(self, bin_num):
            super().__init__()
            self.part_bins, self.lengths = tuple(bin_num), []

        def look(self, frames):
            self.lengths.append(frames.shape[1])
            return frames.mean((1, 2, 4))[:, None, :: 64 // sum(self.part_bins)], None

    monkeypatch.setattr("tests.networks.test_long_sequences.Own", Own, raising=False)
    net = make_net(backbone_cfg={"type": "tests.networks.test_long_sequences.Own"}, bin_num=[4]).eval()
    sils = torch.rand(1, 20, 64, 44)
    whole, found = _whole_and_in_windows(lambda: net(sils).embeddings, few)
    torch.testing.assert_close(found, whole)
    assert net.Backbone.lengths[-2:] == [20, 20]


def test_no_bodies_without_an_estimator(make_net, sils):
    with pytest.raises(ValueError, match="without a heatmap estimator"):
        make_net(heatmap_cfg=None).bodies(sils[:1], torch.tensor([0]), False)
