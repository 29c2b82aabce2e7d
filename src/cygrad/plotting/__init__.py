"""Draw networks, their training and their predictions with matplotlib.

>>> from cygrad import plotting
>>> ax = plotting.history(trainer.fit(X, y, epochs=20))
>>> plotting.save(ax, "history.svg")

Every function draws into the matplotlib axes given as `ax` and returns them. Without `ax` it makes
a new figure, for `save`; ``matplotlib.pyplot`` does not know it, so that no figure stays open. For
a window or a notebook, give axes of pyplot: ``ax=plt.subplots()[1]``. Further keyword arguments go
to the artist that each function names. Networks are never changed.

The colours are those of Okabe and Ito, which colour-blind readers can distinguish. Everything with
its own colour also has its own marker or line style. All of these are in `cygrad.plotting.style`,
for other pictures too. ``rcParams`` are not changed.

Drawing needs matplotlib: ``pip install 'cygrad[plot]'``.
"""

from cygrad.plotting import style
from cygrad.plotting.confusion import confusion_matrix
from cygrad.plotting.curves import gradient_flow, history, schedule
from cygrad.plotting.diagram import network_diagram
from cygrad.plotting.figures import save
from cygrad.plotting.health import gradient_health
from cygrad.plotting.hidden import hidden_projection
from cygrad.plotting.images import weights_as_images
from cygrad.plotting.regions import decision_regions
from cygrad.plotting.regression import residuals
from cygrad.plotting.surface import cost_surface

__all__ = [
    "confusion_matrix",
    "cost_surface",
    "decision_regions",
    "gradient_flow",
    "gradient_health",
    "hidden_projection",
    "history",
    "network_diagram",
    "residuals",
    "save",
    "schedule",
    "style",
    "weights_as_images",
]
