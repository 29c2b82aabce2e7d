"""Many networks at once: the bits of one after the other, failures, interrupts, threads."""

import copy
import pickle
import signal
import threading
import time
import tracemalloc
import warnings

import numpy as np
import pytest
from cases import CASES
from layer_cases import INPUTS, LAYERS

import cygrad as cg
from cygrad import threads as counts
from cygrad._engine import plan
from cygrad.training import plain
from cygrad.training.many.crew import side_by_side

DTYPES = ("float32", "float64")
EPOCHS = 5
RNG = np.random.default_rng(3)
X = RNG.standard_normal((90, INPUTS))
LABELS = RNG.integers(3, size=90)


def state(trainer, history, X=X, y=LABELS):
    """Return all that a training leaves, and what the next one does with it."""
    found = {name: history[name] for name in history if name != "seconds"}
    found["stopped"], found["steps"] = history.stopped, trainer.steps
    found["losses"] = trainer.batch_losses.tobytes()
    found["parameters"] = trainer.net.parameters.tobytes()
    found["state"] = [array.tobytes() for array in trainer._training.state]
    found["more"] = trainer.fit(X, y, 2).loss
    found["more parameters"] = trainer.net.parameters.tobytes()
    return found


def trainer_of(seed, layers="dropout", dtype="float32", optimizer=None, **options):
    net = cg.Network(INPUTS, LAYERS[layers], loss="cross_entropy", dtype=dtype, rng=seed)
    return cg.Trainer(net, optimizer or cg.Adam(0.01), 16, rng=seed, **options)


def nothing(trainer, epoch, logs):
    """Do nothing, between two epochs."""


@pytest.fixture
def split_everything():
    before = plan.set_costs(barrier=0)
    yield
    plan.set_costs(**before)


# Epochs in one call of the engine


@pytest.mark.filterwarnings("ignore:y has")
@pytest.mark.filterwarnings("ignore:a step of Rprop")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_epochs_in_one_call_have_the_bits_of_single_ones(case, dtype):
    data = case.draw(0)
    found = []
    for callbacks in ([], [nothing]):
        net = case.network(dtype)
        net.parameters = data.parameters
        trainer = cg.Trainer(net, case.optimizers()[0], case.batch_size, rng=0)
        history = trainer.fit(data.X, data.y, EPOCHS, callbacks=callbacks)
        found.append(state(trainer, history, data.X, data.y))
    assert found[0] == found[1]


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layers", LAYERS)
def test_all_layers_have_these_bits(layers, dtype, threads, split_everything):
    histories = []
    for callbacks in ([], [nothing]):
        trainer = trainer_of(0, layers, dtype, threads=threads)
        histories.append(state(trainer, trainer.fit(X, LABELS, EPOCHS, callbacks=callbacks)))
    assert histories[0] == histories[1]


OPTIONS = {
    "shuffle": {},
    "in order": {"shuffle": False},
    "rows": {"rows": np.arange(70, 3, -1)},
    "rows in order": {"rows": [5, 80, 5, 6, 7, 1] * 9, "shuffle": False},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=list(OPTIONS))
@pytest.mark.parametrize(
    "rate",
    [
        0.01,
        cg.CosineDecay(0.01, 40),
        cg.PerEpoch(cg.StepDecay(0.01, 0.5, 2)),
        lambda step: 0.1 / (9 + step),
    ],
    ids=["number", "schedule", "epochs", "function"],
)
@pytest.mark.parametrize("at_once", [1, 2, 3, 100])
def test_any_number_of_epochs_in_a_call_gives_the_same(options, rate, at_once, monkeypatch):
    monkeypatch.setattr("cygrad.training.run.epochs_at_once", lambda *sizes: at_once)
    found = []
    for callbacks in ([], [nothing]):
        trainer = trainer_of(1, optimizer=cg.SGD(rate, momentum=0.9), accumulate=2)
        history = trainer.fit(X, LABELS, 7, callbacks=callbacks, **options)
        found.append(state(trainer, history))
    assert found[0] == found[1]


def test_small_networks_run_many_epochs_in_a_call_and_large_ones_one(monkeypatch):
    asked = []

    def ask(net, rows, steps):
        asked.append((rows, steps))
        return plain.epochs_at_once(net, rows, steps)

    monkeypatch.setattr("cygrad.training.run.epochs_at_once", ask)
    trainer_of(0).fit(X, LABELS, 9)
    assert asked == [(90, 6)]
    assert plain.epochs_at_once(trainer_of(0).net, 90, 6) > 9
    net = cg.Network(784, [cg.Dense(500, "relu"), cg.Dense(10)], loss="mse", rng=0)
    assert plain.epochs_at_once(net, 60_000, 600) == 1
    for options in ({"max_steps": 90}, {"max_seconds": 9}, {"validation": 9}, {"verbose": True}):
        trainer_of(0).fit(X, LABELS, 9, **options)
    trainer_of(0).fit(X, LABELS, 9, shuffle=np.arange)
    trainer_of(0).fit(X, LABELS, 9, sample_weight=np.ones(90))
    trainer_of(0).fit(X, LABELS, 9, statistics=True)
    assert len(asked) == 1


@pytest.mark.parametrize("at_once", [1, 4, 100])
def test_divergence_in_a_call_restores_the_last_good_epoch(at_once, monkeypatch):
    monkeypatch.setattr("cygrad.training.run.epochs_at_once", lambda *sizes: at_once)
    found = []
    for callbacks in ([], [nothing]):
        layers = [cg.Dense(8, "relu"), cg.Dense(1)]
        net = cg.Network(INPUTS, layers, loss="mse", rng=0)
        rate = cg.LinearDecay(0.001, 300, 30.0)
        trainer = cg.Trainer(net, cg.SGD(rate), 16, rng=0)
        with pytest.raises(cg.DivergenceError) as raised:
            trainer.fit(X, LABELS, 50, callbacks=callbacks)
        error = raised.value
        assert error.history is trainer.history
        assert 1 <= len(error.history) < 50
        stream = trainer._shuffling.bit_generator.state
        losses, parameters = error.history.loss, net.parameters.tobytes()
        found.append((str(error), error.step, losses, parameters, trainer.steps, stream))
    assert found[0] == found[1]


def test_an_update_that_overflows_at_the_end_of_an_epoch_is_found():
    """No later loss of its epoch shows it."""
    messages = []
    for callbacks in ([], [nothing]):
        net = cg.Network(1, [cg.Dense(1)], loss="mse", rng=0)
        net.parameters = [1.0, 0.0]
        trainer = cg.Trainer(net, cg.SGD(1e36), 2, rng=0)
        with pytest.raises(cg.DivergenceError) as raised:
            trainer.fit([[1e3], [1e3]], [1.0, 1.0], 3, callbacks=callbacks)
        messages.append((str(raised.value), net.parameters.tobytes()))
    assert messages[0] == messages[1]


def test_an_interrupt_in_a_call_keeps_the_epochs_that_are_done(interrupt):
    trainer, twin = trainer_of(2), trainer_of(2)
    interrupt(trainer, 6)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(X, LABELS, 10**7)
    epochs = trainer.steps // 6
    assert len(trainer.history) == epochs > 0
    twin.fit(X, LABELS, max_steps=trainer.steps)
    assert twin.history.loss[:epochs] == trainer.history.loss
    found, expected = (state(each, twin.history) for each in (trainer, twin))
    del found["losses"], expected["losses"]  # none, if the next epoch had begun without a step
    assert found == expected


# Rows


@pytest.mark.parametrize("validation", [None, 0.25])
@pytest.mark.parametrize("weighted", [False, True])
def test_training_on_rows_is_training_on_a_copy_of_them(validation, weighted):
    rows = RNG.permutation(90)[:61]
    weights = RNG.random(90) if weighted else None
    own = None if weights is None else weights[rows]
    options = {"validation": validation, "metrics": ["f1"] if validation else []}
    trainer, copied = trainer_of(3), trainer_of(3)
    history = trainer.fit(X, LABELS, 4, rows=rows, sample_weight=weights, **options)
    expected = copied.fit(X[rows], LABELS[rows], 4, sample_weight=own, **options)
    assert state(trainer, history) == state(copied, expected)


def test_balanced_weights_are_those_of_the_rows():
    rows = np.flatnonzero(LABELS < 2)[:40]
    trainer, copied = trainer_of(3), trainer_of(3)
    history = trainer.fit(X, LABELS, 4, rows=rows, class_weight="balanced")
    expected = copied.fit(X[rows], LABELS[rows], 4, class_weight="balanced")
    assert state(trainer, history) == state(copied, expected)


def test_lbfgs_counts_a_row_that_comes_twice_twice():
    pytest.importorskip("scipy")
    losses = []
    rows = np.array([4, 4, 9, 30, 31, 32, 4, 60])
    for options in ({"rows": rows}, {"sample_weight": np.bincount(rows, minlength=90)}):
        trainer = trainer_of(0, "residual", "float64", cg.LBFGS())
        losses.append(trainer.fit(X, LABELS, 5, **options).loss)
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([0, 90], "rows has the number 90, expected row numbers from 0 to 89"),
        ([0, -1], "rows has the number -1, expected"),
        ([], "rows has"),
        ([[1, 2]], r"rows has shape \(1, 2\), expected \(rows,\)"),
        ([0.5], "rows has dtype float64, expected integers"),
        (np.ones(90, bool), r"rows has dtype bool, .*np.flatnonzero\(rows\)"),
    ],
)
def test_rows_are_checked(rows, message):
    trainer = trainer_of(0)
    before = trainer.net.parameters
    with pytest.raises((TypeError, ValueError), match=message):
        trainer.fit(X, LABELS, rows=rows)
    assert (trainer.net.parameters == before).all()
    with pytest.raises(ValueError, match=r"rows is .* and X are batches"):
        trainer.fit([(X, LABELS)], rows=[1])


# Many networks


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("dtype", DTYPES)
def test_many_have_the_bits_of_one_after_the_other(dtype, threads):
    optimizers = [
        cg.SGD(0.1), cg.SGD(0.01, momentum=0.9, nesterov=True), cg.Adam(0.01), cg.RMSProp(0.01),
        cg.Lion(0.001), cg.AdamW(cg.CosineDecay(0.01, 60), weight_decay=0.1),
    ]  # fmt: skip

    def trainers():
        return [
            trainer_of(seed, layers, dtype, optimizers[seed % len(optimizers)])
            for seed, layers in enumerate(LAYERS)
        ]

    rows = [None if seed % 3 == 0 else RNG.permutation(90)[:50] for seed in range(len(LAYERS))]
    many, single = trainers(), trainers()
    results = cg.fit_many(many, X, LABELS, EPOCHS, rows=rows, threads=threads)
    for result, trainer, twin, own in zip(results, many, single, rows, strict=True):
        assert result.trainer is trainer
        assert result.net is trainer.net
        assert result.error is None
        history = twin.fit(X, LABELS, EPOCHS, rows=own)
        assert state(trainer, result.history) == state(twin, history)


@pytest.mark.parametrize(
    "options",
    [
        {"validation": 0.2, "metrics": ["f1"]},
        {"X_val": X[:9], "y_val": LABELS[:9]},
        {"sample_weight": np.linspace(0, 1, 90)},
        {"class_weight": "balanced", "statistics": True},
        {"max_steps": 17},
        {"shuffle": False, "reset": True},
    ],
    ids=["validation", "X_val", "weights", "statistics", "steps", "reset"],
)
def test_all_options_of_fit_are_taken(options):
    many, single = ([trainer_of(seed) for seed in range(5)] for _ in range(2))
    results = cg.fit_many(many, X, LABELS, 3, threads=2, **options)
    for result, twin in zip(results, single, strict=True):
        history = twin.fit(X, LABELS, 3, **options)
        assert result.history.statistics == history.statistics
        assert state(result.trainer, result.history) == state(twin, history)


def test_each_network_has_its_own_callbacks():
    stops = [cg.EarlyStopping(1, min_delta=0.01 * k) for k in range(6)]
    many, single = ([trainer_of(seed) for seed in range(6)] for _ in range(2))
    places = {id(trainer): index for index, trainer in enumerate(many)}
    results = cg.fit_many(
        many,
        X,
        LABELS,
        40,
        validation=0.2,
        threads=2,
        callbacks=lambda trainer: [copy.deepcopy(stops[places[id(trainer)]])],
    )
    lengths = set()
    for result, twin, stop in zip(results, single, stops, strict=True):
        history = twin.fit(X, LABELS, 40, validation=0.2, callbacks=[stop])
        lengths.add(len(history))
        assert state(result.trainer, result.history) == state(twin, history)
    assert len(lengths) > 1


def test_a_network_that_fails_ends_alone():
    many, single = ([trainer_of(seed) for seed in range(6)] for _ in range(2))
    many[2] = trainer_of(2, optimizer=cg.SGD(lambda step: 0.1 if step < 14 else 1e38))
    other = cg.Network(7, [cg.Dense(3, "softmax")], loss="cross_entropy", rng=0)
    many[4] = cg.Trainer(other, cg.Adam(), 8, rng=0)
    with pytest.warns(
        UserWarning, match="^2 of 6 networks failed: numbers 2, 4; number 2 with Div"
    ):
        results = cg.fit_many(many, X, LABELS, EPOCHS, threads=2)
    assert isinstance(results[2].error, cg.DivergenceError)
    assert len(results[2].history) == 2
    assert results[2].history is results[2].error.history
    assert str(results[4].error) == "X has shape (90, 5), expected (rows, 7)"
    assert len(results[4].history) == 0
    assert np.isfinite(many[2].net.parameters).all()
    for index in (0, 1, 3, 5):
        history = single[index].fit(X, LABELS, EPOCHS)
        assert state(many[index], results[index].history) == state(single[index], history)


def test_if_all_fail_the_first_error_is_raised():
    with pytest.raises(ValueError, match=r"^X has shape \(90, 4\), expected \(rows, 5\)") as raised:
        cg.fit_many([trainer_of(seed) for seed in range(3)], X[:, :4], LABELS)
    assert raised.value.__notes__ == ["All 3 networks failed; this is the error of the first."]
    with pytest.raises(TypeError, match="unexpected keyword argument 'epoch'"):
        cg.fit_many([trainer_of(0)], X, LABELS, epoch=3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trainers": []}, "trainers is empty"),
        ({"trainers": 3}, "trainers is 3, expected a list of trainers"),
        ({"trainers": trainer_of(0)}, "trainers is <Trainer"),
        ({"trainers": [1]}, r"trainers\[0\] is 1, expected a Trainer"),
        ({"rows": [[1]]}, "rows has 1 entries, expected one for each of 2 trainers"),
        ({"rows": 4}, "rows is 4, expected a list with row numbers for each of the trainers"),
        ({"callbacks": [nothing]}, "callbacks is .* expected a function of a trainer"),
        ({"threads": 0}, "threads is 0, expected an integer"),
        ({"verbose": 2}, "verbose is 2, expected True or False"),
    ],
)
def test_arguments_are_checked(arguments, message):
    given = {"trainers": [trainer_of(0), trainer_of(1)], "X": X, "y": LABELS, **arguments}
    with pytest.raises((TypeError, ValueError), match=message):
        cg.fit_many(**given)


def test_two_trainers_of_a_network_are_refused():
    trainer = trainer_of(0)
    twin = cg.Trainer(trainer.net, cg.SGD(0.1))
    message = r"trainers\[2\] has the network of trainers\[0\]"
    with pytest.raises(ValueError, match=message):
        cg.fit_many([trainer, trainer_of(1), twin], X, LABELS)


def test_trainers_can_be_copied_and_pickled_in_between():
    many, twins = ([trainer_of(seed) for seed in range(4)] for _ in range(2))
    cg.fit_many(many, X, LABELS, 3, threads=2)
    many = [pickle.loads(pickle.dumps(many[0])), copy.deepcopy(many[1]), *many[2:]]
    results = cg.fit_many(many, X, LABELS, 2, threads=2)
    cg.fit_many(twins, X, LABELS, 5, threads=2)
    for result, twin in zip(results, twins, strict=True):
        assert result.net.parameters.tobytes() == twin.net.parameters.tobytes()


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8])
def test_the_samples_are_not_copied(dtype):
    large = np.zeros((40_000, 50), dtype)
    large.setflags(write=False)
    y = large[:, 0]
    trainers = [
        cg.Trainer(
            cg.Network(50, [cg.Dense(4), cg.Dense(1)], loss="mse", rng=seed), cg.SGD(0.1), 50
        )
        for seed in range(4)
    ]
    rows = [np.arange(seed, 40_000, 100) for seed in range(4)]
    cg.fit_many(trainers, large, y, rows=rows, threads=2)  # modules are imported
    tracemalloc.start()
    cg.fit_many(trainers, large, y, 2, rows=rows, threads=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < large.nbytes // 4


# Threads


def test_networks_use_one_thread_each_until_fewer_are_left(monkeypatch):
    monkeypatch.setenv("CYGRAD_NUM_THREADS", "4")
    trainers = [trainer_of(0, threads=3), *(trainer_of(seed) for seed in range(1, 4))]
    all_begun = threading.Barrier(4)
    seen = []

    def watch(trainer, epoch, logs):
        if epoch == 1:
            all_begun.wait(60)
            seen.append(counts.default_threads())
            all_begun.wait(60)
        elif trainer is trainers[0]:
            deadline = time.monotonic() + 60
            while counts.default_threads() < 4 and time.monotonic() < deadline:
                time.sleep(0.001)
            seen.append((counts.default_threads(), trainer.max_threads))

    cg.fit_many(trainers, X, LABELS, 2, threads=4, callbacks=lambda trainer: [watch])
    assert seen == [1, 1, 1, 1, (4, 3)]
    # Nothing is left of the limits.
    assert counts.default_threads() == 4
    assert trainers[0].max_threads == 3


def test_tasks_keep_their_order_their_errors_and_the_context():
    begun = []

    def task(number):
        begun.append(number)
        if number == 3:
            raise OSError(number)
        with pytest.raises(FloatingPointError):
            np.float64(1) / np.float64(0)
        return threading.get_ident()

    with np.errstate(divide="raise"):
        outcomes = side_by_side([lambda n=n: task(n) for n in range(8)], 1)
    assert begun == list(range(8))
    assert str(outcomes[3].error) == "3"
    identifiers = {each.result for each in outcomes if each.error is None}
    assert len(identifiers) == 1
    assert threading.get_ident() not in identifiers
    assert side_by_side([], 2) == []


def test_a_system_without_threads_trains_in_the_calling_one(monkeypatch):
    def refuse(*arguments):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("cygrad.training.many.crew.start_new_thread", refuse)
    many, single = ([trainer_of(seed) for seed in range(3)] for _ in range(2))
    results = cg.fit_many(many, X, LABELS, 3, threads=2)
    for result, twin in zip(results, single, strict=True):
        assert state(result.trainer, result.history) == state(twin, twin.fit(X, LABELS, 3))


def system_threads():
    import os

    return len(os.listdir("/proc/self/task"))


@pytest.mark.usefixtures("uncollected")
@pytest.mark.filterwarnings("ignore:batch_size is 5000:UserWarning")
@pytest.mark.parametrize("kind", ["epochs together", "epochs apart", "evaluation", "large steps"])
def test_an_interrupt_stops_all_networks_at_once(kind):
    options, trainers = {}, [trainer_of(seed) for seed in range(5)]
    samples, y = X, LABELS
    if kind == "epochs apart":
        options = {"callbacks": lambda trainer: [nothing]}
    elif kind == "evaluation":
        samples, y = np.tile(X, (20_000, 1)), np.tile(LABELS, 20_000)
        options = {"X_val": samples, "y_val": y, "max_steps": 5}
    elif kind == "large steps":
        layers = [cg.Dense(700, "relu"), cg.Dense(700, "relu"), cg.Dense(3, "softmax")]
        nets = [cg.Network(INPUTS, layers, loss="cross_entropy", rng=seed) for seed in range(3)]
        trainers = [cg.Trainer(net, cg.SGD(1e-3), 5000, rng=0) for net in nets]
        samples, y = np.tile(X, (200, 1)), np.tile(LABELS, 200)
    before = system_threads()
    pressed = []

    def press():
        pressed.append(time.perf_counter())
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.3, press)
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            cg.fit_many(trainers, samples, y, 10**7, threads=2, **options)
        ended = time.perf_counter()
    finally:
        timer.cancel()
        timer.join()
        signal.signal(signal.SIGINT, previous)
    assert ended - pressed[0] < 2  # measured: 0.02; other processes may keep the processors
    for _ in range(100):
        if system_threads() <= before:
            break
        time.sleep(0.01)
    assert system_threads() <= before
    if kind.startswith("epochs"):
        assert sum(trainer.steps > 0 for trainer in trainers) == 2
    for trainer in trainers:
        assert np.isfinite(trainer.net.parameters).all()
        assert len(trainer.fit(X, LABELS, 2)) == 2
    for result in cg.fit_many(trainers, X, LABELS, 2, threads=2):
        assert len(result.history) == 2


def test_an_interrupt_leaves_each_network_between_two_steps():
    many = [trainer_of(seed) for seed in range(4)]

    def press(trainer, epoch, logs):
        if trainer is many[1] and epoch == 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cg.fit_many(many, X, LABELS, 10**6, threads=2, callbacks=lambda trainer: [press])
    assert len(many[1].history) == 40
    for seed, trainer in enumerate(many):
        twin = trainer_of(seed)
        if trainer.steps:
            twin.fit(X, LABELS, max_steps=trainer.steps)
        assert twin.net.parameters.tobytes() == trainer.net.parameters.tobytes()
        assert trainer.steps == 0 or trainer.history.stopped is None


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize(
    "moments", [12, pytest.param(500, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_interrupts_at_random_moments_leave_all_usable(moments):
    rng = np.random.default_rng(1)
    options = [{}, {"validation": 0.2}, {"sample_weight": np.ones(90)}]
    options.append({"callbacks": lambda trainer: [nothing]})
    before = system_threads()
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    slowest = 0.0
    try:
        for moment in range(moments):
            trainers = [trainer_of(seed, ["batch norm", "dropout"][seed % 2]) for seed in range(4)]
            pressed = []

            def press(pressed=pressed):
                pressed.append(time.perf_counter())
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

            timer = threading.Timer(rng.uniform(0.001, 0.05), press)

            def fit(trainers=trainers, timer=timer, options=options[moment % 4]):
                timer.start()
                cg.fit_many(trainers, X, LABELS, 10**6, threads=2, **options)

            with pytest.raises(KeyboardInterrupt):
                fit()
            slowest = max(slowest, time.perf_counter() - pressed[0])
            timer.join()
            for seed, trainer in enumerate(trainers):
                if moment % 4 == 0 and trainer.steps:
                    twin = trainer_of(seed, ["batch norm", "dropout"][seed % 2])
                    twin.fit(X, LABELS, max_steps=trainer.steps)
                    assert twin.net.parameters.tobytes() == trainer.net.parameters.tobytes()
                    assert len(trainer.history) == trainer.steps // 6
                assert len(trainer.fit(X, LABELS)) == 1
    finally:
        signal.signal(signal.SIGINT, previous)
    for _ in range(100):
        if system_threads() <= before:
            break
        time.sleep(0.01)
    assert system_threads() <= before
    assert slowest < 2  # measured: 0.027; other processes may keep the processors


def test_the_progress_is_one_line(capsys):
    trainers = [trainer_of(seed) for seed in range(5)]
    cg.fit_many(trainers, X, LABELS, 3, threads=2, verbose=True)
    written = capsys.readouterr().err
    mean = np.mean([trainer.history.loss[-1] for trainer in trainers])
    assert written == f"networks  5/5  mean loss {mean:.4g}\n"


def test_warnings_of_a_fit_come_through():
    trainers = [cg.Trainer(trainer_of(seed).net, cg.Adam(), 1000) for seed in range(3)]
    with pytest.warns(UserWarning, match="batch_size is 1000, and there are 90 samples"):
        cg.fit_many(trainers, X, LABELS, threads=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="batch_size is 1000"):
            cg.fit_many(trainers, X, LABELS, threads=2)
