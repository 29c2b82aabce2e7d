"""Run the command ``cygrad`` as ``python -m cygrad``."""

import sys

from cygrad.cli import main

if __name__ == "__main__":
    sys.exit(main())
