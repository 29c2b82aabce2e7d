"""`metrics.permutation_importance`, against a computation by hand and scikit-learn's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import cygrad as cg
from cygrad import seeding
from cygrad.metrics import Importances, Metric, permutation_importance
from cygrad.tables import SparseRows

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
CLASSES = (X[:, 1] + 0.2 * X[:, 2] > 0).astype(np.int64) + (X[:, 0] > 1)


def orders(rows: int, repeats: int, rng: int) -> list[np.ndarray[Any, Any]]:
    generator = seeding.stream(rng, "importance")
    return [generator.permutation(rows) for _ in range(repeats)]


def trained(loss: str = "cross_entropy") -> cg.Network:
    outputs = 3 if loss == "cross_entropy" else 2
    output = cg.Dense(outputs, "softmax" if outputs == 3 else "identity")
    net = cg.Network(4, [cg.Dense(8, "tanh"), output], loss=loss, dtype="float64", rng=0)
    y = CLASSES if outputs == 3 else X @ np.arange(8).reshape(4, 2)
    cg.Trainer(net, cg.Adam(0.02), batch_size=20, rng=0).fit(X, y, epochs=20)
    return net


def test_falls_of_the_accuracy_by_hand() -> None:
    net = trained()
    found = permutation_importance(net, X, CLASSES, repeats=3, rng=5)
    score = net.evaluate(X, CLASSES)["accuracy"]
    assert (found.metric, found.score, found.names) == ("accuracy", score, ("0", "1", "2", "3"))
    for column in range(4):
        for repeat, order in enumerate(orders(60, 3, 5)):
            shuffled = X.copy()
            shuffled[:, column] = X[order, column]
            expected = score - np.mean(net.predict(shuffled) == CLASSES)
            assert found.values[column, repeat] == pytest.approx(expected, abs=1e-15)
    assert_allclose(found.mean, found.values.mean(axis=1))
    assert_allclose(found.std, found.values.std(axis=1))
    assert found.order[0] == 1
    assert_array_equal(np.sort(found.order), np.arange(4))
    assert (np.diff(found.mean[found.order]) <= 0).all()
    again = permutation_importance(net, X, CLASSES, repeats=3, rng=5)
    assert_array_equal(again.values, found.values)
    part = permutation_importance(net, X, CLASSES, repeats=3, rng=5, columns=[2, 1])
    assert part.names == ("2", "1")
    assert_array_equal(part.values, found.values[[2, 1]])
    assert (np.random.default_rng(0).normal(size=(60, 4)) == X).all()  # the samples stay


@pytest.mark.parametrize("metric", [None, "rmse", "r2", "loss"])
def test_rises_of_an_error_by_hand(metric: str | None) -> None:
    net = trained("mse")
    y = X @ np.arange(8).reshape(4, 2)
    found = permutation_importance(net, X, y, metric=metric, repeats=2, rng=1)
    assert found.metric == (metric or "mae")

    def error(inputs: np.ndarray[Any, Any]) -> float:
        difference = net.forward(inputs) - y
        if metric == "rmse":
            return float(np.sqrt(np.square(difference).mean(axis=0)).mean())
        if metric == "r2":
            return -float((1 - np.square(difference).mean(axis=0) / y.var(axis=0)).mean())
        if metric == "loss":
            return float(np.square(difference).mean())
        return float(np.abs(difference).mean())

    for column in range(4):
        for repeat, order in enumerate(orders(60, 2, 1)):
            shuffled = X.copy()
            shuffled[:, column] = X[order, column]
            expected = error(shuffled) - error(X)
            assert found.values[column, repeat] == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert found.mean[3] > found.mean[0] > 0


def test_importances_are_those_of_scikit_learn() -> None:
    inspection = pytest.importorskip("sklearn.inspection", reason="compares with scikit-learn")
    base = pytest.importorskip("sklearn.base")
    net = trained()

    class Classifier(base.ClassifierMixin, base.BaseEstimator):  # type: ignore[misc]
        def fit(self, X: Any, y: Any) -> Classifier:
            self.classes_ = np.unique(y)
            return self

        def predict(self, X: Any) -> Any:
            return net.predict(X)

    def accuracy(estimator: Any, X: Any, y: Any) -> float:  # theirs takes 10 ms
        return float(np.mean(estimator.predict(X) == y))

    estimator = Classifier().fit(X, CLASSES)
    theirs = inspection.permutation_importance(
        estimator, X, CLASSES, scoring=accuracy, n_repeats=100, random_state=0
    )
    ours = permutation_importance(net, X, CLASSES, repeats=100, rng=0)
    assert ours.values.shape == theirs.importances.shape
    # Both are means of 100 draws of the same distribution: five standard errors.
    limit = 5 * np.sqrt((ours.std**2 + theirs.importances_std**2) / 100) + 1e-12
    assert (np.abs(ours.mean - theirs.importances_mean) <= limit).all()
    assert_allclose(ours.std, theirs.importances_std, rtol=0.3, atol=1e-12)
    assert_array_equal(ours.order, np.argsort(-theirs.importances_mean))


def people(rows: int = 80) -> cg.tables.Table:
    rng = np.random.default_rng(3)
    age, job = rng.integers(20, 70, rows), rng.choice(["baker", "clerk", "smith"], rows)
    pay = 100 * age + 2000 * (job == "smith") + rng.normal(0, 10, rows)
    color = rng.choice(["red", "blue"], rows)
    gaps = [None if i % 8 == 0 else float(value) for i, value in enumerate(age)]
    return cg.tables.Table.from_arrays({"age": gaps, "job": job, "color": color, "pay": pay})


def with_encoder(table: cg.tables.Table, **options: Any) -> cg.Network:
    encoder = cg.tables.Encoder(target="pay", **options).fit(table)
    net = cg.Network(encoder.inputs, [cg.Dense(1)], loss="mse", dtype="float64", rng=0)
    net.encoder = encoder
    X, y = encoder.transform(table), encoder.targets(table)
    cg.Trainer(net, cg.Adam(0.05), batch_size=20, rng=0).fit(X, y, epochs=40)
    return net


@pytest.mark.parametrize("sparse", [False, True])
def test_columns_of_a_table_are_shuffled_before_they_are_encoded(sparse: bool) -> None:
    table = people()
    net = with_encoder(table, sparse=sparse)
    assert net.encoder is not None
    found = permutation_importance(net, table, repeats=2, rng=0)
    assert found.names == ("age", "job", "color")
    assert found.metric == "mae"
    score = np.abs(net.predict(table) - table["pay"]).mean()
    assert found.score == pytest.approx(score)
    for index, name in enumerate(found.names):
        for repeat, order in enumerate(orders(80, 2, 0)):
            arrays = {each: table[each] for each in table.names}
            arrays[name] = arrays[name][order]
            error = np.abs(net.predict(arrays) - table["pay"]).mean()
            assert found.values[index, repeat] == pytest.approx(error - score, abs=1e-9)
    assert found.mean[0] > found.mean[1] > 100 > abs(found.mean[2])  # in the unit of the pay
    inputs = net.encoder.transform(table)
    y = net.encoder.targets(table)
    same = permutation_importance(net, inputs, y, repeats=2, rng=0, columns=["job", "age"])
    assert_allclose(same.values, found.values[[1, 0]], atol=1e-9)
    beside = permutation_importance(net, table, table["pay"], repeats=2, rng=0)
    assert_array_equal(beside.values, found.values)


def test_arrays_that_stand_for_tables_are_encoded_first() -> None:
    table = people()
    numbers = cg.tables.Table.from_arrays({"column_1": table["age"], "column_2": table["pay"]})
    encoder = cg.tables.Encoder(array_columns=2, categorical=["column_1"]).fit(numbers)
    net = cg.Network(encoder.inputs, [cg.Dense(1)], loss="mse", rng=0)
    net.encoder = encoder
    array = np.column_stack([table["age"], table["pay"]])
    found = permutation_importance(net, array, table["pay"], repeats=1, rng=0)
    assert found.names == ("column_1", "column_2")
    (order,) = orders(80, 1, 0)
    for index in range(2):
        shuffled = array.copy()
        shuffled[:, index] = array[order, index]
        errors = [np.abs(net.predict(each) - table["pay"]).mean() for each in (shuffled, array)]
        assert found.values[index, 0] == pytest.approx(errors[0] - errors[1], rel=1e-4, abs=1e-3)
    with pytest.raises(TypeError, match="y is None"):
        permutation_importance(net, array)


def test_compressed_rows_give_the_same_bits() -> None:
    rng = np.random.default_rng(1)
    dense = rng.normal(size=(50, 6)) * (rng.random((50, 6)) < 0.4)
    rows, columns = np.nonzero(dense)
    indptr = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=50))))
    sparse = SparseRows(dense[rows, columns], columns.astype(np.int32), indptr, dense.shape)
    net = cg.Network(6, [cg.Dense(2, "softmax")], loss="cross_entropy", rng=0)
    y = rng.integers(0, 2, 50)
    one, two = (
        permutation_importance(net, each, y, metric="loss", rng=0) for each in (dense, sparse)
    )
    assert_array_equal(one.values, two.values)
    csr_array = pytest.importorskip("scipy.sparse", reason="takes its arrays too").csr_array
    three = permutation_importance(net, csr_array(dense), y, metric="loss", rng=0)
    assert_array_equal(one.values, three.values)


def test_names_of_classes_and_metrics_of_ones_own() -> None:
    net = trained()
    net.classes = ("a", "b", "c")
    found = permutation_importance(net, X, CLASSES, rng=0)
    named = permutation_importance(net, X, np.array(["a", "b", "c"])[CLASSES], rng=0)
    assert_array_equal(found.values, named.values)
    wrong = Metric(lambda y, a: np.mean(a.argmax(axis=1) != y), "wrong", False)
    own = permutation_importance(net, X, CLASSES, metric=wrong, rng=0)
    assert_allclose(own.values, found.values, atol=1e-15)
    assert own.metric == "wrong"
    counts = cg.Network(4, [cg.Dense(1, "exp")], loss="poisson", rng=0)
    y = np.arange(60) % 4
    assert permutation_importance(counts, X, y, rng=0).metric == "deviance"


def test_text() -> None:
    found = Importances(("a", "longer"), np.array([[0.125], [0.5]]), "accuracy", 1.0)
    assert str(found).splitlines() == [
        "column  accuracy  deviation",
        "longer       0.5          0",
        "a          0.125          0",
    ]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"repeats": 0}, ValueError, "repeats is 0"),
        ({"columns": ["4"]}, ValueError, "columns has '4', which is no column"),
        ({"columns": "12"}, TypeError, "expected a sequence of columns"),
        ({"metric": "rmse"}, ValueError, "needs numbers as targets"),
        ({"metric": "unknown"}, ValueError, "expected one of"),
        ({"metric": Metric(lambda y, a: 0.0, "f")}, ValueError, "has no direction"),
        ({"y": None}, TypeError, "y is None"),
        ({"X": X[:1], "y": CLASSES[:1]}, ValueError, "X has 1 rows"),
        ({"X": X[:, :3]}, ValueError, "X has shape"),
        ({"y": CLASSES[:5]}, ValueError, "y has 5 targets"),
        ({"rng": -1}, ValueError, "rng is -1"),
    ],
)
def test_arguments_are_checked(
    change: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        permutation_importance(**{"net": trained(), "X": X, "y": CLASSES, "rng": 0} | change)


def test_a_column_that_is_no_input_is_refused() -> None:
    table = people()
    with pytest.raises(ValueError, match="columns has 'pay'"):
        permutation_importance(with_encoder(table), table, columns=["pay"])


def test_a_path_is_no_table() -> None:
    with pytest.raises(TypeError, match=r"X is 'data.csv', expected a table, as of cygrad.tables"):
        permutation_importance(with_encoder(people()), "data.csv")
