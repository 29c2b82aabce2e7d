"""Pictures of networks, of their training and of what they say of samples, by matplotlib.

>>> from cygrad import plotting
>>> ax = plotting.history(trainer.fit(X, y, epochs=20))
>>> plotting.save(ax, "history.svg")

Every function draws into the matplotlib axes it is given as ``ax``, and returns them. Without
`ax` it makes a new figure through ``matplotlib.pyplot``, which a notebook shows by itself and a
script by ``plt.show()``: nothing here does. With `ax`, pyplot is left alone. Further keyword
arguments go to the artist that each function names. Networks are never changed.

The colours are those of Okabe and Ito, which all eyes can tell apart, and whatever has a colour of
its own has a marker or a line style of its own too; `cygrad.plotting.style` has all of these for
pictures of one's own. ``rcParams`` are not touched.

matplotlib is needed when something is drawn: ``pip install 'cygrad[plot]'``.
"""

from cygrad.plotting import style
from cygrad.plotting.confusion import confusion_matrix
from cygrad.plotting.curves import gradient_flow, history, schedule
from cygrad.plotting.diagram import network_diagram
from cygrad.plotting.figures import save
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
    "hidden_projection",
    "history",
    "network_diagram",
    "residuals",
    "save",
    "schedule",
    "style",
    "weights_as_images",
]
