"""Stops commands at random moments, goes on, and compares with a run that nobody stopped.

    make kill        # or: python tools/interruptions.py [--seed N] [--jobs NAME ...]; half an hour on two cores

Each of five jobs (``prepare``, training by one process and by two, the fit of an LDA head, the export) is killed four
times (SIGKILL, in turn of the whole group and of its first process alone) and asked to end twice (SIGTERM), in random
order; then it runs to its end. After every stop all files that are there must be whole, no process may be left, and
after SIGTERM no iteration may be lost. In the end all must be equal to the bit. It exits with 1 where it is not.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import yaml

from opengait_meshgait.common.configs import compose, merge
from opengait_meshgait.engine.progress import read_log
from opengait_meshgait.networks import load_checkpoint

MESHGAIT = [sys.executable, "-m", "opengait_meshgait"]
SIGNALS = [signal.SIGKILL] * 4 + [signal.SIGTERM] * 2
# Small enough that a start costs more than what is done.
TINY = {
    "data_cfg": {
        "dataset_root": "../../walkers", "dataset_partition": "../../walkers/partition.json", "num_workers": 1,
    },
    "model_cfg": {
        "backbone_cfg": {"channels": [4, 4, 8, 8]},
        "heatmap_cfg": {"depth": 2, "channels": [4, 8, 8]},
        "HeatmapFeatures": {"channels": [8, 8]},
        "SeparateFCs": {"out_channels": 8},
        "SeparateBNNecks": {"class_num": 4},
        "bin_num": [4],
        "Discriminant": {"channels": 4},
    },
    "trainer_cfg": {
        "total_iter": 60, "save_iter": 15, "log_iter": 1, "with_test": True, "save_name": "run",
        "sampler": {"batch_size": [2, 2], "frames_num_fixed": 4},
    },
    "evaluator_cfg": {"save_name": "run", "sampler": {"batch_size": 4}},
}  # fmt: skip


@dataclass(frozen=True)
class Job:
    """One command.

    Attributes:
        name: for the report.
        arguments: of ``meshgait``.
        out: what it writes, a file or a folder, below the working folder.
        content: of a file, for comparisons; raises where the file is not whole.
    """

    name: str
    arguments: tuple[str, ...]
    out: str
    content: Callable[[Path], object]


def checkpoint(path: Path) -> object:
    """What a checkpoint holds, with tensors as bytes."""
    return _plain(load_checkpoint(path))


def _plain(value: object) -> object:
    if isinstance(value, torch.Tensor):
        return str(value.dtype), tuple(value.shape), value.contiguous().view(-1).view(torch.uint8).numpy().tobytes()
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


PREPARE = ("prepare", "gait3d", "--root", "../../raw", "--out", "out", "--workers", "2")
TRAIN = ("train", "--cfgs", "../../tiny.yaml", "--device", "cpu")
TRAINED = "../../whole/train/output/Walkers/MeshGait/run/checkpoints/run-00060.pt"
JOBS = (
    Job(
        "prepare",
        ("prepare", "gait3d", "--root", "../../raw", "--out", "out", "--workers", "2"),
        "out",
        Path.read_bytes,
    ),
    Job("train", TRAIN, "output/Walkers/MeshGait/run/checkpoints", checkpoint),
    Job("train --nproc 2", (*TRAIN, "--nproc", "2"), "output/Walkers/MeshGait/run/checkpoints", checkpoint),
    Job("lda", ("lda", "--ckpt", TRAINED, "--out", "lda.pt", "--device", "cpu"), "lda.pt", checkpoint),
    Job("export", ("export", "--ckpt", TRAINED, "--out", "model.onnx"), "model.onnx", Path.read_bytes),
)


def files(folder: Path, job: Job) -> dict[str, object]:
    """The contents of all that a job has written, by name."""
    out = folder / job.out
    found = [out] if out.is_file() else sorted(path for path in out.rglob("*") if path.is_file())
    # A file under a temporary name is not there yet.
    found = [path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    return {str(path.relative_to(folder)): job.content(path) for path in found}


def start(job: Job, folder: Path) -> subprocess.Popen:
    """The job, as the first of a group of processes, in a folder of its own."""
    with (folder / "said.txt").open("a") as said:
        command = [*MESHGAIT, *job.arguments]
        return subprocess.Popen(command, cwd=folder, stdout=said, stderr=said, start_new_session=True)


def ended(group: int, seconds: float = 40) -> bool:
    """Whether all processes of a group end within some seconds."""
    for _ in range(int(10 * seconds)):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    os.killpg(group, signal.SIGKILL)
    return False


def iterations(folder: Path) -> tuple[int, int]:
    """The last that is logged, and the last that is saved."""
    run = folder / "output/Walkers/MeshGait/run"
    saved = [int(path.stem[-5:]) for path in (run / "checkpoints").glob("run-*.pt")]
    return max((record["iteration"] for record in read_log(run)), default=0), max(saved, default=0)


def stop(job: Job, folder: Path, number: int, whole_group: bool, moment: float) -> tuple[bool, list[str]]:
    """Start the job and send it a signal after some seconds: whether it was running still, and what is wrong then."""
    before = files(folder, job)
    process = start(job, folder)
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        (os.killpg if whole_group else os.kill)(process.pid, number)
    status = process.wait()
    problems = [] if ended(process.pid) else ["processes are left"]
    if status not in (0, -number, 128 + number):
        problems.append(f"exit code {status}")
    try:
        after = files(folder, job)
    except Exception as error:  # whatever reading half a file may raise
        return status != 0, [*problems, f"not whole: {error}"]
    logged, saved = iterations(folder)
    if number == signal.SIGTERM and logged > saved:
        problems.append(f"iteration {logged} is lost, {saved} is saved")
    # The record of what is prepared grows; every other file is written once. A passing checkpoint goes.
    once = [name for name in before if not name.endswith((".json", ".jsonl", ".pt"))]
    problems += [f"{name} has changed" for name in once if after.get(name) != before[name]]
    return status != 0, problems


def examine(job: Job, root: Path, draw: random.Random) -> list[str]:
    """Stop a job many times while it runs, let it end, and say what went wrong."""
    whole, folder = (root / kind / job.name.replace(" ", "_") for kind in ("whole", "stopped"))
    for each in (whole, folder):
        each.mkdir(parents=True)
    began = time.monotonic()
    if start(job, whole).wait():
        return [f"fails without any signal: {(whole / 'said.txt').read_text()[-500:]}"]
    seconds = time.monotonic() - began
    problems: list[str] = []
    for count, number in enumerate(draw.sample(SIGNALS, len(SIGNALS))):
        running = False
        while not running:
            moment = draw.uniform(0.05, 0.95) * seconds
            running, found = stop(job, folder, number, number == signal.SIGKILL and count % 2 == 0, moment)
            problems += [f"{signal.Signals(number).name} after {moment:.1f} s: {problem}" for problem in found]
            if not running:  # it had gone on from the last stop, and came to its end before this one
                shutil.rmtree(folder)
                folder.mkdir()
    if start(job, folder).wait():
        return [*problems, f"does not go on: {(folder / 'said.txt').read_text()[-500:]}"]
    expected, found = files(whole, job), files(folder, job)
    # A stop leaves a checkpoint at its own iteration; all others are those of the whole run.
    problems += [f"{name} is not the same in the end" for name in expected if found.get(name) != expected[name]]
    problems += [f"{name} is left" for name in found.keys() - expected.keys() if not name.endswith(".pt")]
    return problems


def prepare_inputs(root: Path) -> None:
    """A tiny set of walkers, raw pictures and a config."""
    small = ("--ids", "6", "--views", "0,90", "--frames", "8", "--workers", "1")
    for arguments in (
        ("walkers", "--out", "walkers", "--seqs", "nm:3", "--train", "4", *small),
        ("walkers", "--raw", "gait3d", "--out", "raw", "--seqs", "nm:4", *small),
    ):
        subprocess.run([*MESHGAIT, *arguments], cwd=root, check=True, capture_output=True)
    (root / "tiny.yaml").write_text(yaml.safe_dump(merge(compose("walkers_lda"), TINY)))


def main() -> int:
    """Examine the jobs one by one."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: %(default)s)")
    parser.add_argument("--jobs", nargs="+", choices=[job.name for job in JOBS], help="default: all")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # with more the order of a sum is not fixed
    os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[1])
    root, draw, failed = Path(tempfile.mkdtemp()), random.Random(arguments.seed), 0
    prepare_inputs(root)
    for job in JOBS:
        if arguments.jobs and job.name not in arguments.jobs and job.name != "train":
            continue
        problems = examine(job, root, draw)
        kinds = ", ".join(f"{SIGNALS.count(kind)} {kind.name}" for kind in sorted({*SIGNALS}))
        verdict = "WRONG" if problems else "nothing lost, equal in the end"
        print(f"{job.name}: {kinds}; {verdict}", flush=True)
        print("".join(f"  {problem}\n" for problem in problems), end="", flush=True)
        failed += bool(problems)
    if failed:
        print(f"Left to look at: {root}")
    else:
        shutil.rmtree(root)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
