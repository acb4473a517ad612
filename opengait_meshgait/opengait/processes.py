"""``torchrun`` that leaves the last word to the processes it started.

``python -m opengait_meshgait.opengait.processes`` takes torchrun's arguments.
"""

import sys

from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import parse_args, run


def main() -> int:
    """Run the processes.

    Returns:
        0, or the exit code of the first that failed. It has said why; torchrun's own traceback would bury that.
    """
    try:
        run(parse_args(None))
    except ChildFailedError as error:
        return error.get_first_failure()[1].exitcode
    return 0


if __name__ == "__main__":
    sys.exit(main())
