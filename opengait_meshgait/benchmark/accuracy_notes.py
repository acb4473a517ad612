"""What a reader of an accuracy table must know besides its numbers."""

from collections.abc import Sequence

from opengait_meshgait.benchmark.accuracy_tables import Contestant

_LIKE = 1.1


def notes(contestants: Sequence[Contestant], frames: int) -> list[str]:
    """One sentence each.

    Args:
        contestants: with their runs, the reference first.
        frames: of the sequence whose GFLOPs were counted.
    """
    entered = [one for one in contestants if one.runs]
    runs = [run for one in entered for run in one.runs.values()]
    seeds = min(len(one.runs) for one in entered)
    lines = [
        f"GFLOPs of one sequence of {frames} frames at inference, parameters without the class head; mean ± standard "
        "deviation over seeds."
    ]
    if len(entered) > 1:
        lines.append(
            "Differences are paired over seeds and probes; their 95 % intervals cover other people and "
            + ("other seeds" if seeds > 1 else "no other seed, as there is one only")
            + ", each for itself: of 20 without any true difference one is expected to stand out."
        )
        if seeds == 2:
            lines.append("With two seeds the interval holds the truth in as few as 89 of 100 cases; three are better.")
    lines += _unlike(entered)
    commits = sorted({run["commit"] or "unknown" for run in runs})
    if len(commits) > 1:
        lines.append(f"The runs were made by different commits of this package: {', '.join(commits)}.")
    return lines + [*dict.fromkeys(note for run in runs for note in run["notes"])]


def _unlike(entered: Sequence[Contestant]) -> list[str]:
    """Where a difference may come from more work rather than from a better network."""
    lines = []
    cheapest = min(entered, key=lambda one: one.gflops)
    dearer = [one for one in entered if one.gflops > _LIKE * cheapest.gflops]
    if dearer:
        ratios = ", ".join(f"{one.name} {one.gflops / cheapest.gflops:.1f}" for one in dearer)
        lines.append(f"Costs differ: times the GFLOPs of {cheapest.name}, {ratios}.")
    budgets = {}
    for one in entered:
        run = next(iter(one.runs.values()))
        budgets[one.name] = f"{run['iterations']} × {run['sequences_per_iteration']}"
    if len(set(budgets.values())) > 1:
        told = ", ".join(f"{name} {budget}" for name, budget in budgets.items())
        lines.append(f"Training budgets differ (iterations × sequences in each): {told}.")
    return lines
