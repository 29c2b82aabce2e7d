"""Weights of samples and classes: repeated and missing rows, their bits, and what is refused."""

import numpy as np
import pytest
from bits import assert_same_bits
from cases import LOSS_CASES, OUTPUTS, Case, of_reference
from test_blocks import DIVISIONS, costs
from test_loops import assert_same_training, train_by_loops

import cygrad as cg
from cygrad import reference

# One case for each loss and kind of targets.
ALL_OUTPUTS = {
    (str(case.output), case.reduction): case
    for case in LOSS_CASES
    if len(case.shape) == 4 or case.shape == (15, 16, 17)
}
FIRST = {(str(output.loss), output.targets): output for output in OUTPUTS}
CASES = (
    *ALL_OUTPUTS.values(),
    *(
        Case("tanh", output, reduction, (9, 11, 5), (7, 17), (True,), (True,), "adam")
        for output in FIRST.values()
        for reduction in ("mean", "sum")
    ),
)
each_case = pytest.mark.parametrize("case", CASES, ids=str)


def made(case, dtype="float64"):
    data = case.draw(seed=5)
    net = case.network(dtype)
    net.parameters = data.parameters
    return net, data.X, data.y


def whole_numbers(n):
    return np.random.default_rng(8).integers(0, 4, n).astype(float)


@each_case
def test_the_gradient_is_that_of_the_reference(case, isa):
    net, X, y = made(case)
    weights = np.random.default_rng(1).uniform(0, 3, len(X))
    weights[1] = 0
    layers = [reference.Dense(**each) for each in case._layers(reference)]
    other = reference.Network(
        case.sizes[0], layers, loss=of_reference(case.output.loss), reduction=case.reduction
    )
    other.parameters = case.draw(seed=5).parameters.tolist()
    loss, gradient = net.gradient(X, y, sample_weight=weights)
    expected = other.backward(X.tolist(), y.tolist(), sample_weight=weights.tolist())
    assert loss == pytest.approx(expected.loss, rel=1e-12)
    g = net.backward(X, y, sample_weight=weights)
    assert g.loss == loss
    assert_same_bits(
        np.concatenate([g.weights[0].ravel(), g.biases[0]]),
        gradient[: sum((g.weights[0].size, g.biases[0].size))],
        "gradient",
    )
    for layer in range(len(layers)):
        scale = np.abs(expected.weights[layer]).max() + 1e-3
        np.testing.assert_allclose(
            g.weights[layer], expected.weights[layer], rtol=0, atol=1e-12 * scale
        )
        np.testing.assert_allclose(g.deltas[layer], expected.deltas[layer], rtol=0, atol=1e-12)
    found = net.evaluate(X, y, sample_weight=weights)
    wanted = other.evaluate(X.tolist(), y.tolist(), weights.tolist())
    assert found == pytest.approx(wanted, rel=1e-12)


@each_case
def test_whole_weights_are_repeated_rows(case):
    net, X, y = made(case)
    weights = whole_numbers(len(X))
    rows = np.repeat(np.arange(len(X)), weights.astype(int))
    loss, gradient = net.gradient(X, y, sample_weight=weights)
    repeated_loss, repeated = net.gradient(X[rows], y[rows])
    assert loss == pytest.approx(repeated_loss, rel=1e-13)
    np.testing.assert_allclose(gradient, repeated, rtol=0, atol=1e-13 * np.abs(repeated).max())
    assert net.evaluate(X, y, sample_weight=weights) == pytest.approx(
        net.evaluate(X[rows], y[rows]), rel=1e-13
    )
    # Training with the whole batch.
    nets = [made(case)[0] for _ in range(2)]
    first = cg.Trainer(nets[0], cg.SGD(1e-3, momentum=0.9), len(X))
    second = cg.Trainer(nets[1], cg.SGD(1e-3, momentum=0.9), len(rows))
    weighted = first.fit(X, y, 3, shuffle=False, sample_weight=weights)
    plain = second.fit(X[rows], y[rows], 3, shuffle=False)
    np.testing.assert_allclose(weighted.loss, plain.loss, rtol=1e-12)
    np.testing.assert_allclose(weighted.metric, plain.metric, rtol=1e-12)
    np.testing.assert_allclose(nets[0].parameters, nets[1].parameters, rtol=0, atol=1e-12)


@each_case
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_of_1_have_the_bits_of_none(case, dtype, isa):
    nets = [made(case, dtype)[0] for _ in range(2)]
    _, X, y = made(case, dtype)
    histories = []
    for net, weights in zip(nets, (None, np.ones(len(X))), strict=True):
        trainer = cg.Trainer(net, cg.Adam(1e-2), case.batch_size, rng=3)
        history = trainer.fit(X, y, 2, sample_weight=weights)
        step = trainer.step(X, y, weights)
        gradient = net.gradient(X, y, sample_weight=weights)
        evaluated = net.evaluate(X, y, sample_weight=weights)
        histories.append((history.loss, history.metric, step, gradient[0], evaluated))
    assert histories[0] == histories[1]
    assert_same_bits(nets[0].parameters, nets[1].parameters, "parameters")


@each_case
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_loops_define_the_bits(case, dtype, isa):
    net, X, y = made(case, dtype)
    weights = np.random.default_rng(1).uniform(0, 3, len(X)).astype(np.float32).astype(float)
    optimizer = cg.Adam(1e-2)
    expected = train_by_loops(net, optimizer, X, y, case.batch_size, 2, weights)
    for threads, changed, _ in DIVISIONS.values():
        trained, X, y = made(case, dtype)
        with costs(**changed):
            trainer = cg.Trainer(trained, optimizer, case.batch_size, threads=threads)
            history = trainer.fit(X, y, 2, shuffle=False, sample_weight=weights)
        parameters = [array for layer in trained.layers for array in (layer.weights, layer.biases)]
        found = type(expected)(history.loss, history.metric, parameters)
        np.testing.assert_allclose(found.losses, expected.losses, rtol=1e-15)
        np.testing.assert_allclose(found.metrics, expected.metrics, rtol=1e-15)
        assert_same_training(
            found._replace(losses=[], metrics=[]), expected._replace(losses=[], metrics=[])
        )


def small(loss="cross_entropy", units=3, activation="softmax", **options):
    layers = [cg.Dense(5, "tanh"), cg.Dense(units, activation)]
    return cg.Network(4, layers, loss=loss, rng=0, dtype="float64", **options)


def samples(n=300, classes=3):
    rng = np.random.default_rng(1)
    return rng.standard_normal((n, 4)), rng.integers(classes, size=n)


@pytest.mark.parametrize("division", DIVISIONS)
def test_blocks_of_rows_have_the_bits_of_the_batch(division):
    threads, changed, _ = DIVISIONS[division]
    X, y = samples()
    weights = np.random.default_rng(2).uniform(0, 2, len(X))
    nets = [small(), small()]
    whole = cg.Trainer(nets[0], cg.Adam(), threads=1).step(X, y, weights)
    with costs(**changed):
        divided = cg.Trainer(nets[1], cg.Adam(), threads=threads).step(X, y, weights)
    assert whole == divided
    assert_same_bits(nets[0].parameters, nets[1].parameters, "parameters")


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_a_batch_without_weight_is_no_step(shuffle, reduction):
    X, y = samples(24)
    weights = np.ones(24)
    weights[8:16] = 0
    net, twin = small(reduction=reduction), small(reduction=reduction)
    trainer = cg.Trainer(net, cg.Adam(), 8, rng=0)
    history = trainer.fit(X, y, 2, sample_weight=weights, shuffle=shuffle)
    if not shuffle:
        rest = np.r_[0:8, 16:24]
        other = cg.Trainer(twin, cg.Adam(), 8).fit(X[rest], y[rest], 2, shuffle=False)
        assert trainer.steps == 4
        assert history.loss == other.loss
        assert history.metric == other.metric
        assert history.stopped == other.stopped == "epochs"
        assert_same_bits(net.parameters, twin.parameters, "parameters")
    before, steps = net.parameters, trainer.steps
    assert trainer.step(X[8:16], y[8:16], weights[8:16]) == 0
    assert trainer.partial_fit(X[8:16], y[8:16], weights[8:16]) == 0
    assert trainer.steps == steps
    assert_same_bits(net.parameters, before, "parameters")
    loss, gradient = net.gradient(X, y, sample_weight=np.zeros(24))
    assert loss == 0
    assert not gradient.any()
    # learn_one after weighted steps takes no weight.
    assert trainer.learn_one(X[0], y[0]) > 0


def test_the_classes_have_weights():
    X, y = samples(40)
    y[:30] = 0
    y[30:36] = 1
    y[36:] = 2

    def trained(**options):
        net = small()
        trainer = cg.Trainer(net, cg.SGD(0.1), 16, rng=0)
        trainer.fit(X, y, 2, **options)
        return net.parameters

    balanced = np.array([40 / (3 * 30), 40 / (3 * 6), 40 / (3 * 4)])
    expected = trained(sample_weight=balanced[y])
    assert_same_bits(trained(class_weight="balanced"), expected, "balanced")
    given = dict(enumerate(balanced))
    assert_same_bits(trained(class_weight=given), expected, "dict")
    halves = np.full(40, 0.5)
    both = trained(class_weight=given, sample_weight=halves)
    assert_same_bits(both, trained(sample_weight=0.5 * balanced[y]), "both")
    one = trained(class_weight={1: 2.0})
    assert_same_bits(one, trained(sample_weight=np.where(y == 1, 2.0, 1.0)), "one class")
    net = small()
    net.classes = ["a", "b", "c"]
    cg.Trainer(net, cg.SGD(0.1), 16, rng=0).fit(X, y, 2, class_weight={"b": 2.0})
    assert_same_bits(net.parameters, one, "by name")


def test_two_classes_of_one_output_have_weights():
    X, y = samples(20, 2)
    found = []
    for options in (
        {"class_weight": {1: 3.0}},
        {"sample_weight": np.where(y == 1, 3.0, 1.0)},
    ):
        net = small("binary_cross_entropy", 1, "sigmoid")
        cg.Trainer(net, cg.SGD(0.1), 20, rng=0).fit(X, y, 2, **options)
        found.append(net.parameters)
    assert_same_bits(found[0], found[1], "parameters")


def test_rows_that_are_held_out_keep_their_weights():
    X, y = samples(60)
    weights = np.random.default_rng(3).uniform(0.1, 2, 60)
    net = small()
    history = cg.Trainer(net, cg.Adam(), 16, rng=0).fit(
        X, y, 2, validation=0.25, sample_weight=weights, class_weight={0: 5.0}, metrics=["f1_macro"]
    )
    # The same rows are drawn again.
    from cygrad.training import validation as validating

    trainer = cg.Trainer(net, cg.Adam(), 16, rng=0)
    _, held_out = validating.split(60, 15, y, trainer._seeds.of("validation"))
    found = net.evaluate(X[held_out], y[held_out], sample_weight=weights[held_out])
    assert history.val_loss[-1] == pytest.approx(found["loss"], rel=1e-14)
    assert history.val_metric[-1] == pytest.approx(found["accuracy"], rel=1e-14)


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        ([1.0, 2.0], ValueError, r"sample_weight has shape \(2,\), expected 3 finite numbers"),
        ([[1.0], [1.0], [1.0]], ValueError, r"sample_weight has shape \(3, 1\)"),
        ([1.0, -1.0, 0.0], ValueError, "sample_weight holds -1.0 in row 1"),
        ([1.0, 1.0, np.nan], ValueError, "sample_weight holds nan in row 2"),
        ([np.inf, 1.0, 1.0], ValueError, "sample_weight holds inf in row 0"),
        (["a", "b", "c"], TypeError, "sample_weight has dtype <U1"),
        ([1e300, 1e300, 1e308], ValueError, "the weights sum to"),
    ],
)
def test_other_weights_are_refused(weights, error, message):
    net, (X, y) = small(), samples(3)
    trainer = cg.Trainer(net, cg.Adam(), 3)
    before = net.parameters
    for call in (net.evaluate, net.gradient, net.backward, trainer.fit, trainer.step):
        with pytest.raises(error, match=message):
            call(X, y, sample_weight=weights)
    assert_same_bits(net.parameters, before, "parameters")


def test_what_has_no_meaning_is_refused():
    X, y = samples(6)
    trainer = cg.Trainer(small(), cg.Adam(), 3)
    with pytest.raises(ValueError, match="sample_weight is 0 for all samples"):
        trainer.fit(X, y, sample_weight=np.zeros(6))
    with pytest.raises(ValueError, match="sample_weight is 0 for all samples"):
        trainer.net.evaluate(X, y, sample_weight=np.zeros(6))
    with pytest.raises(ValueError, match=r"a class in class_weight is 3, expected .* from 0 to 2"):
        trainer.fit(X, y, class_weight={3: 1.0})
    with pytest.raises(ValueError, match=r"class_weight\[0\] is -1.0"):
        trainer.fit(X, y, class_weight={0: -1})
    with pytest.raises(ValueError, match=r"class_weight has 'a', expected names .* none are set"):
        trainer.fit(X, y, class_weight={"a": 1})
    with pytest.raises(TypeError, match="class_weight is 'equal', expected a dict"):
        trainer.fit(X, y, class_weight="equal")
    regression = cg.Trainer(small("mse", 1, "identity"), cg.Adam(), 3)
    with pytest.raises(ValueError, match="the targets are no classes"):
        regression.fit(X, y.astype(float), class_weight="balanced")


def test_small_weights_count_and_tiny_ones_do_not():
    X, y = samples(4)
    net = small().as_dtype("float32")
    tiny = np.array([1e-40, 0, 0, 0])
    assert net.gradient(X, y, sample_weight=tiny)[0] == 0
    one = net.evaluate(X[:1], y[:1])["loss"]
    assert net.evaluate(X, y, sample_weight=[1e-37, 0, 0, 0])["loss"] == pytest.approx(one, 1e-6)


def test_validation_data_of_ones_own_have_weights():
    X, y = samples(60)
    weights = np.random.default_rng(3).uniform(0, 2, 20)
    net = small()
    history = cg.Trainer(net, cg.Adam(), 16, rng=0).fit(
        X[20:], y[20:], 2, X_val=X[:20], y_val=y[:20], sample_weight_val=weights, metrics=["f1"]
    )
    found = net.evaluate(X[:20], y[:20], sample_weight=weights)
    assert history.val_loss[-1] == pytest.approx(found["loss"], rel=1e-14)
    assert history.val_metric[-1] == pytest.approx(found["accuracy"], rel=1e-14)
    outputs = net.forward(X[:20])
    assert history["val_f1"][-1] == cg.metrics.f1(y[:20], outputs, weights)
    assert history["val_f1"][-1] != cg.metrics.f1(y[:20], outputs)


def test_weights_of_validation_data_are_checked_before_anything_is_changed():
    X, y = samples(6)
    trainer = cg.Trainer(small(), cg.Adam(), 3)
    own = {"X_val": X, "y_val": y}
    before = trainer.net.parameters
    with pytest.raises(ValueError, match="sample_weight_val is given and X_val is None"):
        trainer.fit(X, y, sample_weight_val=np.ones(6))
    with pytest.raises(ValueError, match=r"^sample_weight_val has shape \(5,\), expected 6"):
        trainer.fit(X, y, **own, sample_weight_val=np.ones(5))
    with pytest.raises(ValueError, match="sample_weight_val is 0 for all samples"):
        trainer.fit(X, y, **own, sample_weight_val=np.zeros(6))

    def own_metric(y, outputs):
        return 0.0

    for options in (
        own | {"sample_weight_val": np.ones(6)},
        {"validation": 2, "sample_weight": np.ones(6)},
        {"train_metrics": True, "sample_weight": np.ones(6)},
    ):
        with pytest.raises(TypeError, match="own_metric is a function without one"):
            trainer.fit(X, y, metrics=[own_metric], **options)
    assert_same_bits(trainer.net.parameters, before, "parameters")


def test_one_sample_can_have_the_name_of_its_class():
    X, _ = samples(3)
    nets = small(), small()
    trainers = [cg.Trainer(net, cg.Adam()) for net in nets]
    with pytest.raises(TypeError, match="y has dtype <U1"):
        trainers[0].learn_one(X[0], "b")
    nets[0].classes = ["a", "b", "c"]
    for x, name, index in zip(X, ["b", np.str_("c"), "a"], [1, 2, 0], strict=True):
        assert trainers[0].learn_one(x, name) == trainers[1].learn_one(x, index)
    assert_same_bits(nets[0].parameters, nets[1].parameters, "parameters")
    with pytest.raises(ValueError, match=r"y is 'd', expected one of .* 'a', 'b', 'c'"):
        trainers[0].learn_one(X[0], "d")
    assert trainers[0].steps == 3
    net = small("binary_cross_entropy", 1, "sigmoid")
    net.classes = ["no", "yes"]
    twin = cg.Trainer(small("binary_cross_entropy", 1, "sigmoid"), cg.Adam())
    assert cg.Trainer(net, cg.Adam()).learn_one(X[0], "yes") == twin.learn_one(X[0], 1)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(
    ("optimizer", "other"),
    [
        (cg.SGD(0.1, momentum=0.9), reference.SGD(0.1, momentum=0.9)),
        (cg.Adam(0.01), reference.Adam(0.01)),
    ],
    ids=["SGD", "Adam"],
)
@pytest.mark.parametrize("has_zero_batch", [False, True])
def test_training_is_that_of_the_reference(has_zero_batch, optimizer, other, reduction, isa):
    X, y = samples(30)
    weights = np.random.default_rng(4).uniform(0, 2, 30)
    weights[3] = 0
    if has_zero_batch:
        weights[8:16] = 0
    net = small(reduction=reduction)
    layers = [reference.Dense(5, "tanh"), reference.Dense(3, "softmax")]
    expected = reference.Network(4, layers, loss="cross_entropy", reduction=reduction)
    expected.parameters = net.parameters.tolist()
    first, second = cg.Trainer(net, optimizer, 8), reference.Trainer(expected, other, 8)
    found = first.fit(X, y, 3, shuffle=False, sample_weight=weights)
    wanted = second.fit(X.tolist(), y.tolist(), [range(30)] * 3, weights.tolist())
    assert found.loss == pytest.approx(wanted.loss, rel=1e-12)
    assert found.metric == pytest.approx(wanted.metric, rel=1e-12)
    assert first.steps == second.steps == (9 if has_zero_batch else 12)
    one = first.step(X, y, weights)
    assert one == pytest.approx(second.step(X.tolist(), y.tolist(), weights.tolist()), rel=1e-12)
    one = first.partial_fit(X, y, weights)
    assert one == pytest.approx(
        second.partial_fit(X.tolist(), y.tolist(), weights.tolist()), rel=1e-12
    )
    nothing = [0.0] * 30
    assert first.step(X, y, nothing) == second.step(X.tolist(), y.tolist(), nothing) == 0
    assert first.steps == second.steps
    np.testing.assert_allclose(net.parameters, expected.parameters, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_budget_of_steps_counts_those_with_weight(shuffle):
    X, y = samples(70)
    weights = np.zeros(70)
    weights[:40] = np.r_[np.ones(16), np.zeros(16), np.ones(8)]
    nets = small(), small()
    trainer = cg.Trainer(nets[0], cg.Adam(), 8, rng=0)
    history = trainer.fit(X, y, max_steps=25, sample_weight=weights, shuffle=shuffle)
    assert (trainer.steps, history.stopped) == (25, "max_steps")
    if not shuffle:  # 3 steps in an epoch
        assert (len(history), history.partial_steps) == (9, 1)
        other = cg.Trainer(nets[1], cg.Adam(), 8, rng=0)
        for _ in range(9):
            for rows in (slice(0, 8), slice(8, 16), slice(32, 40)):
                if other.steps < 25:
                    other.step(X[rows], y[rows], weights[rows])
        assert_same_bits(nets[0].parameters, nets[1].parameters, "parameters")


def test_dropout_counts_the_rows_of_steps_with_weight(isa):
    X, y = samples(24)
    weights = np.r_[np.zeros(8), np.ones(16)]

    def layers(package):
        return [package.Dense(6, "tanh"), package.Dropout(0.5), package.Dense(3, "softmax")]

    net = cg.Network(4, layers(cg), loss="cross_entropy", dtype="float64", rng=0)
    expected = reference.Network(4, layers(reference), loss="cross_entropy")
    expected.parameters = net.parameters.tolist()
    trainer = cg.Trainer(net, cg.SGD(0.1), 8, rng=0)
    other = reference.Trainer(expected, reference.SGD(0.1), 8, seed=trainer._dropout_seed)
    found = trainer.fit(X, y, 2, shuffle=False, sample_weight=weights)
    wanted = other.fit(X.tolist(), y.tolist(), [range(24)] * 2, weights.tolist())
    assert found.loss == pytest.approx(wanted.loss, rel=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_parameter_is_looked_at_for_being_finite(dtype):
    net = cg.Network(17, [cg.Dense(33, "relu"), cg.Dense(2)], loss="mse", dtype=dtype, rng=0)
    storage = net._engine.storage
    assert net._engine.finite
    for place in range(0, storage.size, 13):
        before, storage[place] = storage[place], np.nan
        assert not net._engine.finite
        storage[place] = before
    assert net._engine.finite
