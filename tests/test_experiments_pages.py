"""Properties of all experiments: text, pictures, and pages without pictures."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cygrad.experiments.page import HOW_TO_GET_PICTURES, LABEL_WIDTH, WIDTH

# All but the circuits, whose drawings need no matplotlib, and the experiment that measures time:
# these have their own tests.
PICTURES = {
    "rbf": ["data", "surface", "contour", "output"],
    "circles": ["start", "cost", "end", "hidden"],
    "softmax-surface": ["surface", "contour", "difference"],
    "regression-to-network": ["steps", "corners"],
    "vanishing": ["gradients", "learning"],
    "backward-network": ["passes"],
    "scale": ["valley", "descent", "digits"],
    "digits": ["learning", "confusion", "mistakes", "weights"],
}

# Runs experiments where matplotlib cannot be imported. Three of them train for fewer steps, since
# they would take long, so their numbers differ.
WITHOUT_MATPLOTLIB = """
import io, json, sys
sys.modules["matplotlib"] = None
from importlib import import_module
from cygrad.experiments import Page, regression_to_network, scale, vanishing
regression_to_network.STEPS = scale.STEPS = 10
scale.EPOCHS = vanishing.EPOCHS = 1
folder, *names = sys.argv[1:]
found = {}
for name in names:
    text = io.StringIO()
    page = Page(name, folder, text)
    import_module("cygrad.experiments." + name.replace("-", "_")).run(page)
    found[name] = {"numbers": page.numbers, "text": text.getvalue(), "pictures": page.pictures}
print(json.dumps(found))
"""


@pytest.mark.parametrize("name", PICTURES)
def test_text_is_printed(name, written):
    page, text = written(name)
    lines = [line for line in text.splitlines() if not line.startswith("  → ")]
    assert max(map(len, lines)) <= WIDTH
    for title in page.tables:
        assert f"  {title}" in lines
    for label in page.numbers:
        # Short enough to print all numbers in one column.
        assert any(line.startswith(f"  {label:<{LABEL_WIDTH}s} ") for line in lines)


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_drawn(name, written):
    pytest.importorskip("matplotlib")
    from matplotlib import image

    files = [Path(path) for path in written(name).page.pictures]
    assert [file.name for file in files] == [f"{name}-{picture}.png" for picture in PICTURES[name]]
    assert sorted(files[0].parent.iterdir()) == sorted(files)
    for file in files:
        pixels = (255 * image.imread(file)).round().astype(np.uint8).view(np.uint32)[..., 0]
        # The picture has a content, and its border is white: nothing is cut off.
        assert len(np.unique(pixels)) > 50
        for border in (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]):
            assert (border == 0xFFFFFFFF).all()


def test_without_matplotlib_the_numbers_come_and_a_hint(written, tmp_path):
    command = [sys.executable, "-c", WITHOUT_MATPLOTLIB, tmp_path, *PICTURES]
    done = subprocess.run(command, check=True, capture_output=True)
    found = json.loads(done.stdout)
    assert list(found) == list(PICTURES)
    for name, page in found.items():
        assert page["text"].count(HOW_TO_GET_PICTURES) == 1
        assert page["pictures"] == []
        if name not in ("regression-to-network", "scale", "vanishing"):
            assert page["numbers"] == written(name).page.numbers
    assert list(tmp_path.iterdir()) == []
