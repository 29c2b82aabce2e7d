"""``cygrad train --report``: one page that tells all of a run, in a file that needs no other.

`page` puts it together out of what `results` tells of the results and `settings` of what was
trained, how, and on what; `markup` makes the elements of HTML, `pictures` the SVG in them, and
``page.css`` has the looks. There is no script in a page, and a browser is told to load nothing.
"""

from cygrad.cli.report.page import Report

__all__ = ["Report"]
