"""The docstrings of the estimators: each parameter and attribute is described once, for both."""

from __future__ import annotations

from textwrap import fill

PARAMETERS = {
    "loss of a classifier": (
        "str, loss of `cygrad.losses` or function",
        """'log_loss', scikit-learn's: softmax for more than two classes, logistic for two and for
        several labels; or another loss of classes, by its name, such as 'focal', or one with
        parameters, such as ``cg.losses.cross_entropy(label_smoothing=0.1)``; or a function as for
        `cygrad.Network`.""",
    ),
    "loss of a regressor": (
        "str, loss of `cygrad.losses` or function",
        """'squared_error' and 'poisson' are scikit-learn's: half the squared error, and half the
        Poisson deviance of exp outputs. Or another loss of numbers, by its name, such as 'huber',
        'absolute_error' or 'gaussian_nll', or with parameters: ``cg.losses.pinball(0.9)`` predicts
        a quantile, ``cg.losses.pinball([0.1, 0.5, 0.9])`` several; or a function as for
        `cygrad.Network`.""",
    ),
    "hidden_layer_sizes": (
        "int or array_like of int",
        "Units of each hidden layer; ``()`` is no hidden layer.",
    ),
    "activation": (
        "str, activation of `cygrad.activations`, or a list of them",
        """'identity', 'logistic', 'tanh', 'relu', or another activation of the package; a list has
        one for each hidden layer.""",
    ),
    "solver": (
        "str or optimizer",
        """'adam', 'sgd', 'lbfgs', by scikit-learn's rules; {solvers}; or an optimizer with all its
        own parameters, such as ``cg.AdamW(1e-3)``, for which `alpha` and the parameters of learning
        rates are not used. L-BFGS needs all samples in each iteration, and is the best for
        small data sets.""",
    ),
    "alpha": (
        "float",
        """α of the penalty ½ α ΣW² / n in the loss of a batch of n rows; with `sample_weight` n is
        the sum of their weights. Biases have no penalty.""",
    ),
    "batch_size": ("int or 'auto'", "Rows of a step; 'auto' is min(200, n)."),
    "learning_rate": (
        "{'constant', 'invscaling', 'adaptive'}, schedule or function",
        """'constant': η₀. 'invscaling': η₀ / (t + 1)^power_t, where t is the number of rows seen,
        set after each epoch. 'adaptive': η is divided by 5 when there was no progress for more than
        `n_iter_no_change` epochs, until it is 1e-6. Both for solver 'sgd' only. Or a schedule of
        `cygrad.schedules`, or a function of the step, for any solver by name.""",
    ),
    "learning_rate_init": ("float", "η₀, the learning rate at the beginning."),
    "power_t": ("float", "Exponent of 'invscaling'."),
    "max_iter": ("int", "Epochs at most; iterations of L-BFGS."),
    "shuffle": ("bool", "Whether each epoch takes the samples in a new random order."),
    "random_state": (
        "int, RandomState or None",
        """Initial parameters, validation part and orders are drawn from it as scikit-learn draws
        them: the same seed gives the same numbers there and here.""",
    ),
    "tol": (
        "float",
        "Smaller improvements do not count; of L-BFGS the largest gradient at the end.",
    ),
    "verbose": ("bool or int", "Whether to print loss and score of each epoch."),
    "warm_start": (
        "bool",
        """Go on from the network so far in each `fit`. Other parameters of the estimator can
        be changed in between, but not the sizes of the layers.""",
    ),
    "momentum": ("float", "μ of solver 'sgd', from 0 to below 1."),
    "nesterovs_momentum": ("bool", "Whether `momentum` is Nesterov's."),
    "early_stopping": (
        "bool, 'loss', metric of `cygrad.metrics` or its name",
        """Hold out a part of the samples, or take `X_val` of `fit`, and end training when its
        score makes no progress; the parameters of the best score are restored. True: accuracy or
        R². 'loss', or a metric, such as 'f1' or a `Metric` of your own: that one, with a minus
        where lower is better.""",
    ),
    "validation_fraction": ("float", "Share of the samples for validation with `early_stopping`."),
    "beta_1": ("float", "β₁ of Adam."),
    "beta_2": ("float", "β₂ of Adam."),
    "epsilon": ("float", "ε of Adam, in the place where scikit-learn has it: √v + ε."),
    "n_iter_no_change": ("int or inf", "Epochs without progress before training ends."),
    "max_fun": ("int", "Passes over all samples at most, of L-BFGS."),
    "target_gradient": (
        "{'sum', 'mean'}",
        """Descent on several squared errors: 'sum' goes down the gradient of their sum, as
        scikit-learn does, although `loss_` is their mean; 'mean' that of the mean. L-BFGS always
        minimises what it reports, with the mean.""",
    ),
    "dropout": ("float or list of float", "Rate of dropout behind each hidden layer."),
    "class_weight": (
        "dict, 'balanced' or None",
        """Weights of the classes, which multiply `sample_weight` in training; 'balanced':
        Σw / (k Σw_c), which is n / (k · count) without other weights. Validation scores are without
        them.""",
    ),
    "stratify": (
        "{'binary', 'always'}",
        """Give the validation part its share of each class: of two classes only, as in
        scikit-learn, or always.""",
    ),
    "callbacks": (
        "list of Callback or function",
        "Called after each epoch, see `cygrad.Callback`; one that returns True ends the training.",
    ),
    "n_threads": (
        "int or None",
        "Threads at most; None: as many as the process may use. The results are the same.",
    ),
    "dtype": (
        "{'float32', 'float64'} or None",
        "Type of parameters and computations; None: that of X, and float64 for L-BFGS.",
    ),
    "n_members": (
        "int",
        """Networks that are trained side by side, one on each processor, with seeds drawn from
        `random_state`. Their outputs are averaged, and of classes their probabilities. The other
        attributes are those of the first one.""",
    ),
}

ATTRIBUTES = {
    "classes_": ("ndarray, shape (k,)", "The labels of the classes."),
    "coefs_, intercepts_": (
        "list of ndarray",
        """Weights, shape (in, out), and biases of each layer: read-only copies. An item can be
        assigned.""",
    ),
    "network_": (
        "Network or Ensemble",
        """The network itself, or the ensemble of several: ``est.network_.save("net.npz")``, and
        ``est.network_.std(X)`` for the standard deviation of their outputs.""",
    ),
    "estimators_": ("list", "The estimators of the networks, with `n_members` above 1."),
    "history_": ("History", "Loss and more of the epochs of the last `fit`."),
    "loss_": ("float", "Mean loss of the last epoch, with the penalty, before each step."),
    "loss_curve_": ("list of float", "`loss_` of each epoch; not for L-BFGS."),
    "best_loss_": ("float or None", "The smallest `loss_`; None with early stopping."),
    "validation_scores_": ("list of float or None", "Score after each epoch, if there is one."),
    "best_validation_score_": ("float or None", "The largest of them, with early stopping."),
    "n_iter_, t_": (
        "int",
        "Epochs, or iterations of L-BFGS, of the last fit; samples seen in all.",
    ),
    "learning_rate_": ("float", "Learning rate of the next step."),
    "n_features_in_, n_layers_, n_outputs_": (
        "int",
        "Columns of X; layers with the inputs; outputs.",
    ),
    "feature_names_in_": ("ndarray", "Names of the columns, of data frames."),
    "out_activation_": ("str", "Activation of the output layer, such as 'logistic'."),
}


def _entry(name: str, kind: str, text: str) -> str:
    wrapped = fill(
        " ".join(text.split()),
        100,
        initial_indent="    ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return f"{name} : {kind}\n{wrapped}"


def section(names: list[str], of: str, solvers: list[str]) -> str:
    """Return the parameters of a docstring, in the order of the constructor."""
    lines = []
    for name in names:
        kind, text = PARAMETERS[f"loss of a {of}" if name == "loss" else name]
        listed = ", ".join(f"'{solver}'" for solver in solvers)
        lines.append(_entry(name, kind, text.replace("{solvers}", listed)))
    return "\n".join(lines)


def attributes(of: str) -> str:
    """Return the attributes of a docstring."""
    lines = [
        _entry(name, kind, text)
        for name, (kind, text) in ATTRIBUTES.items()
        if name != "classes_" or of == "classifier"
    ]
    return "\n".join(lines)
