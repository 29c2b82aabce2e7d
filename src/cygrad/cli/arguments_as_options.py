"""Messages of functions in the words of the command line: ``--lossy`` for ``lossy=True``."""

from __future__ import annotations

import re

FLAGS = re.compile(r"\b(lossy|scale|verify)=(True|False)")
OPTIONS = re.compile(r"\b(activations|order|eps|norm|config|loss|classes|model|quantize)=")


def translated(text: str) -> str:
    """Return a message with options in the place of arguments."""

    def flag(found: re.Match[str]) -> str:
        return f"--{found[1]}" if found[2] == "True" else f"--no-{found[1]}"

    return OPTIONS.sub(r"--\1 ", FLAGS.sub(flag, text)).replace(" ,", ",")
