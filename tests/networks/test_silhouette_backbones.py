"""What every silhouette backbone that sees whole sequences must do, alone and in the network."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks import MeshGaitNet, count_flops

SMALL = {
    "GaitSet": {"channels": [4, 6, 8]},
    "GaitPart": {"layers_cfg": ["BC-4", "M", "FC-6-2", "M", "FC-8-3"]},
    "GaitGL": {"channels": [4, 6, 8]},
}
BINS = {"GaitSet": [4, 1], "GaitPart": [4, 1], "GaitGL": [8, 1]}
PART_BINS = {"GaitSet": (4, 1, 4, 1), "GaitPart": (4, 1), "GaitGL": (4, 4, 1)}
OUMVLP = {
    "GaitSet": {"channels": [64, 128, 256]},
    "GaitPart": {"layers_cfg": ["BC-32", "BC-32", "M", "BC-64", "BC-64", "M", "FC-128-3", "FC-256-3"]},
    "GaitGL": {"channels": [32, 64, 128, 256], "layers": 2, "halving": 1},
}
PAPER = {  # strips, channels of the embeddings; without the class head and its normalisation: parameters, GFLOPs
    "GaitSet": ([16, 8, 4, 2, 1], 256, 2594592, 6.5),
    "GaitPart": ([16], 128, 1204000, 6.4),
    "GaitGL": ([64], 128, 2490209, 25.2),
}


@pytest.fixture(params=SMALL)
def name(request):
    return request.param


@pytest.fixture
def make(make_net, name):
    """Build a tiny network around the backbone; keywords replace or add arguments."""

    def build(**changes):
        return make_net(**{"backbone_cfg": {"type": name, **SMALL[name]}, "bin_num": BINS[name], **changes})

    return build


@pytest.fixture
def backbone(make):
    return make(heatmap_cfg=None).Backbone


@pytest.fixture
def frames():
    """Two sequences, ``[2, 7, 1, 64, 44]``."""
    return (torch.rand(2, 7, 1, 64, 44) > 0.5).float()


def test_it_says_how_its_parts_cut_the_body(backbone, frames, name):
    assert backbone.part_bins == PART_BINS[name]
    assert backbone(frames).shape == (2, 8, sum(PART_BINS[name]))


def test_sequences_of_a_batch_do_not_see_each_other(backbone, frames):
    expected = torch.cat([backbone(sequence[None]) for sequence in frames])
    torch.testing.assert_close(backbone(frames), expected)


def test_packed_sequences_give_what_each_gives_alone(backbone):
    sequences = [torch.rand(1, length, 1, 64, 44) for length in (4, 1, 2, 7)]
    packed = backbone(torch.cat(sequences, dim=1), torch.tensor([[4, 1, 2, 7]]))
    torch.testing.assert_close(packed, torch.cat([backbone(sequence) for sequence in sequences]))


def test_the_signal_does_not_fade(backbone, frames):
    """There is no batch normalisation to lift it again."""
    assert 0.02 < backbone(frames).std() < 5


@pytest.mark.parametrize("heatmaps", [False, True])
@pytest.mark.parametrize("fusion", ["concat", "gated"])
def test_the_network_learns_with_every_parameter(make, blobs, heatmaps, fusion):
    sils = blobs(12)[0].view(3, 4, 64, 44)
    net, labels = make(fusion=fusion, **({} if heatmaps else {"heatmap_cfg": None})), torch.arange(3)
    optimizer, losses = torch.optim.SGD(net.parameters(), lr=1e-6), []
    for _ in range(2):
        out = net(sils)
        loss = F.cross_entropy(16 * out.logits, labels[:, None].expand(-1, out.logits.shape[2]))
        loss = loss + F.relu(2 - torch.pdist(out.embeddings.flatten(1))).mean()
        optimizer.zero_grad()
        loss.backward()
        for key, parameter in net.named_parameters():
            assert parameter.grad is not None and parameter.grad.abs().max() > 1e-9, key
        optimizer.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]


def test_mixed_precision_gives_nearly_the_same(backbone, frames):
    expected = backbone(frames)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = backbone(frames).float()
    assert F.cosine_similarity(found.flatten(1), expected.flatten(1)).min() > 0.999


def test_the_defaults_are_the_papers(name):
    bins, out_channels, expected_parameters, expected_gflops = PAPER[name]
    with torch.device("meta"):
        net = MeshGaitNet({"type": name}, {"out_channels": out_channels}, {"class_num": 74}, bin_num=bins)
    parameters, gflops = count_flops(net, frames=30)
    assert parameters == expected_parameters
    assert round(gflops, 1) == expected_gflops
    assert type(net.Backbone)().part_bins == net.Backbone.part_bins


def test_the_size_for_oumvlp_is_there(name):
    with torch.device("meta"):
        net = MeshGaitNet(
            {"type": name, **OUMVLP[name]}, {"out_channels": 256}, {"class_num": 5153}, bin_num=PAPER[name][0]
        )
    assert net.FCs.fc_bin.shape[1] == 256


def test_the_convolutions_begin_as_the_authors_do(backbone):
    for module in backbone.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Conv3d)):
            pixels = module.weight[0, 0].numel()
            limit = (6 / (pixels * (module.in_channels + module.out_channels))) ** 0.5
            assert 0.7 * limit < module.weight.abs().max() <= limit


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"bin_num": [3]}, "cut into 3 equal strips"),
        (
            {"backbone_cfg": {"chanels": [1, 2, 3]}},
            "chanels: .* has no such argument. (Did you mean|Known: layers_cfg)",
        ),
        ({"SeparateFCs": {"out_channels": 6, "parts_num": 2}}, "write parts_num"),
    ],
)
def test_it_names_what_does_not_fit(make, name, changes, message):
    if "backbone_cfg" in changes:
        changes = {"backbone_cfg": {"type": name, **changes["backbone_cfg"]}}
    with pytest.raises(UserError, match=message):
        make(**changes)
