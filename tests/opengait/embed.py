"""Run in a checkout: OpenGait's own test loop with each of the checkpoints named, embeddings to a file.

embed.py CONFIG OUT CHECKPOINT...
"""

import sys

import numpy as np
import torch

config, out, *checkpoints = sys.argv[1:]
sys.path[0] = "opengait"

from modeling import models  # noqa: E402
from utils import config_loader, get_msg_mgr  # noqa: E402

torch.distributed.init_process_group("nccl", init_method="env://")
get_msg_mgr().init_logger("output", False)
embeddings = []
for checkpoint in checkpoints:
    cfgs = config_loader(config)
    cfgs["evaluator_cfg"]["restore_hint"] = checkpoint
    model = models.MeshGait(cfgs, training=False)
    assert len(model.test_loader.dataset[0, 0].sils) and model.test_loader.dataset[0, 0].bodies is None
    assert not any(type(module).__module__.startswith("opengait_meshgait.body") for module in model.modules())
    with torch.no_grad():
        embeddings.append(model.inference(0)["embeddings"])
np.save(out, np.stack(embeddings))
