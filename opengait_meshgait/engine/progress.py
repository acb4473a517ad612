"""What a training run tells: a progress bar, ``log.jsonl`` and TensorBoard."""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from opengait_meshgait.common.distributed import mean_scalars, rank
from opengait_meshgait.common.files import atomic_path


def say(line: str) -> None:
    """One line on the error stream, beside any progress bar."""
    tqdm.write(line, file=sys.stderr)


def read_log(folder: str | Path) -> list[dict[str, Any]]:
    """The records of a run's ``log.jsonl``, without a line that a kill cut short.

    A record has ``iteration`` and either ``scalars`` (means since the record before) and ``seconds_per_iteration``, or
    ``evaluation``.
    """
    records = []
    try:
        lines = (Path(folder) / "log.jsonl").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        try:
            records.append(json.loads(line))
        except ValueError:
            break
    return records


def losses_in(scalars: Mapping[str, float]) -> dict[str, str]:
    """The losses among a log's scalars, their sum first, in few characters."""
    losses = {name: value for name, value in scalars.items() if name.endswith("/loss")}
    return {name.split("/")[-2].replace("scalar", "loss"): f"{value:.3g}" for name, value in losses.items()}


def figures_in(scalars: Mapping[str, float]) -> dict[str, str]:
    """Accuracy, errors of bodies and overlap among a log's scalars, with their units."""
    found = {}
    for name, value in scalars.items():
        term, figure = name.split("/")[-2:]
        if figure == "accuracy":
            found["acc"] = f"{100 * value:.0f}%"
        elif figure.endswith("_mm"):
            found[term] = f"{value:.0f}mm"
        elif figure == "iou":
            found["iou"] = f"{value:.2f}"
    return found


class Window:
    """Means of scalars and of the time an iteration takes, since they were last taken.

    Args:
        device: where the scalars are added up, so that no iteration waits for them.
    """

    def __init__(self, device: torch.device):
        self.device = device
        self._begin()

    def restart_clock(self) -> None:
        """The time since the last iteration does not count."""
        self._clock = time.monotonic()

    def add(self, scalars: Mapping[str, torch.Tensor]) -> None:
        """Count one iteration."""
        for name, value in scalars.items():
            self._sums[name] = self._sums.get(name, 0) + value.to(self.device)
        self._count += 1
        now = time.monotonic()
        self._seconds += now - self._clock
        self._clock = now

    def take(self) -> tuple[dict[str, float], float]:
        """Means over the iterations and all processes, and seconds of an iteration; then begin anew."""
        scalars = mean_scalars({name: total / self._count for name, total in self._sums.items()})
        seconds = self._seconds / self._count
        self._begin()
        return scalars, seconds

    def _begin(self) -> None:
        self._sums: dict[str, torch.Tensor] = {}
        self._count, self._seconds, self._clock = 0, 0.0, time.monotonic()


class Progress:
    """Tells how a run is going, in the first process only.

    Args:
        folder: of the run.
        start: the iteration it resumes at; records of later ones are removed, because they will come again.
        total: iterations in all.
        quiet: no bar and no lines, only files.
    """

    def __init__(self, folder: Path, start: int, total: int, quiet: bool):
        self.silent = quiet or rank() != 0
        self.start, self.total = start, total
        self.began = time.monotonic()
        self.log = folder / "log.jsonl"
        self.records = [record for record in read_log(folder) if record["iteration"] <= start]
        self.writer = None
        if rank() == 0:
            from torch.utils.tensorboard import SummaryWriter  # which takes long to import

            with atomic_path(self.log) as temporary:
                temporary.write_text("".join(json.dumps(record) + "\n" for record in self.records), encoding="utf-8")
            self.writer = SummaryWriter(str(folder / "summary"), purge_step=start + 1)
        # None: no bar where the error stream is a file; lines at log_iter stand in for it.
        self.bar = tqdm(
            total=total,
            initial=start,
            desc="training",
            unit="it",
            dynamic_ncols=True,
            bar_format="{desc} {n_fmt}/{total_fmt} {bar} {remaining} left, {rate_fmt}{postfix}",
            disable=True if self.silent else None,
        )

    def say(self, line: str) -> None:
        """One line, unless quiet."""
        if not self.silent:
            say(line)

    def scalars(self, iteration: int, scalars: Mapping[str, float], seconds: float) -> None:
        """Record means over the iterations since the last record; ``seconds`` is the time of one iteration."""
        self._record({"iteration": iteration, "scalars": dict(scalars), "seconds_per_iteration": round(seconds, 6)})
        if self.writer:
            for name, value in scalars.items():
                self.writer.add_scalar(name, value, iteration)
        losses, figures = losses_in(scalars), figures_in(scalars)
        # What fits beside a bar in 80 columns.
        self.bar.set_postfix({"loss": losses["loss"], **dict([*figures.items()][:2])}, refresh=False)
        if self.bar.disable:
            left = (time.monotonic() - self.began) / (iteration - self.start) * (self.total - iteration)
            values = ", ".join(" ".join(f"{k}={v}" for k, v in each.items()) for each in (losses, figures) if each)
            self.say(f"{iteration}/{self.total} {values}, {seconds:.3g} s/it, {tqdm.format_interval(left)} left")

    def evaluation(self, iteration: int, result: Mapping[str, Any]) -> None:
        """Record a test."""
        self._record({"iteration": iteration, "evaluation": dict(result)})
        errors = {name: value for name, value in (result["bodies"] or {}).items() if name.count("_") == 1}
        figures = [f"rank1={result['rank1']:.1f}%", *(f"{k.removesuffix('_mm')}={v:.0f}mm" for k, v in errors.items())]
        self.say(f"Test of iteration {iteration}, {result['split']} set: {', '.join(figures)}")
        if self.writer:
            overlap = {name: result[name] for name in ("iou", "iou_low_percent") if result.get(name) is not None}
            for name, value in {**result["metrics"], **(result["bodies"] or {}), **overlap}.items():
                self.writer.add_scalar(f"{result['split']}/{name}", value, iteration)

    def evaluations(self) -> list[dict[str, Any]]:
        """The records of tests so far."""
        return [record for record in self.records if "evaluation" in record]

    def picture(self, name: str, image: torch.Tensor, iteration: int) -> None:
        """Show an image, [3, h, w] 0…1, in TensorBoard."""
        if self.writer:
            self.writer.add_image(name, image, iteration)

    def close(self) -> None:
        """Write out what is pending."""
        self.bar.close()
        if self.writer:
            self.writer.close()

    def _record(self, record: dict[str, Any]) -> None:
        self.records.append(record)
        if self.writer:
            with self.log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
