"""``python -m cygrad`` is the command ``cygrad``."""

import sys

from cygrad.cli import main

if __name__ == "__main__":
    sys.exit(main())
