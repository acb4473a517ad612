"""One training step of a small network with all losses; run by path, once for each process of the batch."""

import sys
from pathlib import Path
from types import SimpleNamespace

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from opengait_meshgait.losses import BODY_TERMS, LossSum, NonFiniteLossError, emitted_terms, loss_inputs

CFG = [
    {"type": "TripletLoss", "log_prefix": "triplet", "margin": 0.2},
    {"type": "CrossEntropyLoss", "log_prefix": "softmax", "loss_term_weight": 0.1, "log_accuracy": True},
    {"type": "JointLoss", "log_prefix": "joint", "norm": "l1"},
    {"type": "MarkerLoss", "log_prefix": "marker", "norm": "l2", "warmup": 4},
    {"type": "MeshLoss", "log_prefix": "mesh", "norm": "l2"},
    {"type": "SilhouetteLoss", "log_prefix": "silhouette", "every": 3},
]
LABELS = torch.tensor([0, 0, 1, 1, 0, 2, 2, 1])


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(6, 8)
        self.classify = nn.Linear(6, 6)
        self.points = nn.Linear(6, 12)

    def forward(self, x):
        points = self.points(x).unflatten(-1, (4, 3))
        mean = x.mean(1)
        return SimpleNamespace(
            embeddings=self.embed(mean).unflatten(1, (4, 2)),
            logits=self.classify(mean).unflatten(1, (3, 2)),
            joints=points,
            markers=points[:, :, :3],
            vertices=points.repeat(1, 1, 2, 1),
        )


def step(rank: int, world: int) -> dict:
    """Gradients and logged numbers of the process ``rank``, for its share of one fixed batch of 8."""
    rng = torch.Generator().manual_seed(0)
    own = slice(rank * 8 // world, (rank + 1) * 8 // world)
    x = torch.randn(8, 5, 6, generator=rng)[own]
    truth = torch.randn(8, 5, 8, 3, generator=rng)[own]
    weights = torch.rand(8, 5, generator=rng)
    # 14 frames of the first half count and 3 of the second.
    valid = torch.arange(40).reshape(8, 5) < 17
    valid[0] &= torch.tensor([True, False, True, False, True])
    valid[4] = torch.tensor([False, True, False, True, True])
    targets = SimpleNamespace(
        joints=truth[:, :, :4],
        markers=truth[:, :, :3],
        vertices=truth,
        height=1 + x.mean(2).abs(),
        joint_weights=valid[own].float(),
        mesh_weights=torch.where(valid, weights, 0.0)[own],
    )
    # Silhouettes of the first person are empty but for one, and meshes cover half of all pixels.
    sils = (torch.rand(8, 5, 12, 10, generator=rng) < 0.4).float()
    sils[0, 1:] = 0
    covered = torch.rand(8, 5, 12, 10, generator=rng) < 0.5
    torch.manual_seed(1)
    network = Network()
    model = network if world == 1 else DistributedDataParallel(network)
    inputs = loss_inputs(model(x), LABELS[own], targets, 2, (sils[own], covered[own]))
    total, info = LossSum(CFG, emitted_terms(heatmaps=True, bodies=True))(inputs)
    total.backward()
    return {
        "gradients": {name: parameter.grad for name, parameter in network.named_parameters()},
        "logged": {**info, "total": total.detach()},
        "valid": int(targets.joint_weights.sum()),
    }


def spoilt_step(rank: int) -> tuple[str, float]:
    """The second process alone has a NaN: who stops?"""
    joints = torch.full((1, 1, 2, 3), torch.nan if rank == 1 else 1.0)
    frame = {"weights": torch.ones(1, 1), "height": torch.ones(1, 1), "iteration": 0}
    try:
        LossSum([CFG[2]], BODY_TERMS)({"joint": {"predicted": joints, "target": torch.zeros(1, 1, 2, 3), **frame}})
    except NonFiniteLossError as error:
        return error.term, str(error)
    return "nothing", ""


def main(rank: int, world: int, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world)
    torch.save({**step(rank, world), "spoilt": spoilt_step(rank)}, folder / f"{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
