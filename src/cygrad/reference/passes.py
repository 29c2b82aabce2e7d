"""A batch on its way through layers of any kind, forward and back.

A dense layer takes one sample after another: `cygrad.reference.backpropagation` has its equations.
Batch norm takes all samples of a batch at once, so the pass goes layer by layer, with a row for
each sample. Every layer has its two directions side by side here::

    dense           z = W a + b                     ∂C/∂a = Wᵀ δ
    norm            z = γ ⊙ x̂ + β                   see `normalization`
    scaling         z = γ ⊙ x                       ∂C/∂x = γ ⊙ δ
    dropout         a = x ⊙ m                       ∂C/∂x = δ ⊙ m
    noise           a = x + n                       ∂C/∂x = δ
    residual sum    z = x + s                       ∂C/∂x = δ, and δ is added to ∂C/∂s

and every δ is ∂C/∂z = ∂C/∂a ⊙ σ′(z), by the activation of the layer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from .activations import activation_of
from .backpropagation import forward, weights_transposed_times
from .layers import Layer
from .noise import Counter, Dropout, GaussianNoise, dropout_factors, normal_numbers
from .normalization import (
    BatchNorm,
    LayerNorm,
    Moments,
    moments,
    normalize,
    normalize_backward,
    scale_and_shift,
)
from .scaling import Scaling, scaled
from .vectors import Matrix, Vector, column


@dataclass(frozen=True)
class Mode:
    """How a pass is run.

    Attributes
    ----------
    training : bool
        Whether batch norm takes the statistics of the batch, and dropout and noise are at work.
    seed, step, row : int
        Where the random numbers are drawn: `row` is that of the first sample in the epoch's order.
    """

    training: bool = False
    seed: int = 0
    step: int = 0
    row: int = 0


INFERENCE = Mode()


@dataclass
class Pass:
    """z and a of every layer, (n, out), and what each layer keeps for the way back.

    Attributes
    ----------
    samples : list
        a⁰, (n, in).
    z, a : list
    kept : list
        x̂ of a norm, x of scaling and the factors of dropout, (n, out); empty for other layers.
    moments : list
        Mean and variance: of each unit for batch norm, of each sample for layer norm.
    """

    layers: Sequence[Layer]
    samples: Matrix
    mode: Mode
    z: list[Matrix] = field(default_factory=list)
    a: list[Matrix] = field(default_factory=list)
    kept: list[Matrix] = field(default_factory=list)
    moments: list[list[Moments]] = field(default_factory=list)

    def activations(self, number: int) -> Matrix:
        """Return aˡ, where a⁰ are the samples."""
        return self.samples if number == 0 else self.a[number - 1]


def forward_batch(layers: Sequence[Layer], samples: Matrix, mode: Mode = INFERENCE) -> Pass:
    """Run samples through the layers, from the first to the last."""
    run = Pass(layers, samples, mode)
    for number, layer in enumerate(layers, 1):
        kept: Matrix = []
        of: list[Moments] = []
        x = run.activations(number - 1)
        if isinstance(layer.description, (BatchNorm, LayerNorm)):
            of = statistics(layer, x, mode)
            kept = normalize_batch(layer, x, of)
            z = [scale_and_shift(x_s, layer.weights[0], layer.biases) for x_s in kept]
        elif isinstance(layer.description, Scaling):
            kept = x
            z = [scaled(x_s, layer.weights[0]) for x_s in x]
        elif isinstance(layer.description, Dropout):
            kept = factors(layer, number, len(x), mode)
            z = [multiply(x_s, m_s) for x_s, m_s in zip(x, kept, strict=True)]
        elif isinstance(layer.description, GaussianNoise):
            z = [add(x_s, n_s) for x_s, n_s in zip(x, noise(layer, number, x, mode), strict=True)]
        elif layer.source is not None:
            source = run.activations(layer.source)
            z = [add(x_s, s_s) for x_s, s_s in zip(x, source, strict=True)]
        else:
            z = [forward(layer.weights, layer.biases, x_s) for x_s in x]
        run.z.append(z)
        run.a.append([activation_of(layer.activation).value(z_s) for z_s in z])
        run.kept.append(kept)
        run.moments.append(of)
    return run


def backward_batch(run: Pass, output: Matrix) -> tuple[list[Matrix], Matrix]:
    """Return δˡ of every layer from δᴸ, and ∂C/∂x."""
    layers = run.layers
    deltas = [output]  # of the layers from `number` + 1 on
    for number in range(len(layers) - 1, -1, -1):
        gradient = through_layer(run, number, deltas[0])
        for other in range(number + 1, len(layers) + 1):
            if layers[other - 1].source == number:
                added = deltas[other - number - 1]
                gradient = [add(g_s, d_s) for g_s, d_s in zip(gradient, added, strict=True)]
        if number == 0:
            return deltas, gradient
        activation = activation_of(layers[number - 1].activation)
        z, a = run.z[number - 1], run.a[number - 1]
        deltas.insert(0, [activation.backward(*each) for each in zip(z, a, gradient, strict=True)])
    raise ValueError("layers is empty")


def through_layer(run: Pass, number: int, delta: Matrix) -> Matrix:
    """Return ∂C/∂aˡ from δˡ⁺¹, for l = `number`, without residual sums."""
    above, kept, of = run.layers[number], run.kept[number], run.moments[number]
    if isinstance(above.description, (BatchNorm, LayerNorm)):
        scale, eps = above.weights[0], above.description.eps
        g = [multiply(scale, d_s) for d_s in delta]
        if isinstance(above.description, LayerNorm):
            return [normalize_backward(*each, eps) for each in zip(g, kept, of, strict=True)]
        if not run.mode.training:
            return [
                [g_k / (m.variance + eps) ** 0.5 for g_k, m in zip(g_s, of, strict=True)]
                for g_s in g
            ]
        columns = [
            normalize_backward(column(g, k), column(kept, k), of[k], eps) for k in range(len(of))
        ]
        return [list(row) for row in zip(*columns, strict=True)]
    if isinstance(above.description, Scaling):
        return [scaled(d_s, above.weights[0]) for d_s in delta]
    if isinstance(above.description, Dropout):
        return [multiply(d_s, m_s) for d_s, m_s in zip(delta, kept, strict=True)]
    if isinstance(above.description, GaussianNoise) or above.source is not None:
        return delta
    return [weights_transposed_times(above.weights, d_s) for d_s in delta]


def statistics(layer: Layer, x: Matrix, mode: Mode) -> list[Moments]:
    """Return the mean and variance that a norm takes."""
    if isinstance(layer.description, LayerNorm):
        return [moments(x_s) for x_s in x]
    if mode.training:
        return [moments(column(x, k)) for k in range(layer.units)]
    return [
        Moments(mean, variance)
        for mean, variance in zip(layer.running_mean, layer.running_variance, strict=True)
    ]


def normalize_batch(layer: Layer, x: Matrix, of: list[Moments]) -> Matrix:
    """Return x̂ of all samples."""
    assert isinstance(layer.description, (BatchNorm, LayerNorm))
    eps = layer.description.eps
    if isinstance(layer.description, LayerNorm):
        return [normalize(x_s, of_s, eps) for x_s, of_s in zip(x, of, strict=True)]
    columns = [normalize(column(x, k), of_k, eps) for k, of_k in enumerate(of)]
    return [list(row) for row in zip(*columns, strict=True)]


def factors(layer: Layer, number: int, samples: int, mode: Mode) -> Matrix:
    """Return the factors of dropout; 1 outside training."""
    assert isinstance(layer.description, Dropout)
    if not mode.training:
        return [[1.0] * layer.units for _ in range(samples)]
    rate = layer.description.rate
    places = [Counter(mode.seed, mode.step, number, mode.row + s) for s in range(samples)]
    return [dropout_factors(rate, at, layer.units) for at in places]


def noise(layer: Layer, number: int, x: Matrix, mode: Mode) -> Matrix:
    """Return the numbers that noise adds; 0 outside training."""
    assert isinstance(layer.description, GaussianNoise)
    deviation = layer.description.deviation if mode.training else 0.0
    places = [Counter(mode.seed, mode.step, number, mode.row + s) for s in range(len(x))]
    return [[deviation * n for n in normal_numbers(at, layer.units)] for at in places]


def add(u: Vector, v: Vector) -> Vector:
    """u + v."""
    return [u_k + v_k for u_k, v_k in zip(u, v, strict=True)]


def multiply(u: Vector, v: Vector) -> Vector:
    """u ⊙ v."""
    return [u_k * v_k for u_k, v_k in zip(u, v, strict=True)]
