"""``meshgait lda``: give a trained checkpoint an LDA head, without training anew."""

import argparse
from pathlib import Path

from opengait_meshgait.cli.arguments import add_device, add_model, add_set, check_out


def parser(prog: str) -> argparse.ArgumentParser:
    """Arguments of the command."""
    result = argparse.ArgumentParser(
        prog=prog,
        description="Fit an LDA head to a checkpoint's network and its training people, or to others with --set, and "
        "write a checkpoint with it for `meshgait test`, `embed`, `view` and `export`. The weights stay as they are.",
    )
    add_model(result)
    result.add_argument("--out", required=True, type=Path, metavar="C_lda.pt", help="file to write")
    add_set(
        result,
        "change keys: data_cfg.dataset_root=DIR data_cfg.dataset_partition=FILE model_cfg.Discriminant.marker_weight=0",
    )
    add_device(result)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Fit and write."""
    check_out(arguments, ".pt")
    from opengait_meshgait.common.locks import lock
    from opengait_meshgait.engine.training import add_lda_head

    with lock(arguments.out, "Wait for it, stop it, or give another --out."):
        add_lda_head(arguments.ckpt, arguments.out, arguments.cfgs, arguments.set, arguments.device)
    print(f"{arguments.out}: the weights of {arguments.ckpt} with an LDA head")
    print(f"Test it: meshgait test --cfgs FILE --set evaluator_cfg.restore_hint={arguments.out}")
    return 0
