"""Presets: complete recipes with published defaults, from a table to a trained network.

>>> import cygrad as cg
>>> table = cg.tables.Table.from_arrays({
...     "size": [1.0, 2.5, 2.0, 4.5, 3.0, 5.0, 1.5, 4.0],
...     "color": ["red", "blue", "red", "blue", "red", "blue", "red", "blue"],
...     "kind": ["small", "large", "small", "large", "small", "large", "small", "large"]})
>>> recipe = cg.presets.tabular_classifier(rng=0, epochs=32)
>>> net, history = recipe.fit(table, target="kind")
>>> net.predict({"size": [1.2], "color": ["red"]}).tolist()
['small']

`tabular_classifier` and `tabular_regressor` are RealMLP-TD-S, whose values its authors chose once
on many tables, to be used on others. Both return a `TabularRecipe`, of which `dataclasses.replace`
changes a field.

- `recipe` has the `TabularRecipe` and its parts: encoder, network, trainer, choice of the epoch.
- `parametrization` has dense layers in the neural tangent parametrisation.
- `fitting` has the way from data and targets to a trained network.
"""

from cygrad.presets.parametrization import ntk_dense
from cygrad.presets.recipe import TabularRecipe, tabular_classifier, tabular_regressor

__all__ = ["TabularRecipe", "ntk_dense", "tabular_classifier", "tabular_regressor"]
