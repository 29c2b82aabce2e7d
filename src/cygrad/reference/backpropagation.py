"""The equations of backpropagation, for one sample, in the order in which they are computed.

The layers are numbered l = 1 … L; a⁰ = x is the input. The reference has the sample form of the
textbooks, z = W a + b and ∂C/∂W = δ aᵀ with weights [out, in], because it computes one sample at a
time. The engine computes whole batches and has the batch form, z = a W + b and ∂C/∂W = aᵀ δ: rows
are samples, weights [in, out].

forward, from left to right::

    zˡ = Wˡ aˡ⁻¹ + bˡ                       forward
    aˡ = σ(zˡ)                              Activation.value

backward, from right to left, for δˡ = ∂C/∂zˡ::

    δᴸ = ∇ₐC ⊙ σ′(zᴸ)                       output_delta
    δˡ = ((Wˡ⁺¹)ᵀ δˡ⁺¹) ⊙ σ′(zˡ)            weights_transposed_times, hidden_delta
    ∂C/∂Wˡ = δˡ (aˡ⁻¹)ᵀ                     weight_gradient
    ∂C/∂bˡ = δˡ                             bias_gradient

then, for every parameter P, with the optimiser's rule::

    P ← P − η ∂C/∂P                         SGD.update; Adam.update scales the step

The backward pass is itself a network, run from right to left: its input is ∇ₐC, its layers have the
weights Wᵀ and no biases, and where the forward network applies σ it multiplies by σ′(z), a number
for each unit that the forward pass has fixed. It is linear: twice the gradient at the output gives
twice the gradient everywhere. So one run of each network gives the derivatives by all parameters,
at the cost of about three forward runs, for any number of parameters.

Source: D. E. Rumelhart, G. E. Hinton and R. J. Williams, "Learning representations by
back-propagating errors", Nature 323 (1986); in this notation, M. A. Nielsen, "Neural Networks and
Deep Learning" (2015), chapter 2.
"""

from collections.abc import Sequence

from .activations import Activation, activation_of
from .layers import Layer
from .losses import Loss
from .vectors import Matrix, Vector, column, dot, subtract

# Forward: the network from left to right.


def forward(weights: Matrix, biases: Vector, below: Vector) -> Vector:
    """zˡ = Wˡ aˡ⁻¹ + bˡ, that is zⱼ = bⱼ + Σₖ Wⱼₖ aₖ."""
    return [b_j + dot(row, below) for row, b_j in zip(weights, biases, strict=True)]


def forward_pass(layers: Sequence[Layer], x: Vector) -> tuple[list[Vector], list[Vector]]:
    """Return zˡ and aˡ = σ(zˡ) of every layer, l = 1 … L, from a⁰ = x."""
    zs: list[Vector] = []
    activations: list[Vector] = []
    a = x
    for layer in layers:
        z = forward(layer.weights, layer.biases, a)
        a = activation_of(layer.activation).value(z)
        zs.append(z)
        activations.append(a)
    return zs, activations


# Backward: the network from right to left.


def output_delta(loss: Loss, activation: Activation, z: Vector, a: Vector, y: Vector) -> Vector:
    """δᴸ = ∇ₐC ⊙ σ′(zᴸ).

    ∇ₐC is the input of the backward network. The two cross-entropies belong to one activation
    each, for which ∇ₐC and the slope cancel. With the sigmoid ∇ₐC = (a − y) / (a (1 − a)) and
    σ′ = a (1 − a), so δᴸ = a − y; the same holds for the softmax. Some losses have a δᴸ of their
    own, such as a multiple of a − y.
    """
    if loss.gradient is None:
        return subtract(a, y) if loss.delta is None else loss.delta(z, a, y)
    return activation.backward(z, a, loss.gradient(a, y))


def weights_transposed_times(weights: Matrix, delta: Vector) -> Vector:
    """∂C/∂aˡ = (Wˡ⁺¹)ᵀ δˡ⁺¹, that is ∂C/∂aₖ = Σⱼ Wⱼₖ δⱼ.

    A layer of the backward network: the same weights, transposed, and no bias. With the weights
    of the first layer it is ∂C/∂x.
    """
    return [dot(column(weights, k), delta) for k in range(len(weights[0]))]


def hidden_delta(layer: Layer, z: Vector, a: Vector, above: Layer, delta_above: Vector) -> Vector:
    """δˡ = ((Wˡ⁺¹)ᵀ δˡ⁺¹) ⊙ σ′(zˡ).

    One layer of the backward network: its weights are those of the layer above, transposed, and
    its "activation" multiplies by σ′(zˡ), which the forward pass has fixed.
    """
    gradient = weights_transposed_times(above.weights, delta_above)
    return activation_of(layer.activation).backward(z, a, gradient)


def backward_pass(
    layers: Sequence[Layer],
    loss: Loss,
    zs: Sequence[Vector],
    activations: Sequence[Vector],
    y: Vector,
    scale: float,
) -> list[Vector]:
    """Return δˡ of every layer, l = 1 … L, for `scale` times the loss of the sample.

    The backward network is linear, so a factor at its input is a factor everywhere.
    """
    output = activation_of(layers[-1].activation)
    delta = output_delta(loss, output, zs[-1], activations[-1], y)
    deltas = [[scale * delta_j for delta_j in delta]]
    hidden = list(zip(layers, zs, activations, layers[1:], strict=False))  # l = 1 … L − 1
    for layer, z, a, above in reversed(hidden):
        deltas.insert(0, hidden_delta(layer, z, a, above, deltas[0]))
    return deltas


def weight_gradient(delta: Vector, below: Vector) -> Matrix:
    """∂C/∂Wˡ = δˡ (aˡ⁻¹)ᵀ, that is ∂C/∂Wⱼₖ = δⱼ aₖ."""
    return [[delta_j * a_k for a_k in below] for delta_j in delta]


def bias_gradient(delta: Vector) -> Vector:
    """∂C/∂bˡ = δˡ."""
    return list(delta)
