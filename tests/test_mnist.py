"""Real images: MNIST's test part, the first 8,000 to train and the last 2,000 to test."""

from pathlib import Path

import numpy as np
import pytest

import cygrad as cg

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist-10k"
IMAGES = FOLDER / "t10k-images-idx3-ubyte.gz"

pytestmark = pytest.mark.skipif(
    not IMAGES.exists(), reason=f"the images are not part of the repository, and not in {FOLDER}"
)
TRAIN, TEST = slice(0, 8000), slice(8000, 10_000)


@pytest.fixture(scope="module")
def images():
    table = cg.datasets.read(IMAGES)
    assert table.classes == tuple("0123456789")
    return (table.X / 255).astype(np.float32), table.y


def test_the_files_are_what_they_should_be(images):
    X, y = images
    assert (X.shape, y.shape) == ((10_000, 784), (10_000,))
    assert (X.min(), X.max()) == (0, 1)
    assert np.bincount(y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_95_percent_after_a_few_epochs(images):
    X, y = images
    layers = [cg.Dense(128, "relu"), cg.Dense(10, "softmax")]
    net = cg.Network(784, layers, loss="cross_entropy", rng=0)
    history = cg.Trainer(net, cg.Adam(1e-3), batch_size=64, rng=0).fit(
        X[TRAIN], y[TRAIN], 10, X_val=X[TEST], y_val=y[TEST]
    )
    assert net.evaluate(X[TEST], y[TEST])["accuracy"] >= 0.95
    assert (net.predict(X[TEST]) == y[TEST]).mean() == history.val_metric[-1]
    assert history.loss == sorted(history.loss, reverse=True)
