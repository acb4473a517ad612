"""``torchrun`` that leaves the last word to the processes it started.

``python -m opengait_meshgait.common.torchrun`` takes torchrun's arguments.
"""

import logging
import os
import signal
import sys
from collections.abc import Sequence

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import parse_args, run


def torchrun(arguments: Sequence[str] | None = None, more: Sequence[str] = ()) -> int:
    """Run processes; Ctrl-C and SIGTERM are handed on to them, and they have half a minute to save.

    Args:
        arguments: torchrun's; None: those of the command line.
        more: arguments of the script, which torchrun might take for its own.

    Returns:
        0, or the exit code of the first that failed. It has said why; torchrun's own traceback would bury that.
    """
    # It says so at length when it sets the number of threads, and of every signal that it hands on.
    logging.getLogger("torch.distributed").setLevel(logging.CRITICAL)
    options = parse_args(arguments)
    options.training_script_args += more
    if options.nproc_per_node.isdigit():
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // int(options.nproc_per_node))))
    try:
        run(options)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode < 0:
            killed = signal.Signals(-failure.exitcode)
            want = ", perhaps for want of memory" if killed is signal.SIGKILL else ""
            print(f"Process {rank} was ended by {killed.name}{want}.", file=sys.stderr)
            return 128 + killed
        return failure.exitcode
    except SignalException as stop:
        return 128 + stop.sigval
    return 0


if __name__ == "__main__":
    sys.exit(torchrun())
