"""The whole network: its keys, its switches, and that every part of it learns."""

import pytest
import torch
import torch.nn.functional as F
from torch.nn.parallel import DistributedDataParallel

from opengait_meshgait.common.errors import UserError
from opengait_meshgait.networks import ResNet9
from opengait_meshgait.networks.heatmap_features import FUSIONS

RESNET9 = {"type": "ResNet9", "block": "BasicBlock", "channels": [4, 4, 6, 8], "layers": [1, 1, 1, 1], "maxpool": False}
BACKBONES = {
    "basic": RESNET9,
    "bottleneck": {**RESNET9, "block": "Bottleneck", "channels": [2, 2, 3, 4]},
    "plain": {"type": "Plain", "layers_cfg": ["BC-4", "M", "FC-6-1", "M", "BC-8"]},
}
ESTIMATOR = {"type": "HeatmapEstimator", "markers": 5, "depth": 3, "channels": [4, 6, 8]}
ON_REQUEST = ("heatmaps", "markers", "joints", "vertices")


def _recognition_loss(out, labels):
    """Triplet and cross-entropy, in short."""
    distances = torch.cdist(out.embeddings.permute(2, 0, 1), out.embeddings.permute(2, 0, 1))
    same = labels[:, None] == labels
    triplet = F.relu(0.2 + distances[:, same].unsqueeze(2) - distances[:, ~same].unsqueeze(1)).mean()
    return triplet + 0.1 * F.cross_entropy(16 * out.logits, labels[:, None].expand(-1, out.logits.shape[2]))


@pytest.fixture
def batch():
    return (torch.rand(4, 3, 64, 44) > 0.5).float(), torch.tensor([0, 0, 1, 1])


def test_without_heatmaps_the_keys_are_gaitbases(make_net):
    net = make_net(heatmap_cfg=None, Discriminant=None)
    keys = {f"Backbone.forward_block.{k}" for k in net.Backbone.forward_block.state_dict()}
    assert "Backbone.forward_block.layer4.0.conv1.weight" in keys
    necks = {"BNNecks.fc_bin"} | {f"BNNecks.bn1d.{k}" for k in net.BNNecks.bn1d.state_dict()}
    assert set(net.state_dict()) == keys | {"FCs.fc_bin"} | necks
    assert net.FCs.fc_bin.shape == (5, 8, 6)
    assert net.BNNecks.fc_bin.shape == (5, 6, 4)


@pytest.mark.parametrize("fusion, channels", [("concat", 8 + 6), ("add", 8), ("gated", 8)])
def test_the_heatmap_branch_adds_its_own_keys(make_net, fusion, channels):
    baseline, net = make_net(heatmap_cfg=None, Discriminant=None), make_net(fusion=fusion)
    added = {k.split(".")[0] for k in set(net.state_dict()) - set(baseline.state_dict())}
    assert added == {"HeatmapEstimator", "HeatmapFeatures", "Discriminant"} | (
        {"Fusion"} if fusion != "concat" else set()
    )
    assert net.FCs.fc_bin.shape == (5, channels, 6)
    assert net.BNNecks.fc_bin.shape == (5, 6, 4)


def test_both_start_from_the_same_backbone(make_net):
    torch.manual_seed(1)
    baseline = make_net(heatmap_cfg=None)
    torch.manual_seed(1)
    backbone = make_net().Backbone.state_dict()
    assert all(torch.equal(v, backbone[k]) for k, v in baseline.Backbone.state_dict().items())


@pytest.mark.parametrize(
    "left_out, prefixes, channels",
    [("HeatmapFeatures", ("HeatmapFeatures", "Fusion"), 8), ("Discriminant", ("Discriminant",), 8 + 6)],
)
def test_heatmap_features_or_the_discriminant_may_be_left_out(make_net, sils, left_out, prefixes, channels):
    net = make_net(fusion="gated" if left_out == "HeatmapFeatures" else "concat", **{left_out: None})
    assert net.FCs.fc_bin.shape == (5, channels, 6)
    assert not any(key.startswith(prefixes) for key in net.state_dict())
    assert net(sils).embeddings.shape == (3, 6, 5)


def _fit(net, sils):
    """Fit the LDA head to ``sils``, which show two people."""
    net.eval()
    output = net(sils, reconstruct=True)
    features = net.Discriminant.features(output.embeddings, output.markers, alone=output.alone)
    net.Discriminant.fit(features, torch.tensor([0, 0, 1, 1]))


def test_lda_features_have_a_part_for_silhouettes_and_one_for_markers(make_net, reconstruction, batch):
    net, (sils, _) = make_net(HeatmapFeatures=None, reconstruction=reconstruction), batch
    with torch.no_grad():
        net.HeatmapEstimator.anchors.weight.normal_(std=0.1)  # or all bodies are alike
    raw = net.eval()(sils)
    assert net.feature_shape(net.matched()) == raw.embeddings.shape[1:] == (6, 5) and raw.lda is None
    with pytest.raises(UserError, match="not fitted yet.*meshgait lda"):
        net.matched("lda")
    _fit(net, sils)
    for part in (net.Discriminant.silhouettes, net.Discriminant.markers):
        part.reach.fill_(torch.inf)  # two people differ in one direction, and half of them would end at one point
    first = net(sils).lda
    assert net.feature_shape(net.matched()) == first.shape[1:] == (3, 2)
    assert torch.equal(net(sils).embeddings, raw.embeddings)
    with torch.no_grad():
        net.Backbone.forward_block.layer4[0].conv2.weight.mul_(3)  # the estimator has an encoder of its own
    second = net(sils).lda
    with torch.no_grad():
        net.HeatmapEstimator.anchors.weight[0] += 0.2
    third = net(sils).lda
    assert torch.equal(second[..., 1], first[..., 1])
    assert not torch.isclose(second[..., 0], first[..., 0]).all(1).any()
    assert not torch.equal(third[..., 0], second[..., 0])  # another viewing angle is another map of the silhouettes
    assert not torch.isclose(third[..., 1], second[..., 1]).all(1).any()
    packed = net(sils.flatten(0, 1)[None], seqL=torch.tensor([[3, 3, 3, 3]]))
    torch.testing.assert_close(packed.lda, third, atol=1e-4, rtol=1e-3)
    training = net.train()(sils)
    assert training.embeddings.shape == (4, 6, 5) and training.lda is None


@pytest.mark.parametrize("fusion", ["concat", "add", "gated"])
def test_an_lda_head_also_gets_the_embeddings_of_the_silhouettes_alone(make_net, reconstruction, batch, fusion):
    net, (sils, _) = make_net(fusion=fusion, reconstruction=reconstruction), batch
    assert net(sils).alone is None  # in training
    first = net.eval()(sils)
    assert first.alone.shape == first.embeddings.shape
    with torch.no_grad():
        net.HeatmapFeatures.reduce.weight.mul_(-3)
    second = net(sils)
    assert torch.equal(second.alone, first.alone) and not torch.allclose(second.embeddings, first.embeddings)
    net.HeatmapFeatures.register_forward_hook(lambda module, given, found: torch.zeros_like(found))
    silent = net(sils)
    torch.testing.assert_close(silent.embeddings, silent.alone)
    assert make_net(HeatmapFeatures=None, reconstruction=reconstruction).eval()(sils).alone is None
    assert make_net(Discriminant=None, reconstruction=reconstruction).eval()(sils).alone is None


SHARED = {**ESTIMATOR, "reads": "backbone", "shrink": 2}


def test_the_estimator_may_read_the_backbones_maps(make_net, reconstruction, batch):
    net = make_net(heatmap_cfg=SHARED, reconstruction=reconstruction)
    sils, labels = batch
    out = net(sils)
    assert out.heatmaps.shape == (4, 3, 5, 3, 8, 6)
    assert out.markers.shape == (4, 3, 5, 3)
    out.vertices.square().mean().backward(retain_graph=True)
    assert all(p.grad.abs().max() > 0 for p in net.Backbone.parameters())  # 3D teaches the backbone
    _recognition_loss(out, labels).backward()
    assert all(p.grad is not None for p in net.parameters())


def test_heatmaps_as_an_auxiliary_task(make_net, reconstruction, batch):
    silhouettes = {"HeatmapFeatures": None, "Discriminant": {"marker_weight": 0}}
    net = make_net(heatmap_cfg=SHARED, reconstruction=reconstruction, **silhouettes)
    baseline, (sils, _) = make_net(heatmap_cfg=None, **silhouettes), batch
    assert not net.sees_body
    assert net(sils).markers is not None
    assert net(sils, reconstruct=False).markers is None
    baseline.load_state_dict(net.state_dict(), strict=False)
    assert torch.equal(net.eval()(sils).embeddings, baseline.eval()(sils).embeddings)

    def fail(*_):
        raise AssertionError("recognition ran the estimator")

    net.HeatmapEstimator.register_forward_hook(fail)
    net(sils)


@pytest.mark.parametrize("heatmap_cfg", [ESTIMATOR, SHARED])
def test_a_shrunk_network_sees_block_means(make_net, sils, heatmap_cfg):
    backbone = {**RESNET9, "strides": [1, 1, 2, 1]}
    net, small = (make_net(backbone_cfg=backbone, heatmap_cfg=heatmap_cfg, shrink=s).eval() for s in (2, 1))
    small.load_state_dict(net.state_dict())
    blocks = sils.unflatten(2, (32, 2)).unflatten(4, (22, 2)).mean((3, 5))
    expected, found = small(blocks, reconstruct=True), net(sils, reconstruct=True)
    for name in ("embeddings", "markers"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), atol=1e-5, rtol=1e-4)


def test_the_body_tells_where_markers_start_and_which_are_left(make_net, reconstruction):
    net = make_net(reconstruction=reconstruction)
    anchors = net.HeatmapEstimator.anchors.bias.view(5, 3) + torch.tensor([0, 0.5, 0])
    torch.testing.assert_close(anchors.detach(), reconstruction.start)
    assert torch.equal(net.Discriminant.side, reconstruction.side)
    without = make_net()
    without.load_state_dict(net.state_dict())
    assert torch.equal(without.Discriminant.side, reconstruction.side)


def test_building_leaves_the_statistics_alone(make_net):
    for name, value in make_net().state_dict().items():
        if name.endswith("num_batches_tracked"):
            assert value == 0


def test_training_returns_the_body_and_testing_does_not(make_net, reconstruction, sils):
    net = make_net(reconstruction=reconstruction)
    out = net(sils)
    assert out.embeddings.shape == (3, 6, 5)
    assert out.logits.shape == (3, 4, 5)
    assert out.heatmaps.shape == (3, 4, 5, 3, 16, 11)
    assert out.markers.shape == (3, 4, 5, 3)
    assert out.joints.shape == (3, 4, 24, 3)
    assert out.vertices.shape == (3, 4, 30, 3)
    assert all(getattr(net(sils, reconstruct=False), name) is None for name in ON_REQUEST)
    net.eval()
    assert all(getattr(net(sils), name) is None for name in ON_REQUEST)
    asked = net(sils, reconstruct=True)
    assert all(getattr(asked, name) is not None for name in ON_REQUEST)
    assert torch.equal(asked.embeddings, net(sils).embeddings)


def test_testing_does_not_run_the_reconstruction(make_net, reconstruction, sils):
    net = make_net(reconstruction=reconstruction).eval()

    def fail(*_):
        raise AssertionError("the reconstruction ran")

    reconstruction.register_forward_hook(fail)
    net(sils)
    with pytest.raises(AssertionError):
        net(sils, reconstruct=True)


def test_without_reconstruction_there_are_heatmaps_and_markers(make_net, sils):
    out = make_net().eval()(sils, reconstruct=True)
    assert out.heatmaps is not None and out.markers is not None
    assert out.joints is None and out.vertices is None


def test_the_baseline_has_no_body_to_return(make_net, reconstruction, sils):
    out = make_net(heatmap_cfg=None, reconstruction=reconstruction)(sils, reconstruct=True)
    assert all(getattr(out, name) is None for name in ON_REQUEST)


def test_no_body_in_the_checkpoint(make_net, reconstruction, sils):
    with_body, without = make_net(reconstruction=reconstruction), make_net()
    assert not any("reconstruction" in key for key in with_body.state_dict())
    without.load_state_dict(with_body.state_dict(), strict=True)
    with_body.load_state_dict(without.state_dict(), strict=True)
    assert torch.equal(with_body.eval()(sils).embeddings, without.eval()(sils).embeddings)


@pytest.mark.parametrize("heatmap_cfg", [None, ESTIMATOR, SHARED])
def test_packed_sequences_give_what_each_gives_alone(make_net, heatmap_cfg):
    net = make_net(heatmap_cfg=heatmap_cfg)
    net(torch.rand(4, 3, 64, 44))  # statistics other than the initial ones
    net.eval()
    sequences = [torch.rand(1, length, 64, 44) for length in (5, 1, 3)]
    packed = net(torch.cat(sequences, dim=1), torch.tensor([[5, 1, 3]]), reconstruct=True)
    alone = [net(sequence, reconstruct=True) for sequence in sequences]
    for name in ("embeddings", "logits"):
        expected = torch.cat([getattr(out, name) for out in alone])
        torch.testing.assert_close(getattr(packed, name), expected, atol=1e-5, rtol=1e-4)
    if heatmap_cfg:
        torch.testing.assert_close(packed.markers, torch.cat([out.markers for out in alone], dim=1))


def test_recognition_does_not_tear_the_markers_away(make_net, blobs):
    """Body and recognition losses of equal weight, at the learning rate that gait models start with."""
    net = make_net(heatmap_cfg={**ESTIMATOR, "markers": 4, "channels": [8, 8, 16]})
    optimizer, labels, errors = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9), torch.arange(4).repeat(2), []
    for _ in range(60):
        sils, points = blobs(16)
        out = net(sils.view(8, 2, 64, 44))
        error = (out.markers.flatten(0, 1) - points).abs().mean()
        optimizer.zero_grad()
        (_recognition_loss(out, labels) + error).backward()
        optimizer.step()
        errors.append(error.item())
    assert max(errors) < 1.3 * errors[0]
    assert sum(errors[-5:]) / 5 < 0.65 * errors[0]


def test_frames_in_any_order_give_the_same_embedding(make_net, sils):
    net = make_net().eval()
    torch.testing.assert_close(net(sils.flip(1)).embeddings, net(sils).embeddings, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("fusion", FUSIONS)
def test_recognition_alone_trains_every_parameter(make_net, batch, backbone, fusion):
    net = make_net(backbone_cfg=BACKBONES[backbone], fusion=fusion)
    sils, labels = batch
    _recognition_loss(net(sils, reconstruct=False), labels).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 1e-9, name


def test_the_body_trains_the_estimator_and_nothing_else(make_net, reconstruction, sils):
    net = make_net(reconstruction=reconstruction)
    out = net(sils)
    (out.vertices.square().mean() + out.joints.abs().mean()).backward()
    for name, parameter in net.named_parameters():
        reached = parameter.grad is not None and parameter.grad.abs().max() > 0
        assert reached == name.startswith("HeatmapEstimator."), name


@pytest.mark.parametrize("heatmap_cfg", [None, ESTIMATOR])
def test_data_parallel_training_finds_no_unused_parameter(make_net, reconstruction, batch, tmp_path, heatmap_cfg):
    sils, labels = batch
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    net = DistributedDataParallel(make_net(heatmap_cfg=heatmap_cfg, reconstruction=reconstruction))
    try:
        for _ in range(2):  # it complains at the second
            out = net(sils)
            body = out.vertices.mean() if heatmap_cfg else 0
            (_recognition_loss(out, labels) + body).backward()
    finally:
        del net  # see processes() in common/distributed.py
        torch.distributed.destroy_process_group()


def test_mixed_precision_trains_with_a_body_in_fp32(make_net, reconstruction, batch):
    net, (sils, labels) = make_net(reconstruction=reconstruction, fusion="gated"), batch
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = net(sils)
    assert {getattr(out, name).dtype for name in ON_REQUEST} == {torch.float32}
    assert out.embeddings.dtype == torch.bfloat16
    out.embeddings, out.logits = out.embeddings.float(), out.logits.float()
    (_recognition_loss(out, labels) + out.vertices.mean()).backward()
    assert all(p.grad.isfinite().all() for p in net.parameters())


def test_mixed_precision_gives_nearly_the_same_embeddings(make_net, sils):
    net = make_net().eval()
    expected = net(sils).embeddings
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = net(sils).embeddings.float()
    assert F.cosine_similarity(found.flatten(1), expected.flatten(1)).min() > 0.999


def test_sizes_may_be_repeated_or_left_null(make_net):
    make_net(
        SeparateFCs={"out_channels": 6, "in_channels": 14, "parts_num": 5},
        SeparateBNNecks={"class_num": 4, "in_channels": None, "parts_num": None},
    )


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"SeparateFCs": {"out_channels": 6, "in_channels": 8}}, "SeparateFCs.in_channels is 8.*give 14"),
        ({"SeparateFCs": {"out_channels": 6, "parts_num": 16}}, "SeparateFCs.parts_num is 16.*write parts_num: 5"),
        ({"SeparateBNNecks": {"class_num": 4, "in_channels": 14}}, "SeparateBNNecks.in_channels is 14.*give 6"),
        ({"SeparateBNNecks": {"class_num": 4, "parts_num": 4}}, "SeparateBNNecks.parts_num is 4.*give 5"),
        ({"SeparateBNNecks": {}}, "class_num: missing; SeparateBNNecks needs it"),
        ({"SeparateFCs": {"out_chanels": 6}}, "Did you mean 'out_channels'"),
        ({"HeatmapFeatures": {"chanels": [4]}}, "Did you mean 'channels'"),
        ({"backbone_cfg": {"type": "ResNet18"}}, "Unknown backbone 'ResNet18'. Did you mean 'ResNet9'"),
        ({"backbone_cfg": {"block": "BasicBlock"}}, "needs a 'type'"),
        ({"backbone_cfg": ESTIMATOR}, "Unknown backbone 'HeatmapEstimator'"),
        ({"heatmap_cfg": RESNET9}, "Unknown heatmap estimator 'ResNet9'. Known: HeatmapEstimator"),
        ({"heatmap_cfg": {"type": "HeatmapEstimater"}}, "Did you mean 'HeatmapEstimator'"),
        ({"HeatmapFeatures": None, "Discriminant": None}, "neither HeatmapFeatures nor a Discriminant"),
        (
            {"heatmap_cfg": {**ESTIMATOR, "reads": "backbones"}},
            "reads: found 'backbones' .*expected 'silhouettes' or",
        ),
        ({"Discriminant": {"chanels": 4}}, "Did you mean 'channels'"),
        ({"fusion": "gate"}, "Unknown fusion 'gate'. Did you mean 'gated'"),
        ({"bin_num": [16, 3]}, "16 rows: 16 cannot be cut into 3 equal strips"),
        ({"heatmap_cfg": {**ESTIMATOR, "markers": 6}}, "6 markers, but the marker set has 5: write markers: 5"),
    ],
)
def test_it_names_what_does_not_fit(make_net, reconstruction, changes, message):
    with pytest.raises(UserError, match=message):
        make_net(reconstruction=reconstruction, **changes)


@pytest.mark.parametrize("shape", [(4, 64, 44), (1, 4, 1, 64, 44)])
def test_silhouettes_have_four_axes(make_net, shape):
    with pytest.raises(ValueError, match=r"expected silhouettes \[n, s, h, w\], got"):
        make_net()(torch.rand(shape))


@pytest.mark.parametrize(("pooled", "found"), [((2, 3), r"\[4, 8\]"), (0, r"\[8, \d+, \d+\]")])
def test_a_backbone_that_makes_no_maps_of_its_frames(pooled, found, monkeypatch, make_net):
    forward = ResNet9.forward
    monkeypatch.setattr(ResNet9, "forward", lambda self, x: forward(self, x).mean(pooled))
    with pytest.raises(UserError, match=rf"ResNet9 makes {found} of frames .*expected feature maps \[4, c, h, w\]"):
        make_net()


@pytest.mark.parametrize(
    "reads, taught", [("silhouettes", {"HeatmapEstimator"}), ("backbone", {"HeatmapEstimator", "Backbone"})]
)
def test_3d_alone(make_net, reconstruction, batch, reads, taught):
    net = make_net(heatmap_cfg={**ESTIMATOR, "reads": reads}, Discriminant=None, reconstruction=reconstruction)
    both = net(batch[0])
    net.train_3d_alone()
    calls = []
    net.Backbone.register_forward_hook(lambda *_: calls.append(1))
    for part in (net.FCs, net.BNNecks, net.HeatmapFeatures):
        part.register_forward_hook(lambda *_: pytest.fail("recognition was computed"))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    out = net(batch[0])
    assert out.embeddings is None and out.logits is None
    torch.testing.assert_close(out.vertices, both.vertices)
    out.vertices.square().sum().backward()
    assert {name.split(".")[0] for name, p in net.named_parameters() if p.grad is not None} == taught
    changed = {name.split(".")[0] for name, value in net.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == taught  # batch normalisation


def test_3d_alone_still_tests_what_it_has(make_net, batch):
    net = make_net(Discriminant=None)
    net.train_3d_alone()
    assert net.eval()(batch[0]).embeddings.shape == (4, 6, 5)


def test_an_lda_head_is_not_fitted_to_what_nothing_taught(make_net):
    with pytest.raises(UserError, match="Discriminant: null, or add TripletLoss"):
        make_net().train_3d_alone()
