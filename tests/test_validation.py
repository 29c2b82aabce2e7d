"""Validation data of `Trainer.fit` that are a part of the training samples."""

import numpy as np
import pytest

import cygrad as cg
from cygrad import seeding
from cygrad.training.validation import split

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = np.array([0] * 30 + [1] * 20 + [2] * 10)


def _network(**options):
    layers = [cg.Dense(5, "tanh"), cg.Dense(3, "softmax")]
    return cg.Network(3, layers, loss="cross_entropy", dtype="float64", rng=0, **options)


def _parts(n, count, labels, seed=0):
    return split(n, count, labels, seeding.seeds(seed, "validation"))


@pytest.mark.parametrize("count", [1, 6, 13, 54])
def test_a_split_divides_the_rows(count):
    training, validation = _parts(60, count, Y)
    assert len(validation) == count
    assert sorted([*training, *validation]) == list(range(60))
    shares = np.bincount(Y[validation], minlength=3) - np.array([30, 20, 10]) * count / 60
    assert (abs(shares) < 1).all()
    assert (np.diff(training) > 0).all()
    assert (np.diff(validation) > 0).all()


def test_a_split_is_drawn_by_its_seeds():
    one, same, other = (_parts(60, 12, Y, seed)[1].tolist() for seed in (0, 0, 1))
    assert one == same != other
    # Without labels any rows may be drawn.
    drawn = {tuple(_parts(4, 2, None, seed)[1]) for seed in range(60)}
    assert len(drawn) == 6
    with_labels = {tuple(_parts(4, 2, np.array([0, 1, 1, 0]), seed)[1]) for seed in range(60)}
    assert with_labels == {(0, 1), (0, 2), (1, 3), (2, 3)}


@pytest.mark.parametrize("kind", ["labels", "rows"])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("threads", [1, 2])
def test_training_on_a_part_is_training_on_a_copy_of_it(kind, shuffle, threads):
    targets = Y if kind == "labels" else np.eye(3)[Y]
    trainer = cg.Trainer(_network(), cg.Adam(0.05), 8, rng=1, threads=threads)
    history = trainer.fit(X, targets, 3, validation=0.25, shuffle=shuffle)
    labels = Y if kind == "labels" else None
    rows, held_out = split(60, 15, labels, seeding.seeds(1, "validation"))
    copy = cg.Trainer(_network(), cg.Adam(0.05), 8, rng=1)
    expected = copy.fit(
        X[rows], targets[rows], 3, X_val=X[held_out], y_val=targets[held_out], shuffle=shuffle
    )
    assert trainer.net.parameters.tobytes() == copy.net.parameters.tobytes()
    for name in expected:
        if name != "seconds":
            assert history[name] == expected[name]
    assert trainer.steps == 3 * 6


@pytest.mark.parametrize("form", ["plain", "standardised", "sparse"])
def test_every_form_of_samples_is_divided(form):
    """Integers with standardised or sparse rows, through all kinds of layers."""
    data = ((RNG.random((60, 7)) < 0.3) * RNG.integers(0, 200, (60, 7))).astype(np.uint8)
    convert = lambda rows: rows  # noqa: E731
    if form == "sparse":
        convert = pytest.importorskip("scipy.sparse", reason="sparse rows need scipy").csr_matrix
    trainers = []
    for _ in range(2):
        layers = [cg.Dense(5, "tanh"), cg.Dropout(0.2), cg.BatchNorm(), cg.Dense(3, "softmax")]
        net = cg.Network(7, layers, loss="cross_entropy", rng=0)
        if form == "standardised":
            net.standardize_inputs(data)
        trainers.append(cg.Trainer(net, cg.Adam(0.05), 8, rng=1))
    options = {"metrics": ["f1", "log_loss"], "train_metrics": True}
    history = trainers[0].fit(convert(data), Y, 3, validation=15, **options)
    rows, held_out = split(60, 15, Y, seeding.seeds(1, "validation"))
    own = {"X_val": convert(data[held_out]), "y_val": Y[held_out]}
    expected = trainers[1].fit(convert(data[rows]), Y[rows], 3, **own, **options)
    for name in expected:
        assert name == "seconds" or history[name] == expected[name]
    assert trainers[0].net.parameters.tobytes() == trainers[1].net.parameters.tobytes()


def test_many_validation_rows_are_evaluated_by_threads():
    X_many = RNG.normal(size=(5000, 3))
    y_many = (X_many[:, 0] > 0).astype(int)
    histories = []
    for threads in (1, 2):
        layers = [cg.Dense(400, "tanh"), cg.Dense(2, "softmax")]
        net = cg.Network(3, layers, loss="cross_entropy", rng=0)
        trainer = cg.Trainer(net, cg.SGD(0.1), 500, rng=1, threads=threads)
        histories.append(trainer.fit(X_many, y_many, validation=2000))
    assert histories[0].val_loss == histories[1].val_loss
    assert histories[0].loss == histories[1].loss


def test_every_fit_holds_out_the_same_rows():
    """So the rows of the first call's validation are not trained on by the second."""
    seen = []
    net = _network()
    trainer = cg.Trainer(net, cg.SGD(0), 8, rng=1)
    for _ in range(2):
        seen.append(trainer.fit(X, Y, validation=0.2).val_loss)
    assert seen[0] == seen[1]


def test_a_split_leaves_the_samples_where_they_are():
    strided = np.asfortranarray(X)[:, ::1]
    strided.flags.writeable = False
    a = cg.Trainer(_network(), cg.SGD(0.1), 8, rng=1)
    b = cg.Trainer(_network(), cg.SGD(0.1), 8, rng=1)
    assert a.fit(strided, Y, validation=6).val_loss == b.fit(X, Y, validation=0.1).val_loss


@pytest.mark.parametrize(("share", "rows"), [(0.1, 6), (0.001, 1), (0.29, 17), (7, 7), (0.07, 4)])
def test_a_share_is_the_nearest_number_of_rows(share, rows):
    trainer = cg.Trainer(_network(), cg.SGD(0.1), 1, rng=1)
    trainer.fit(X, Y, validation=share)
    assert trainer.steps == 60 - rows


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"validation": 0.0}, ValueError, r"validation is 0\.0, expected a share between 0 and 1"),
        ({"validation": 1.0}, ValueError, r"validation is 1\.0"),
        ({"validation": float("nan")}, ValueError, "validation is nan"),
        ({"validation": 0.999}, ValueError, "validation of 60 rows is 60, expected .* 1 to 59"),
        ({"validation": 0}, ValueError, "validation is 0, expected an integer from 1 to 59"),
        ({"validation": 60}, ValueError, "validation is 60"),
        ({"validation": True}, TypeError, "validation is True"),
        ({"validation": "0.1"}, TypeError, "validation is '0.1'"),
        ({"validation": 0.1, "X_val": X, "y_val": Y}, ValueError, "validation is 0.1 and X_val is"),
    ],
)
def test_bad_shares_are_named(changes, error, message):
    with pytest.raises(error, match=message):
        cg.Trainer(_network(), cg.SGD(0.1), 8, rng=1).fit(X, Y, **changes)


def test_every_class_is_trained_on():
    labels = np.array([0] * 20 + [1] + [2] * 19 + [3])
    for seed in range(20):
        for count in (1, 10, 30):
            train, held_out = split(41, count, labels, seeding.seeds(seed, "validation"))
            assert set(labels[train]) == {0, 1, 2, 3}
            assert len(held_out) == count
    assert len(_parts(60, 59, Y)[1]) == 57
    with pytest.raises(ValueError, match="validation is 2 of 4 rows, and each class needs one"):
        split(4, 2, np.arange(4), seeding.seeds(0, "validation"))
