"""Presets: RealMLP-TD-S beside an independent one in NumPy, the way from data to a network."""

import math
import signal
import warnings
from dataclasses import replace

import numpy as np
import pytest

import cygrad as cg
from cygrad import seeding
from cygrad.presets import TabularRecipe, tabular_classifier, tabular_regressor
from cygrad.tables import Table
from cygrad.training.validation import split

SMALL = {"hidden": (16, 16), "epochs": 12, "batch_size": 32, "rng": 0}


def flowers(n=80, seed=0):
    """Return a table with numbers, text and gaps, whose classes depend on all of them."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n).round(3)
    color = rng.choice(["red", "green", "blue"], n)
    soil = rng.choice(["wet", "dry"], n)
    score = 2 * size + (color == "red") - (soil == "dry")
    size[rng.random(n) < 0.1] = np.nan
    kind = np.where(score > 0.5, "rose", np.where(score > -1, "aster", "iris"))
    return Table.from_arrays({"size": size, "color": color, "soil": soil, "kind": kind})


def houses(n=80, seed=1):
    """Return a table with a quantity far from 0."""
    rng = np.random.default_rng(seed)
    area = rng.lognormal(4, 0.5, n).round(1)
    place = rng.choice(["town", "village", "city"], n)
    price = 1e5 + 2000 * area + 5e4 * (place == "city")
    return Table.from_arrays({"area": area, "place": place, "price": price})


# Beside an independent network in the neural tangent parametrisation


class RealMLP:
    """RealMLP-TD-S in float64, with z = V a / √n + b, its own gradients and its own Adam."""

    def __init__(self, task, scaling, layers, smoothing, eps):
        self.task, self.smoothing, self.eps = task, smoothing, eps
        self.has_scale = scaling is not None
        self.scale = np.ones(layers[0][0].shape[1])
        self.parameters = [self.scale] if self.has_scale else []
        self.rates, self.epsilons = ([6.0] if self.has_scale else []), ([eps(1)] * self.has_scale)
        self.layers = layers
        for V, b in layers:
            self.parameters += [V, b]
            self.rates += [1.0, 0.1]
            self.epsilons += [eps(V.shape[1]), eps(1)]
        self.first = [np.zeros_like(p) for p in self.parameters]
        self.second = [np.zeros_like(p) for p in self.parameters]
        self.steps = 0

    def activation(self, z):
        if self.task == "classification":
            alpha, scale = 1.6732632423543772, 1.0507009873554805
            negative = np.minimum(z, 0)
            return np.where(z > 0, scale * z, scale * alpha * np.expm1(negative))
        return z * np.tanh(np.log1p(np.exp(z)))

    def slope(self, z):
        if self.task == "classification":
            alpha, scale = 1.6732632423543772, 1.0507009873554805
            return np.where(z > 0, scale, scale * alpha * np.exp(np.minimum(z, 0)))
        tanh = np.tanh(np.log1p(np.exp(z)))
        return tanh + z * (1 - tanh**2) / (1 + np.exp(-z))

    def forward(self, X):
        a = X * self.scale
        self.inputs, self.sums = [], []
        for number, (V, b) in enumerate(self.layers, 1):
            self.inputs.append(a)
            z = a @ V.T / np.sqrt(V.shape[1]) + b
            self.sums.append(z)
            a = z if number == len(self.layers) else self.activation(z)
        return a

    def gradients(self, X, y):
        z = self.forward(X)
        n = len(X)
        if self.task == "classification":
            shares = np.exp(z - z.max(axis=1, keepdims=True))
            shares /= shares.sum(axis=1, keepdims=True)
            wanted = np.eye(z.shape[1])[y] * (1 - self.smoothing) + self.smoothing / z.shape[1]
            delta = (shares - wanted) / n
        else:
            delta = 2 * (z - y.reshape(n, -1)) / z.size
        found = []
        for number in range(len(self.layers) - 1, -1, -1):
            V = self.layers[number][0]
            root = np.sqrt(V.shape[1])
            found = [delta.T @ self.inputs[number] / root, delta.sum(axis=0), *found]
            delta = delta @ V / root
            if number:
                delta = delta * self.slope(self.sums[number - 1])
        return ([(delta * X).sum(axis=0)] if self.has_scale else []) + found

    def step(self, X, y, rate):
        self.steps += 1
        gradients = self.gradients(X, y)
        for index, g in enumerate(gradients):
            m, v = self.first[index], self.second[index]
            m[:] = 0.9 * m + 0.1 * g
            v[:] = 0.95 * v + 0.05 * g * g
            mean = m / (1 - 0.9**self.steps)
            size = np.sqrt(v / (1 - 0.95**self.steps))
            self.parameters[index] -= (
                rate * self.rates[index] * mean / (size + self.epsilons[index])
            )


def published_rate(base, t):
    return base * (0.5 - 0.5 * math.cos(2 * math.pi * math.log2(1 + 15 * t)))


@pytest.mark.parametrize("eps", [1e-8, 1e-30])
@pytest.mark.parametrize("scaling", [6.0, None])
@pytest.mark.parametrize(
    ("task", "outputs"),
    [("classification", 2), ("classification", 3), ("regression", 1), ("regression", 3)],
)
def test_it_trains_as_realmlp_in_its_own_parametrisation(task, outputs, scaling, eps):
    """With ε / √n for the weights, as the docstring says; without ε they are the same anyway."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(40, 5))
    if task == "classification":
        y = (X[:, 0] + 0.5 * X[:, 1] > 0).astype(int) + (outputs == 3) * (X[:, 2] > 1)
        recipe = tabular_classifier(rng=0)
    else:
        y = np.column_stack([X[:, k] * X[:, 0] for k in range(outputs)])
        recipe = tabular_regressor(rng=0)
    recipe = replace(
        recipe,
        hidden=(7, 6),
        epochs=6,
        batch_size=16,
        dtype="float64",
        scaling_rate=scaling,
        eps=eps,
    )
    names = [f"column_{k}" for k in range(1, 6)]
    targets = ["y"] if y.ndim == 1 or outputs == 1 else [f"y_{k}" for k in range(outputs)]
    columns = dict(zip([*names, *targets], [*X.T, *y.reshape(len(y), -1).T], strict=True))
    encoder = recipe.encoder(targets, target_scale="none").fit(columns)
    net = recipe.network(encoder)
    dense = [layer for layer in net.layers if layer.kind == "dense"]
    for number, layer in enumerate(dense, 1):
        if number < len(dense):
            assert abs(layer.biases).mean() > 0.3
        else:
            assert not layer.weights.any()
            assert not layer.biases.any()
    start = [(layer.weights * math.sqrt(layer.inputs), layer.biases.copy()) for layer in dense]
    copies = [(V.copy(), b.copy()) for V, b in start]
    theirs = RealMLP(
        task,
        scaling,
        copies,
        recipe.label_smoothing,
        lambda n: eps / math.sqrt(n) if eps == 1e-8 else eps,
    )
    inputs = encoder.transform(columns)
    net.encoder = None
    np.testing.assert_allclose(net.parameters[-3:], 0)
    trainer = recipe.trainer(net, len(X))
    trainer.fit(inputs, y, recipe.epochs, shuffle=False)
    inputs = inputs.astype(np.float64)
    total = 6 * 3
    for step in range(total):
        rows = slice(16 * (step % 3), 16 * (step % 3) + 16)
        theirs.step(inputs[rows], y[rows], published_rate(recipe.learning_rate, step / total))
    for layer, (V, b), (V_start, _) in zip(dense, theirs.layers, start, strict=True):
        root = math.sqrt(layer.inputs)
        np.testing.assert_allclose(layer.weights * root, V, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(layer.biases, b, rtol=1e-9, atol=1e-9)
        assert abs(V - V_start).max() > 0.1  # they have moved
    if scaling is not None:
        np.testing.assert_allclose(net.layers[0].weights, theirs.scale, rtol=1e-9)
        assert abs(theirs.scale - 1).max() > 0.1
    np.testing.assert_allclose(
        net.forward(inputs), _outputs(task, theirs.forward(inputs)), rtol=1e-8, atol=1e-9
    )


def _outputs(task, z):
    if task == "regression":
        return z
    shares = np.exp(z - z.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def test_the_values_are_those_of_the_paper():
    classes, quantities = tabular_classifier(), tabular_regressor()
    for recipe in (classes, quantities):
        assert (recipe.hidden, recipe.epochs, recipe.batch_size) == ((256, 256, 256), 256, 256)
        assert (recipe.beta1, recipe.beta2, recipe.eps) == (0.9, 0.95, 1e-8)
        assert (recipe.scaling_rate, recipe.bias_rate, recipe.numbers) == (6.0, 0.1, "robust")
    assert (classes.activation, classes.learning_rate) == ("selu", 0.04)
    assert classes.loss == cg.losses.cross_entropy(label_smoothing=0.1)
    assert (quantities.activation, quantities.learning_rate, quantities.loss) == (
        "mish",
        0.07,
        "mse",
    )
    encoder = classes.encoder("kind").fit(flowers())
    trainer = classes.trainer(classes.network(encoder), 600)  # steps of 256, 256 and 88 rows
    assert trainer.optimizer == cg.Adam(cg.CosineLog(0.04, 256 * 3), 0.9, 0.95, 1e-8)
    assert trainer.batch_size == 256
    assert classes.trainer(classes.network(encoder), 30).batch_size == 30


def test_the_parts_are_what_fit_does():
    recipe = tabular_classifier(**SMALL)
    table = flowers()
    train, held_out = table.take(slice(0, 60)), table.take(slice(60, None))
    net, history = recipe.fit(train, "kind", validation=held_out)
    encoder = recipe.encoder("kind").fit(train)
    own = recipe.network(encoder)
    trainer = recipe.trainer(own, len(train))
    best = recipe.best_epoch()
    found = trainer.fit(
        encoder.transform(train),
        encoder.targets(train),
        recipe.epochs,
        X_val=encoder.transform(held_out),
        y_val=encoder.targets(held_out),
        callbacks=[best],
    )
    assert (own.parameters == net.parameters).all()
    assert found["loss"] == history["loss"]
    accuracies = history["val_accuracy"]
    assert best.best_epoch == len(accuracies) - accuracies[::-1].index(max(accuracies))
    assert net.evaluate(held_out)["accuracy"] == max(accuracies)


# From data to a network


def test_a_table_with_text_and_gaps_is_learned(tmp_path):
    recipe = tabular_classifier(**{**SMALL, "epochs": 40})
    table, new = flowers(200), flowers(100, seed=5)
    net, history = recipe.fit(table, target="kind")
    assert len(history) == 40
    assert history.stopped == "epochs"
    assert net.classes == ("aster", "iris", "rose")
    assert (net.predict(new) == new["kind"]).mean() > 0.8
    net.save(tmp_path / "model.npz")
    loaded = cg.load(tmp_path / "model.npz")
    assert (loaded.predict(new) == net.predict(new)).all()
    assert (loaded.forward(new) == net.forward(new)).all()
    again, _ = recipe.fit(table, target="kind")
    assert (again.parameters == net.parameters).all()
    other, _ = replace(recipe, rng=1).fit(table, target="kind")
    assert (other.parameters != net.parameters).any()


def test_a_quantity_is_predicted_in_its_unit(tmp_path):
    table = houses(160)
    net, history = tabular_regressor(**{**SMALL, "epochs": 60}).fit(table, "price")
    errors = net.predict(table) - table["price"]
    assert np.sqrt((errors**2).mean()) < 0.3 * table["price"].std()
    assert min(history["val_loss"]) < 0.3  # of standardised prices
    net.save(tmp_path / "model.npz")
    assert (cg.load(tmp_path / "model.npz").predict(table) == net.predict(table)).all()


def test_the_encoder_learns_from_the_training_part_alone():
    table = flowers()
    strange = Table.from_arrays(
        {"size": [1e6] * 3, "color": ["pink"] * 3, "soil": ["wet"] * 3, "kind": ["rose"] * 3}
    )
    recipe = tabular_classifier(**SMALL)
    net, _ = recipe.fit(table, "kind", validation=strange)
    expected = recipe.encoder("kind").fit(table)
    assert net.encoder.config()["columns"] == expected.config()["columns"]
    assert "color=pink" not in net.encoder.input_names
    # And of a drawn part: its rows are those of Trainer.fit(validation=).
    rare = np.array(["aster"] * 40 + ["rose"] * 40)
    numbers = np.arange(80.0) ** 1.5
    net, _ = recipe.fit({"x": numbers, "kind": rare}, "kind", validation=0.25)
    labels = (rare == "rose").astype(np.int64)
    rows, _ = split(80, 20, labels, seeding.seeds(0, "validation"))
    scaling = net.encoder.config()["columns"][0]["scaling"]
    lower, middle, upper = np.quantile(numbers[rows], [0.25, 0.5, 0.75])
    assert (scaling["center"], scaling["scale"]) == (middle, upper - lower)
    assert upper - lower != np.subtract(*np.quantile(numbers, [0.75, 0.25]))


def published_inputs(table, training):
    """Return the inputs of RealMLP-TD-S, without gaps, by its definition, and their names."""
    names, columns, own = [], [], []
    for name in table:
        values, learned = table[name], training[name]
        words = sorted({*learned}) if learned.dtype == object else None
        if words is None:
            columns.append((name, values, learned))
        elif len(words) == 2:
            signs = {words[0]: -1.0, words[1]: 1.0}
            made = [np.array([signs.get(word, 0.0) for word in each]) for each in (values, learned)]
            columns.append((f"{name}={words[1]}", *made))
        else:
            columns += [
                (f"{name}={word}", (values == word).astype(float), (learned == word).astype(float))
                for word in words
            ]
    for name, values, learned in columns:
        lower, middle, upper = np.quantile(learned, [0.25, 0.5, 0.75])
        spread = upper - lower if upper > lower else (learned.max() - learned.min()) / 2
        z = (values - middle) / spread
        own.append(z / np.sqrt(1 + (z / 3) ** 2))
        names.append(name)
    return np.column_stack(own), tuple(names)


@pytest.mark.parametrize("seed", range(6))
def test_the_inputs_are_those_of_the_paper(seed):
    """Also of numbers whose quartiles are equal, of rare and of frequent words, and of booleans."""
    rng = np.random.default_rng(seed)

    def table(n, extra=()):
        return Table.from_arrays(
            {
                "plain": 10 ** rng.normal(size=n),
                "zeros": np.where(rng.random(n) < 0.1, rng.normal(size=n), 0),
                "outlier": np.append(rng.normal(size=n - 1), 1e9),
                "flag": (rng.random(n) < 0.7).astype(float),
                "rare flag": np.append(rng.random(n - 1) < 0.1, True).astype(float),
                "word": rng.choice(["a", "b", "c", "d"], n, p=[0.6, 0.3, 0.05, 0.05]).astype(
                    object
                ),
                "pair": rng.choice(["no", "yes"], n, p=[0.9, 0.1]).astype(object),
                "even": rng.choice([*"xy", *extra], n).astype(object),
            }
        )

    training, new = table(61 + seed), table(40, extra=["z"])
    encoder = tabular_classifier(dtype="float64").encoder().fit(training)
    for rows in (training, new):
        expected, names = published_inputs(rows, training)
        assert encoder.input_names == names
        np.testing.assert_allclose(encoder.transform(rows, []), expected, rtol=1e-12, atol=1e-14)
    again = cg.tables.Encoder.from_config(encoder.config())
    assert (again.transform(new, []) == encoder.transform(new, [])).all()


def test_every_class_stays_in_the_training_part():
    kinds = np.array(["a"] * 12 + ["b"] * 7 + ["only"])
    X = np.arange(20.0)[:, np.newaxis] * [1.0, -0.5]
    for seed in range(5):
        net, _ = tabular_classifier(**{**SMALL, "epochs": 1, "rng": seed}).fit(X, y=kinds)
        assert net.classes == ("a", "b", "only")


@pytest.mark.parametrize(
    "y",
    [
        np.array([0, 1] * 20),
        np.array([-1, 1] * 20),
        np.array([1.0, 2.0] * 20),
        np.array([True, False] * 20),
        ["no", "yes"] * 20,
        np.array([["no"], ["yes"]] * 20),
        np.array(["x", "é"] * 20, object),
    ],
    ids=lambda y: repr(y)[:20],
)
def test_classes_have_names_of_any_kind(y):
    rng = np.random.default_rng(0)
    flat = np.asarray(y).ravel()
    X = (flat == flat[0])[:, np.newaxis] + 0.1 * rng.normal(size=(40, 3))
    net, _ = tabular_classifier(**SMALL).fit(X, y=y)
    predicted = net.predict(X)
    assert (predicted == flat).all()
    assert (predicted.dtype == bool) == (flat.dtype == bool)
    assert net.evaluate(X, flat)["accuracy"] == 1


def test_arrays_are_taken_as_they_were_given(tmp_path):
    """An array with text, gaps or numbers: never its encoded inputs."""
    rng = np.random.default_rng(0)
    X = 50 + 20 * rng.normal(size=(60, 3))
    y = X[:, 0] > 50
    net, _ = tabular_classifier(**SMALL).fit(X, y=y, validation=(X[:10], y[:10]))
    table = Table.from_arrays(X)
    assert (net.predict(X) == y).mean() > 0.9
    assert (net.predict(X) == net.predict(table)).all()
    assert (net.forward(X.tolist()) == net.forward(table)).all()
    assert net.evaluate(X, y) == net.evaluate(table, y)
    net.save(tmp_path / "model.npz")
    assert (cg.load(tmp_path / "model.npz").predict(X) == net.predict(X)).all()
    with pytest.raises(ValueError, match="X has 4 columns, expected 3"):
        net.predict(np.ones((2, 4)))
    with pytest.raises(TypeError, match="y is None, and X is an array"):
        net.evaluate(X)
    mixed = np.array([[1.0, "a"], [2.0, "b"], [None, "a"], [4.0, "b"]] * 10, object)
    net, _ = tabular_regressor(**SMALL).fit(mixed, y=np.arange(40.0))
    assert net.encoder.input_names == ("column_1", "column_1_gap", "column_2=b")
    assert net.predict(mixed).shape == (40,)


def test_data_frames_and_series():
    pandas = pytest.importorskip("pandas", reason="data frames of pandas")
    pytest.importorskip("narwhals", reason="data frames, of the extra frames")
    table = flowers()
    frame = pandas.DataFrame({name: table[name] for name in table})
    recipe = tabular_classifier(**SMALL)
    net, _ = recipe.fit(frame, target="kind")
    own, _ = recipe.fit(frame.drop(columns="kind"), y=frame["kind"])
    from_table, _ = recipe.fit(table, target="kind")
    assert (net.parameters == own.parameters).all()
    assert (net.parameters == from_table.parameters).all()
    assert own.encoder.target_names == ("kind",)


def test_several_quantities_and_constant_ones():
    table = houses()
    columns = {name: table[name] for name in table}
    columns["rent"] = columns["price"] / 400 + 3
    columns["floors"] = np.full(len(table), 7.0)
    net, _ = tabular_regressor(**SMALL).fit(columns, ["price", "rent", "floors"])
    predicted = net.predict(columns)
    assert predicted.shape == (80, 3)
    assert predicted[:, 2] == pytest.approx(7, abs=0.1)
    X = np.column_stack([columns["area"], columns["price"]])
    net, _ = tabular_regressor(**SMALL).fit(X[:, :1], y=X)
    assert net.encoder.target_names == ("y_1", "y_2")
    net, _ = tabular_regressor(**SMALL).fit(X, y=np.full(80, 5.0))
    assert net.predict(X) == pytest.approx(5, abs=1e-6)


def test_many_categories():
    words = np.array([f"w{k % 300}" for k in range(1800)])
    y = np.array([k % 300 < 100 for k in range(1800)])
    net, _ = tabular_classifier(**{**SMALL, "epochs": 20}).fit({"word": words}, y=y)
    assert net.inputs == 300
    assert (net.predict({"word": words}) == y).mean() > 0.8


def test_very_small_data():
    with pytest.raises(ValueError, match="validation leaves 1 of 2 rows to train on, expected at"):
        tabular_regressor(**SMALL).fit([[0.0], [1.0]], y=[1.0, 3.0])
    net, history = tabular_regressor(**SMALL).fit([[0.0], [1.0]], y=[1.0, 3.0], validation=0)
    assert net.predict([[0.0], [1.0]]) == pytest.approx([1, 3], abs=1)
    assert len(history) == 12
    net, history = tabular_regressor(**SMALL).fit([[0.0], [1.0], [2.0]], y=[1.0, 3.0, 5.0])
    assert np.isfinite(net.predict([[0.5]])).all()
    with pytest.raises(ValueError, match="validation is 1 of 2 rows, and each class needs one"):
        tabular_classifier(**SMALL).fit([[0.0], [1.0]], y=["a", "b"])
    net, history = tabular_classifier(**SMALL).fit([[0.0], [1.0]], y=["a", "b"], validation=0)
    assert "val_loss" not in history
    assert net.predict([[0.0], [1.0]]).tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="validation"):
        tabular_regressor(**SMALL).fit([[0.0]], y=[1.0])


def test_weights_and_options_go_to_their_parts():
    table = flowers(60)
    recipe = tabular_classifier(**SMALL)
    weights = np.ones(60)
    plain, history = recipe.fit(table, "kind")
    same, _ = recipe.fit(table, "kind", sample_weight=weights)
    assert (same.parameters == plain.parameters).all()
    weights[np.flatnonzero(table["kind"] == "rose")] = 5
    heavy, _ = recipe.fit(table, "kind", sample_weight=weights)
    assert (heavy.parameters != plain.parameters).any()
    balanced, _ = recipe.fit(table, "kind", class_weight="balanced")
    assert (balanced.parameters != plain.parameters).any()
    seen = []
    note = lambda trainer, epoch, logs: seen.append(epoch)  # noqa: E731
    less, history = recipe.fit(table, "kind", drop=["soil"], metrics=["f1_macro"], callbacks=[note])
    assert "soil=wet" not in less.encoder.input_names
    assert seen == [*range(1, 13)]
    assert len(history["val_f1_macro"]) == 12


def test_rows_without_a_target_and_row_numbers_are_left_out_and_said():
    table = flowers(60)
    columns = {"id": np.arange(60), **{name: table[name] for name in table}}
    columns["kind"][[3, 5]] = None
    with pytest.warns(UserWarning, match="left out") as caught:
        net, _ = tabular_classifier(**SMALL).fit(columns, "kind", sample_weight=np.ones(60))
    texts = [str(one.message) for one in caught]
    assert any(text == "left out: 2 rows without a target" for text in texts)
    assert any("only number the rows: 'id'; keep=" in text for text in texts)
    assert {one.filename for one in caught} == {__file__}
    assert "id" not in net.encoder.input_names


def test_an_interrupt_leaves_the_best_network_so_far():
    recipe = tabular_classifier(**{**SMALL, "epochs": 10_000})

    def interrupt(trainer, epoch, logs):
        if epoch == 6:
            signal.raise_signal(signal.SIGINT)

    with pytest.warns(UserWarning, match="interrupted after 6 of 10000 epochs"):
        net, history = recipe.fit(flowers(), "kind", callbacks=[interrupt])
    assert len(history) == 6
    assert history.stopped is None
    expected = []
    keep = lambda trainer, *_: expected.append(trainer.net.parameters)  # noqa: E731
    recipe.fit(flowers(), "kind", callbacks=[keep, lambda trainer, epoch, logs: epoch == 6])
    accuracies = history["val_accuracy"][:5]  # that of epoch 6 was not compared yet
    best = len(accuracies) - 1 - accuracies[::-1].index(max(accuracies))
    assert (net.parameters == expected[best]).all()
    assert net.predict(flowers()).shape == (80,)


def test_an_interrupt_before_the_first_epoch_is_raised():
    class AtOnce(cg.Callback):
        def on_train_begin(self, trainer):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        tabular_classifier(**SMALL).fit(flowers(), "kind", callbacks=[AtOnce()])


# Recipes as values


def test_recipes_are_values():
    recipe = tabular_classifier(rng=0)
    assert recipe == tabular_classifier(rng=0) == replace(recipe)
    assert replace(recipe, epochs=3) != recipe
    assert hash(recipe) == hash(tabular_classifier(rng=0))
    text = repr(tabular_regressor(rng=3, learning_rate=0.1))
    assert text == (
        "TabularRecipe('regression', hidden=(256, 256, 256), activation='mish', "
        "learning_rate=0.1, epochs=256, rng=3, ...)"
    )
    assert tabular_classifier(hidden=[8, np.int64(4)]).hidden == (8, 4)
    assert tabular_classifier(hidden=()).fit(flowers(), "kind")[0].n_parameters > 0


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: tabular_classifier(units=3), TypeError, "units"),
        (lambda: tabular_classifier(hidden=64), TypeError, "hidden is 64"),
        (lambda: tabular_classifier(hidden=(0,)), ValueError, "hidden is 0"),
        (lambda: tabular_classifier(activation="selue"), ValueError, "activation is 'selue'"),
        (lambda: tabular_classifier(label_smoothing=1), ValueError, "label_smoothing is 1"),
        (lambda: tabular_regressor(label_smoothing=0.1), ValueError, "expected 0"),
        (lambda: tabular_classifier(epochs=0), ValueError, "epochs is 0"),
        (lambda: tabular_classifier(batch_size=2.5), TypeError, "batch_size is 2.5"),
        (lambda: tabular_classifier(beta2=1), ValueError, "beta2 is 1"),
        (lambda: tabular_classifier(learning_rate=-1), ValueError, "learning_rate is -1"),
        (lambda: tabular_classifier(scaling_rate=-1), ValueError, "scaling_rate is -1"),
        (lambda: tabular_classifier(numbers="plain"), ValueError, "numbers is 'plain'"),
        (lambda: tabular_classifier(validation=True), TypeError, "validation is True"),
        (lambda: tabular_classifier(validation=-0.1), ValueError, "validation is -0.1"),
        (lambda: tabular_classifier(dtype="int8"), ValueError, "dtype is 'int8'"),
        (lambda: tabular_classifier(threads=0), ValueError, "threads is 0"),
        (lambda: TabularRecipe(task="auto"), ValueError, "task is 'auto'"),
    ],
)
def test_a_wrong_recipe_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


COLUMNS = {"x": [1.0, 2.0, 3.0, 4.0], "y": ["a", "b", "a", "b"]}


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((COLUMNS,), {}, TypeError, "target and y: neither is given"),
        ((COLUMNS, "y"), {"y": [0, 1]}, TypeError, "target and y: both are given"),
        ((COLUMNS, "z"), {}, ValueError, "target is 'z', .*, which has the columns x, y"),
        ((COLUMNS,), {"y": [0, 1, 0, 1]}, ValueError, "y is named 'y', as a column of data"),
        (([[1], [2]],), {"y": [0]}, ValueError, "y has 1 rows, and data 2"),
        (([[1], [2]], 1), {}, TypeError, "data is an array, expected y"),
        (([1, 2],), {"y": [0, 1]}, ValueError, r"data has shape \(2,\), expected \(n, columns\)"),
        (("data.csv", "y"), {}, TypeError, r"data is 'data.csv', expected .* cygrad.tables.read"),
        (({"x": [1, 2], "y": ["a", "a"]}, "y"), {}, ValueError, "'y' has one class, 'a'"),
        (({"x": [1, 2], "y": [None, None]}, "y"), {}, ValueError, "no rows with a target"),
        (({"x": [3, 3, 3, 3], "y": COLUMNS["y"]}, "y"), {}, ValueError, "no column that can be"),
        ((COLUMNS, "y"), {"validation": True}, TypeError, "validation is True"),
        ((COLUMNS, "y"), {"validation": 1.5}, ValueError, "validation is 1.5"),
        ((COLUMNS, "y"), {"validation": 4}, ValueError, "validation is 4"),
        ((COLUMNS, "y"), {"validation": ([[1.0]], ["a"])}, TypeError, "validation is a list"),
        (([[1], [2]],), {"y": [0, 1], "validation": [[1]]}, TypeError, "validation is a list"),
        (
            (COLUMNS, "y"),
            {"validation": {"x": [1.0]}},
            ValueError,
            "target is 'y', expected a",
        ),
        ((COLUMNS, "y"), {"sample_weight": [1, 2]}, ValueError, r"sample_weight has shape \(2,\)"),
        ((COLUMNS, "y"), {"sample_weight": [1, 1, 1, -1]}, ValueError, "holds -1 in row 3, exp"),
        ((COLUMNS, "y"), {"sample_weight": [0] * 4}, ValueError, "sample_weight is 0 for all"),
        ((COLUMNS, "y"), {"validation": "x.csv"}, TypeError, "validation is 'x.csv', expected a"),
        (
            (COLUMNS, "y"),
            {"validation": {"x": [1.0], "y": [None]}},
            ValueError,
            "validation has no rows with a target, expected at least one",
        ),
        ((object(),), {"y": [0, 1]}, TypeError, "data is a object, expected a table, a data fr"),
        ((COLUMNS, "y"), {"colums": ["x"]}, TypeError, "colums"),
        (
            (COLUMNS, "y"),
            {"validation": {"x": [1.0], "y": ["c"]}},
            ValueError,
            "is 'c', expected one of a, b",
        ),
    ],
)
def test_wrong_data_are_refused(arguments, options, error, message):
    with pytest.raises(error, match=message):
        tabular_classifier(**SMALL).fit(*arguments, **options)


def test_text_is_no_quantity():
    with pytest.raises(ValueError, match="is 'a', expected a number"):
        tabular_regressor(**SMALL).fit(COLUMNS, "y")


def test_progress_is_shown_only_if_asked_for(capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tabular_classifier(**SMALL).fit(flowers(), "kind")
    assert capfd.readouterr().err == ""
    tabular_classifier(**SMALL).fit(flowers(), "kind", verbose=True)
    assert "epoch" in capfd.readouterr().err
