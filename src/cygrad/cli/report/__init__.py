"""``cygrad train --report``: one self-contained HTML page about a training.

`page` assembles the sections: `results` makes those on results, `errors` that on residuals,
`inputs` those on columns, `settings` those on the network, the data and the options. `markup` makes
HTML elements, `pictures` the SVG in them, and ``page.css`` is the stylesheet. A page has no
scripts, and its policy lets a browser load nothing.
"""

from cygrad.cli.report.page import Report

__all__ = ["Report"]
