"""Time and memory of a training iteration inside OpenGait: MeshGait beside OpenGait's own GaitBase and SMPLGait.

    python tools/opengait_speed.py ROOT --batch 32 4 --frames 30 --half

One process a model, the same batch for all; the data loader is not timed. Needs a GPU and what OpenGait needs. On a CPU
(``PYTHONPATH=tests/opengait/cpu:.``) the time is that of the processor, so that other programs disturb less.
"""

import argparse
import copy
import json
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import yaml

PACKAGE = Path(__file__).parents[1]
MODELS = {
    "GaitBase": "Baseline",
    "SMPLGait": "SMPLGait",
    "MeshGait, silhouettes only": "MeshGait",
    "MeshGait": "MeshGait",
}


def write_data(root: Path, people: int, each: int, frames: int) -> None:
    """Ellipses and swaying bodies."""
    rng = np.random.default_rng(0)
    row, column = np.mgrid[:64, :64]
    for person in range(people):
        for number in range(each):
            width = rng.uniform(6, 16, (frames, 1, 1))
            sils = (((column - 32) / width) ** 2 + ((row - 32) / 32) ** 2 < 1) * 255
            smpls = rng.normal(0, 0.1, (frames, 85))
            smpls[:, 3:6] = [np.pi, 0, 0]
            folder = root / "data" / f"{person:04d}" / f"{number:02d}" / "000"
            folder.mkdir(parents=True)
            for name, array in {"sils": sils.astype(np.uint8), "smpls": smpls.astype(np.float32)}.items():
                (folder / f"{name}.pkl").write_bytes(pickle.dumps(array))
    ids = [f"{person:04d}" for person in range(people)]
    (root / "partition.json").write_text(json.dumps({"TRAIN_SET": ids, "TEST_SET": []}))


def make_config(name: str, root: Path, arguments: argparse.Namespace) -> dict:
    """The Gait3D config of this package, or of OpenGait for SMPLGait, on the data in ``root``."""
    ours = yaml.safe_load((PACKAGE / "configs/meshgait/gait3d.yaml").read_text())
    cfgs = copy.deepcopy(ours)
    if name == "SMPLGait":
        cfgs["model_cfg"] = yaml.safe_load(Path("configs/smplgait/smplgait.yaml").read_text())["model_cfg"]
    elif name != "MeshGait":
        cfgs["model_cfg"] |= {"model": MODELS[name], "heatmap_cfg": None, "augment_cfg": None}
        cfgs["model_cfg"]["SeparateFCs"] |= {"in_channels": 512, "parts_num": 16}
        cfgs["model_cfg"]["SeparateBNNecks"] |= {"in_channels": 256, "parts_num": 16}
        cfgs["data_cfg"]["data_in_use"] = [True, False]
        cfgs["trainer_cfg"]["transform"] = cfgs["trainer_cfg"]["transform"][:1]
    cfgs["model_cfg"] |= {"augment_cfg": None} if name == "MeshGait" else {}
    if name != "MeshGait":
        cfgs["loss_cfg"] = cfgs["loss_cfg"][:2]
    cfgs["data_cfg"] |= {"dataset_root": str(root / "data"), "dataset_partition": str(root / "partition.json")}
    cfgs["data_cfg"]["num_workers"] = 0
    cfgs["trainer_cfg"] |= {"with_test": False, "enable_float16": arguments.half, "log_iter": 10**6}
    cfgs["trainer_cfg"]["sampler"] |= {"batch_size": arguments.batch, "frames_num_fixed": arguments.frames}
    return cfgs


def measure(name: str, root: Path, arguments: argparse.Namespace) -> dict:
    """Run in the checkout, in a process of its own: seconds an iteration and peak memory in GiB."""
    sys.path[0] = str(Path("opengait").resolve())
    from opengait_meshgait.opengait.register import register

    register()
    from modeling import models
    from utils import MergeCfgsDict, get_ddp_module, get_msg_mgr

    torch.distributed.init_process_group("nccl", init_method="env://")
    cfgs = yaml.safe_load(Path("configs/default.yaml").read_text())
    MergeCfgsDict(make_config(name, root, arguments), cfgs)
    get_msg_mgr().init_logger("output", False)
    get_msg_mgr().logger.setLevel("ERROR")
    model = get_ddp_module(getattr(models, MODELS[name])(cfgs, True))
    cuda = torch.cuda.is_available()
    clock = time.perf_counter if cuda else time.process_time
    inputs = next(iter(model.train_loader))
    seconds = []
    for _ in range(arguments.iterations + 2):
        began = clock()
        prepared = model.inputs_pretreament(inputs)
        with torch.cuda.amp.autocast(enabled=arguments.half):
            features = model(prepared)["training_feat"]
        model.train_step(model.loss_aggregator(features)[0])
        if cuda:
            torch.cuda.synchronize()
        seconds.append(clock() - began)
    peak = torch.cuda.max_memory_allocated() if cuda else 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": float(np.median(seconds[2:])), "memory": peak / 2**30}


def main() -> None:
    """Measure every model, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, help="the OpenGait checkout")
    parser.add_argument("--batch", type=int, nargs=2, default=[32, 4], help="people, sequences of each")
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--half", action="store_true", help="float16")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        name, root = arguments.measure
        print(json.dumps(measure(name, Path(root), arguments)))
        return
    alone = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}
    path = os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(PACKAGE)])
    print("| model | s per iteration | against GaitBase | peak memory, GiB |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        write_data(Path(folder), *arguments.batch, arguments.frames)
        first = None
        for name in MODELS:
            command = [sys.executable, Path(__file__).resolve(), *sys.argv[1:], "--measure", name, folder]
            env = {**os.environ, **alone, "PYTHONPATH": path}
            done = subprocess.run(command, cwd=arguments.root, env=env, capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{name}: {done.stderr}")
            found = json.loads(done.stdout.splitlines()[-1])
            first = first or found["seconds"]
            print(f"| {name} | {found['seconds']:.3f} | {found['seconds'] / first:.2f} | {found['memory']:.2f} |")


if __name__ == "__main__":
    main()
