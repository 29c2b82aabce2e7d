"""Elements of HTML. Text is escaped unless it is `Markup`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

#: Elements without content and without an end tag.
VOID = ("meta",)


class Markup(str):
    """Text that is HTML and is not escaped."""

    __slots__ = ()


def element(name: str, /, *content: object, **attributes: object) -> Markup:
    """Return one element with its content and attributes.

    An underscore at the end of an attribute's name is dropped, as in ``class_``; other underscores
    become hyphens, as in ``aria_label``. Attributes that are None are left out.
    """
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{join(content)}</{name}>")


def join(parts: Iterable[object]) -> Markup:
    """Join text and markup; escape the text."""
    return Markup(
        "".join(part if isinstance(part, Markup) else escape(str(part)) for part in parts)
    )


def summary_table(caption: str, summary: Iterable[tuple[str, object]]) -> Markup:
    """Return a table of names and values, one pair in each row."""
    rows = [
        element("tr", element("th", name, scope="row"), element("td", value))
        for name, value in summary
    ]
    return _table("summary", caption, element("tbody", *rows))


def columns_table(
    caption: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, texts: int = 1
) -> Markup:
    """Return a table whose first column holds the headings of the rows.

    The first `texts` columns are text, the others numbers.
    """
    classes = ["text" if number < texts else "number" for number in range(len(columns))]

    def cell(text: object, class_: str) -> Markup:
        return element("td", text, class_=class_)

    def head(text: object, class_: str) -> Markup:
        return element("th", text, scope="col", class_=class_)

    body = [
        element("tr", element("th", first, scope="row"), *map(cell, cells, classes[1:]))
        for first, *cells in rows
    ]
    heads = element("thead", element("tr", *map(head, columns, classes)))
    return _table("columns", caption, heads, element("tbody", *body))


def _table(class_: str, caption: str, *parts: Markup) -> Markup:
    return scrolled(caption, element("table", element("caption", caption), *parts, class_=class_))


def scrolled(label: str, content: Markup) -> Markup:
    """Wrap content that may be wider than a phone, so that it scrolls by finger or keyboard."""
    return element("div", content, class_="scroll", role="region", aria_label=label, tabindex=0)
