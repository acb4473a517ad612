"""``python -m opengait_meshgait`` is the ``meshgait`` command."""

import sys

from opengait_meshgait.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
