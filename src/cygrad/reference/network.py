"""A network over a batch of samples: the equations of one sample, summed or averaged.

The equations themselves are in `cygrad.reference.backpropagation`, the way of a batch through the
layers in `cygrad.reference.passes`, the updates of the parameters in
`cygrad.reference.optimizers` and `cygrad.reference.training`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .activations import activation_of
from .backpropagation import bias_gradient, output_delta, weight_gradient
from .layers import Dense, Description, Layer, make_layers
from .losses import LOSSES, Loss, largest_index, read_targets
from .normalization import BatchNorm, Moments, running, scale_gradient, unbiased
from .passes import INFERENCE, Mode, Pass, backward_batch, forward_batch
from .vectors import Matrix, Vector, add_matrices, add_vectors, read_matrix, read_vector

Rows = Sequence[Sequence[float]]
"""Samples, or rows of targets, as the caller passes them."""

Targets = Sequence[float | Sequence[float]]
"""One for each sample: a class index or a row of numbers, as the loss expects."""


@dataclass(frozen=True)
class Gradients:
    """The results of a forward and a backward pass over a batch of n samples.

    Attributes
    ----------
    loss : float
        C, summed or averaged over the batch according to the network's `reduction`; all derivatives
        are of this C.
    weights : list
        ∂C/∂Wˡ of every layer, (out, in); ∂C/∂γ of a norm or scaling, (1, out); empty without
        parameters.
    biases : list
        ∂C/∂bˡ of every layer, (out,); all 0 in a layer with weights and no bias, empty without
        parameters.
    deltas : list
        δˡ = ∂C/∂zˡ of every layer, (n, out).
    pre_activations : list
        zˡ of every layer, (n, out).
    activations : list
        aˡ of every layer, (n, out).
    inputs : list
        ∂C/∂x, (n, in).
    moments : list
        Mean and variance that each norm took: for batch norm of every unit, for layer norm of every
        sample; empty for other layers.
    """

    loss: float
    weights: list[Matrix]
    biases: list[Vector]
    deltas: list[Matrix]
    pre_activations: list[Matrix]
    activations: list[Matrix]
    inputs: Matrix
    moments: list[list[Moments]]


class Network:
    """A feed-forward network and its loss.

    Parameters
    ----------
    inputs : int
        Number of inputs: numbers in a sample.
    layers : sequence of Dense, BatchNorm, LayerNorm, Scaling, Dropout, GaussianNoise or Residual
        From the first hidden layer to the output layer.
    loss : str or Loss
        A name of `LOSSES`, or a loss with parameters, such as ``losses.huber(0.5)``.
    reduction : {"mean", "sum"}
        Whether the loss of a batch is the mean or the sum over its samples.

    Attributes
    ----------
    layers : list of Layer
        They hold the parameters. All start at 0.

    Raises
    ------
    ValueError
        If an argument is not as described or the combination has no meaning: softmax in a
        hidden layer or with one unit, cross_entropy without softmax, binary_cross_entropy without
        sigmoid, a loss of scores with softmax or with one unit.
    """

    def __init__(
        self,
        inputs: int,
        layers: Sequence[Description],
        *,
        loss: str | Loss,
        reduction: str = "mean",
    ) -> None:
        if inputs < 1:
            raise ValueError(f"inputs is {inputs}, expected an integer from 1")
        if not layers:
            raise ValueError("layers is empty, expected at least one Dense")
        if isinstance(loss, str):
            if loss not in LOSSES:
                raise ValueError(f"loss is {loss!r}, expected one of {', '.join(LOSSES)}")
            loss = LOSSES[loss]
        if reduction not in ("mean", "sum"):
            raise ValueError(f"reduction is {reduction!r}, expected 'mean' or 'sum'")
        self.layers = make_layers(inputs, layers)
        check_combination(self.layers, loss)
        self.inputs = inputs
        self.outputs = self.layers[-1].units
        self.loss = loss.name
        self.loss_function = loss
        self.reduction = reduction

    @property
    def parameters(self) -> Vector:
        """All parameters in one list: for each layer W row by row, then b if it has one.

        The list is a copy; one of the same length can be assigned.
        """
        return [
            parameter
            for layer in self.layers
            for row in [*layer.weights, *([layer.biases] if layer.use_bias else [])]
            for parameter in row
        ]

    @parameters.setter
    def parameters(self, parameters: Sequence[float]) -> None:
        values = iter(read_vector("parameters", parameters, len(self.parameters)))
        for layer in self.layers:
            layer.weights = [[next(values) for _ in row] for row in layer.weights]
            if layer.use_bias:
                layer.biases = [next(values) for _ in range(layer.units)]

    def forward(self, X: Rows) -> Matrix:
        """Return the outputs aᴸ, (n, out), of samples X, (n, in)."""
        return forward_batch(self.layers, self.read_samples(X)).a[-1]

    def predict(self, X: Rows) -> list[int] | list[list[int]] | Vector | Matrix:
        """Predict the class or the outputs of every sample.

        Returns
        -------
        list
            For losses of classes the class, argmaxⱼ aⱼ. For binary_cross_entropy 1 where an
            output is at least ½ and 0 elsewhere; for the other losses the outputs: a number per
            sample for one output, a row for more.

        Raises
        ------
        ValueError
            If the outputs of a sample have no class: one is NaN, or the largest is infinite.
        """
        outputs = self.forward(X)
        binary = self.loss == "binary_cross_entropy"
        for row, a in enumerate(outputs if self.loss_function.classifies or binary else []):
            if any(map(math.isnan, a)) or math.isinf(max(a)):
                raise ValueError(
                    f"X has outputs {a} in row {row}, which have no class, expected finite ones"
                )
        if self.loss_function.classifies:
            return [largest_index(a) for a in outputs]
        if binary:
            yes = [[int(a_j >= 0.5) for a_j in a] for a in outputs]
            return [row[0] for row in yes] if self.outputs == 1 else yes
        return [a[0] for a in outputs] if self.outputs == 1 else outputs

    def predict_one(self, x: Sequence[float]) -> int | float | list[int] | Vector:
        """Predict the class or the outputs of one sample."""
        return self.predict([x])[0]

    def evaluate(
        self, X: Rows, y: Targets, sample_weight: Sequence[float] | None = None
    ) -> dict[str, float]:
        """Return the loss, reduced as in training, and the mean metric over samples X.

        A sample of weight w counts w times.
        """
        samples = self.read_samples(X)
        targets = self.read_targets(y, len(samples))
        weights = read_weights(sample_weight, len(samples))
        n = sum(weights)
        loss = self.loss_function
        losses = metrics = 0.0
        run = forward_batch(self.layers, samples)
        for z, a, target, w in zip(run.z[-1], run.a[-1], targets, weights, strict=True):
            losses += w * loss.value(z, a, target)
            metrics += w * loss.metric(a, target)
        return {"loss": self.scale(n) * losses, loss.metric_name: metrics / n}

    def backward(
        self,
        X: Rows,
        y: Targets,
        mode: Mode = INFERENCE,
        sample_weight: Sequence[float] | None = None,
    ) -> Gradients:
        """Compute the loss of a batch and its derivatives.

        With the mean over n samples, C = 1/n Σ Cₛ: each sample's δᴸ is divided by n, and the
        backward pass, which is linear, passes the factor to all layers below. The samples share
        the parameters, so their gradients add up: ∂C/∂W = Σₛ δₛ aₛᵀ, ∂C/∂b = Σₛ δₛ.

        Parameters
        ----------
        X : rows of numbers, (n, in)
        y : class indices, (n,), or rows of numbers, (n, out)
            Numbers, (n,), can be passed for one output.
        mode : Mode
            Whether norms, dropout and noise compute as in training.
        sample_weight : sequence of float, (n,), or None
            A sample of weight w counts w times: n is then the sum of the weights.

        Returns
        -------
        Gradients

        Raises
        ------
        ValueError
            If X or y has the wrong shape or a value that the loss does not accept.
        """
        samples = self.read_samples(X)
        targets = self.read_targets(y, len(samples))
        weights = read_weights(sample_weight, len(samples))
        scale = self.scale(sum(weights))

        loss = self.loss_function
        run = forward_batch(self.layers, samples, mode)
        losses = 0.0
        output: Matrix = []  # δᴸ
        activation = activation_of(self.layers[-1].activation)
        for z, a, target, w in zip(run.z[-1], run.a[-1], targets, weights, strict=True):
            delta_s = output_delta(loss, activation, z, a, target)
            output.append([scale * w * delta_j for delta_j in delta_s])
            losses += w * loss.value(z, a, target)
        delta, inputs = backward_batch(run, output)
        return Gradients(
            loss=scale * losses,
            weights=[
                self.weights_gradient(run, number, delta_l) for number, delta_l in enumerate(delta)
            ],
            biases=[
                add_vectors(map(bias_gradient, delta_l))
                if layer.use_bias
                else [0.0] * len(layer.biases)
                for layer, delta_l in zip(self.layers, delta, strict=True)
            ],
            deltas=delta,
            pre_activations=run.z,
            activations=run.a,
            inputs=inputs,
            moments=run.moments,
        )

    def weights_gradient(self, run: Pass, number: int, delta: Matrix) -> Matrix:
        """Return ∂C/∂W of layer `number` + 1: ∂C/∂γ as one row, or [] without weights."""
        layer = self.layers[number]
        if isinstance(layer.description, Dense):
            return add_matrices(map(weight_gradient, delta, run.activations(number)))
        return [scale_gradient(delta, run.kept[number])] if layer.weights else []

    def update_statistics(self, gradients: Gradients) -> None:
        """Update the running statistics of batch norm after a training step."""
        samples = len(gradients.activations[-1])
        for layer, of_batch in zip(self.layers, gradients.moments, strict=True):
            if isinstance(layer.description, BatchNorm):
                momentum = layer.description.momentum
                for k, of in enumerate(of_batch):
                    variance = unbiased(of.variance, samples)
                    layer.running_mean[k] = running(layer.running_mean[k], of.mean, momentum)
                    layer.running_variance[k] = running(
                        layer.running_variance[k], variance, momentum
                    )

    def gradient(self, X: Rows, y: Targets, mode: Mode = INFERENCE) -> tuple[float, Vector]:
        """Compute the loss of a batch and its derivatives by `parameters`, in their order.

        Returns
        -------
        loss : float
        gradient : list of float
            The results of `backward` in one list.
        """
        gradients = self.backward(X, y, mode)
        layers = zip(self.layers, gradients.weights, gradients.biases, strict=True)
        return gradients.loss, [
            derivative
            for layer, weights, biases in layers
            for row in [*weights, *([biases] if layer.use_bias else [])]
            for derivative in row
        ]

    def jacobian(self, X: Rows) -> list[Matrix]:
        """Return the derivatives of the outputs with respect to the inputs, ∂aⱼ/∂xᵢ.

        For each sample a matrix, (out, in). Row j is a backward pass that begins with ∇a = 1 at
        output j and 0 at the others.
        """
        run = forward_batch(self.layers, self.read_samples(X))
        linear, activation = LOSSES["linear"], activation_of(self.layers[-1].activation)
        outputs: list[Matrix] = []
        for j in range(self.outputs):
            y = [float(k == j) for k in range(self.outputs)]
            delta = [
                output_delta(linear, activation, z, a, y)
                for z, a in zip(run.z[-1], run.a[-1], strict=True)
            ]
            outputs.append(backward_batch(run, delta)[1])
        return [list(rows) for rows in zip(*outputs, strict=True)]

    def input_gradient(self, X: Rows, output: int = 0) -> Matrix:
        """Return the derivatives of one output with respect to the inputs, (n, in)."""
        return [matrix[output] for matrix in self.jacobian(X)]

    def scale(self, samples: float) -> float:
        """Return the factor of the sum of the samples' losses: 1/n for the mean, 1 for the sum.

        n may be a sum of weights; where that is 0, there is no loss, and the factor is 1.
        """
        return 1 / samples if self.reduction == "mean" and samples else 1.0

    def read_samples(self, X: Rows) -> Matrix:
        """Copy samples as rows of floats; a `ValueError` names the first bad one."""
        if len(X) == 0:
            raise ValueError("X has no samples, expected at least one row")
        return read_matrix("X", X, self.inputs)

    def read_targets(self, y: Targets, samples: int) -> Matrix:
        """Copy the targets of `samples` samples as rows of floats, or raise a `ValueError`."""
        return read_targets(self.loss_function, y, samples, self.outputs)


def read_weights(sample_weight: Sequence[float] | None, samples: int) -> Vector:
    """Return the weights of the samples, all 1 if there are none."""
    if sample_weight is None:
        return [1.0] * samples
    weights = read_vector("sample_weight", sample_weight, samples)
    for i, w in enumerate(weights):
        if w < 0:
            raise ValueError(f"sample_weight[{i}] is {w}, expected a number from 0 on")
    return weights


def check_combination(layers: Sequence[Layer], loss: Loss) -> None:
    """Check that the layers and the loss fit together."""
    names = [activation_of(layer.activation).name for layer in layers]
    for index, name in enumerate(names[:-1]):
        if name == "softmax":
            raise ValueError(
                f"layers[{index}].activation is 'softmax', expected another: it is for the output"
            )
    output, name = layers[-1], names[-1]
    if loss.activation is not None and name != loss.activation:
        raise ValueError(
            f"the output activation is {name!r}, expected {loss.activation!r} "
            f"with the loss {loss.name!r}"
        )
    is_of_scores = loss.targets == "class" and loss.activation is None
    if is_of_scores and name == "softmax":
        raise ValueError(
            f"the output activation is 'softmax', expected another with the loss {loss.name!r}"
        )
    if output.units < 2 and (name == "softmax" or loss.classifies):
        raise ValueError(
            f"the output layer has {output.units} unit, expected at least 2 with the activation "
            f"{name!r} and the loss {loss.name!r}"
        )
