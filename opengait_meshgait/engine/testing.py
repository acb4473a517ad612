"""Testing a checkpoint."""

from pathlib import Path
from typing import Any

from opengait_meshgait.common.distributed import processes, rank
from opengait_meshgait.common.errors import UserError
from opengait_meshgait.common.files import read_json, write_json
from opengait_meshgait.engine import build
from opengait_meshgait.engine.checkpoint import BEST, Checkpoints, other_body, run_folder
from opengait_meshgait.engine.evaluate import evaluate
from opengait_meshgait.engine.progress import say
from opengait_meshgait.engine.schema import Config
from opengait_meshgait.networks import load_checkpoint, load_weights


def test(
    config: Config,
    iteration: int | str | None = None,
    device: str = "auto",
    quiet: bool = False,
    output: str | Path = "output",
    split: str = "test",
    match: str | None = None,
) -> dict[str, Any]:
    """Test a checkpoint and write ``results-<split>-<iteration>.json`` into its run's folder; ``…-lda.json`` if the
    features of the LDA head were matched.

    Args:
        config: of the run.
        iteration: a number, ``last``, ``best``; None: what ``evaluator_cfg.restore_hint`` says.
        device: ``auto``, ``cpu`` or ``cuda``.
        quiet: no progress bar, no warnings.
        output: the folder of all runs.
        split: ``test`` for the partition's ``TEST_SET``, ``val`` for its ``VAL_SET``.
        match: ``embeddings``, or ``lda``, the features of the LDA head; None: ``lda`` where it is fitted.

    Returns:
        ``split``, ``iteration``, ``checkpoint`` and what :func:`~opengait_meshgait.engine.evaluate.evaluate` returns;
        an empty mapping in other processes than the first.

    Raises:
        UserError: there are no trained weights, they do not fit, or the data cannot be used.
    """
    with processes(device) as where:
        folder = run_folder(config, output, training=False)
        source = find_checkpoint(config, iteration, folder)
        state = load_checkpoint(source)
        preparation = build.build_preparation(config, training=False)
        net = build.build_network(config, preparation.supervision)
        load_weights(net, state, config.evaluator_cfg.restore_ckpt_strict, source)
        warning = other_body(state, build.describe_body(preparation.supervision))
        if warning and not quiet and rank() == 0:
            say(warning)
        dataset = build.build_test_set(config, split, preparation.supervision is not None)
        result = evaluate(net.to(where), dataset, config, where, preparation, match, quiet)
        if not result:
            return {}
        result = {"split": split, "iteration": state.get("iteration"), "checkpoint": str(source), **result}
        label = result["iteration"] if source.parent.parent == folder else source.stem
        head = "-lda" if result["matched"] == "lda" else ""
        write_json(folder / f"results-{split}-{label}{head}.json", result)
        return result


def find_checkpoint(config: Config, iteration: int | str | None, folder: Path) -> Path:
    """The file that ``iteration`` or else ``evaluator_cfg.restore_hint`` means.

    Raises:
        UserError: there is none. Random weights are never tested.
    """
    hint = config.evaluator_cfg.restore_hint if iteration is None else iteration
    checkpoints = Checkpoints(folder)
    saved = checkpoints.iterations()
    if isinstance(hint, str) and hint not in ("last", "best"):
        if not Path(hint).is_file():
            raise UserError(f"evaluator_cfg.restore_hint: {hint} is not a file.")
        return Path(hint)
    if not saved:
        raise UserError(
            f"No trained weights in {checkpoints.folder}, and random ones are not worth a test. "
            "Run `meshgait train` with this config first, or name a file in evaluator_cfg.restore_hint."
        )
    if hint == "best":
        if not (folder / BEST).is_file():
            raise UserError(f"{folder} has no {BEST}: train with trainer_cfg.with_test: true, or test `--iter last`.")
        hint = read_json(folder / BEST)["iteration"]
    return checkpoints.find(saved[-1] if hint in ("last", 0) else int(hint))
