"""What a comparison of runs found: ``results.json``, the table and the verdict. ``docs/files.md`` is its schema."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class RunResult:
    """One trained and tested network.

    Attributes:
        name: of the run.
        parameters: number of weights used at inference (the class head is left out).
        gflops: GFLOPs of one inference on a sequence of ``frames`` frames; a multiply-add counts as two.
        frames: length of that sequence.
        iterations: training iterations.
        seconds_per_iteration: mean over the training.
        rank1: cross-view Rank-1 in percent by condition, identical views excluded.
        mpjpe_mm: mean per-joint position error, pelvis aligned; None without a heatmap branch.
        mpvpe_mm: mean per-vertex position error, pelvis aligned; None without a heatmap branch.
        marker_error_mm: crop-space error of the virtual markers on people not trained on, at the first and at the
            last evaluation: ``{"first": …, "last": …}``; None without a heatmap branch.
    """

    name: str
    parameters: int
    gflops: float
    frames: int
    iterations: int
    seconds_per_iteration: float
    rank1: dict[str, float]
    mpjpe_mm: float | None = None
    mpvpe_mm: float | None = None
    marker_error_mm: dict[str, float] | None = None

    @property
    def mean_rank1(self) -> float:
        """Rank-1 averaged over the conditions, in percent."""
        return sum(self.rank1.values()) / len(self.rank1)


def results_json(runs: Sequence[RunResult], verdict: str, context: dict) -> dict:
    """The content of ``results.json``; ``context`` holds versions, seed, command, machine and data."""
    return {"schema": 1, "verdict": verdict, **context, "runs": [asdict(run) for run in runs]}


def demo_table(runs: Sequence[RunResult]) -> list[list[str]]:
    """Rows of cells, the first row the header: what stands in the report, in the README and on the screen."""
    conditions = list(runs[0].rank1)
    header = [
        "",
        *(f"Rank-1 {c}" for c in conditions),
        "mean",
        "MPJPE",
        "MPVPE",
        "parameters",
        "GFLOPs",
        "s / iteration",
    ]
    rows = [header]
    for run in runs:
        rows.append(
            [
                run.name,
                *(f"{run.rank1[c]:.1f} %" for c in conditions),
                f"{run.mean_rank1:.1f} %",
                *("–" if e is None else f"{e:.0f} mm" for e in (run.mpjpe_mm, run.mpvpe_mm)),
                f"{run.parameters / 1e6:.2f} M",
                f"{run.gflops:.2f}",
                f"{run.seconds_per_iteration:.2f}",
            ]
        )
    return rows


def verdict(baseline: RunResult, ours: RunResult, people: int) -> str:
    """One honest sentence on which run recognises better.

    The spread named is the binomial standard error of a Rank-1 over ``people`` independent test people: probes of one
    person are not independent of each other, so counting probes would promise too much.
    """
    difference = round(ours.mean_rank1, 1) - round(baseline.mean_rank1, 1)
    rate = (ours.mean_rank1 + baseline.mean_rank1) / 200
    error = 100 * math.sqrt(2 * rate * (1 - rate) / people)
    first, second = (ours, baseline) if difference > 0 else (baseline, ours)
    ahead = f"is ahead by {abs(difference):.1f} points" if difference else "is level"
    more = "more" if abs(difference) > 2 * error else "not more"
    return (
        f"{first.name} {ahead}: mean Rank-1 {first.mean_rank1:.1f} % against {second.mean_rank1:.1f} % for "
        f"{second.name}. That is {more} than two standard errors ({2 * error:.1f} points) with {people} test people "
        "and one seed."
    )
