"""OpenGait's main.py with MeshGait registered, in a checkout that knows nothing of it.

``python -m opengait_meshgait.opengait.inside --cfgs F.yaml --phase train``, started in the checkout.
"""

import runpy
import sys
from pathlib import Path


def main() -> None:
    """Put OpenGait's packages on the path, as its main.py would, register, and run main.py."""
    script = Path("opengait/main.py").resolve()
    sys.path[0] = str(script.parent)
    sys.argv[0] = str(script)
    from opengait_meshgait.opengait.register import register

    register()
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
