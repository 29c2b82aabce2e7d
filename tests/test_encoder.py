"""The encoder of tables: what it makes of columns, what it learns from which rows, and files."""

import copy
import json
import pickle
import warnings
from statistics import NormalDist

import numpy as np
import pytest
from bits import assert_same_bits
from hypothesis import given, settings
from hypothesis import strategies as st

import cygrad as cg
from cygrad.tables import Encoder, SparseRows, Table
from cygrad.tables.dates import parts, seconds_of
from cygrad.tables.scaling import learned, learned_of_indicator

steady = settings(max_examples=50, deadline=None, derandomize=True, database=None)

FINITE = st.floats(-1e6, 1e6, allow_nan=False, width=32)


def arrays(rows=60, seed=0):
    """Columns of every kind, with gaps in some of them."""
    rng = np.random.default_rng(seed)
    size = rng.normal(40, 12, rows).round(3)
    gappy = rng.normal(0, 1, rows).round(3)
    gappy[rng.random(rows) < 0.2] = np.nan
    color = rng.choice(["red", "green", "blue", "äöü"], rows).astype(object)
    hole = rng.choice(["a", "b", "c"], rows).astype(object)
    hole[:3] = None
    days = np.datetime64("2021-05-01T00:00:00") + rng.integers(0, 9e7, rows).astype("m8[s]")
    return {
        "size": size,
        "gappy": gappy,
        "color": color,
        "hole": hole,
        "flag": rng.random(rows) < 0.5,
        "pair": rng.choice(["no", "yes"], rows).astype(object),
        "day": days,
        "label": rng.choice(["x", "y", "z"], rows).astype(object),
        "price": np.exp(rng.normal(3, 1, rows)),
    }


def write_csv(path, data):
    """Write columns as text, gaps empty, booleans and times as their words."""
    names = list(data)
    lines = [",".join(names)]
    for row in range(len(data[names[0]])):
        fields = []
        for name in names:
            value = data[name][row]
            is_gap = value is None or (isinstance(value, float) and np.isnan(value))
            fields.append("" if is_gap else str(value))
        lines.append(",".join(fields))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def classifier(encoder, rng=0, **options):
    layers = [cg.Dense(8, "relu"), cg.Dense(encoder.outputs, "softmax")]
    net = cg.Network(encoder.inputs, layers, loss="cross_entropy", rng=rng, **options)
    net.encoder = encoder
    return net


def regressor(encoder, loss="mse", units=None, activation="identity", **options):
    layers = [cg.Dense(8, "tanh"), cg.Dense(units or encoder.outputs, activation)]
    net = cg.Network(encoder.inputs, layers, loss=loss, rng=0, **options)
    net.encoder = encoder
    return net


class TestNumbers:
    @steady
    @given(st.lists(FINITE, min_size=2, max_size=50), st.sampled_from(["float32", "float64"]))
    def test_training_rows_have_mean_0_and_scale_1(self, numbers, dtype):
        a = np.array(numbers)
        if a.std() <= 1e-3 * np.abs(a).max() or set(numbers) == {0.0, 1.0}:
            return
        encoder = Encoder(dtype=dtype, keep=["a"]).fit({"a": a})
        x = encoder.transform({"a": a})
        assert x.dtype == dtype
        tolerance = 1e-5 if dtype == "float32" else 1e-9
        assert abs(x.mean(dtype=float)) < tolerance
        assert abs(x.std(dtype=float) - 1) < tolerance

    @steady
    @given(
        st.lists(FINITE, min_size=4, max_size=60),
        st.sampled_from(["standard", "robust", "quantile", "quantile_uniform", "none"]),
    )
    def test_the_order_is_kept(self, numbers, method):
        a = np.array(numbers)
        if len(set(numbers)) < 3:
            return
        encoder = Encoder(numbers=method, keep=["a"], dtype="float64").fit({"a": a})
        x = encoder.transform({"a": a})[:, 0]
        assert np.isfinite(x).all()
        assert (np.diff(x[np.argsort(a, kind="stable")]) >= 0).all()

    def test_robust_is_the_transformation_of_realmlp(self):
        a = np.random.default_rng(0).normal(5, 3, 101)
        x = Encoder(numbers="robust", dtype="float64").fit({"a": a}).transform({"a": a})[:, 0]
        z = (a - np.median(a)) / (np.quantile(a, 0.75) - np.quantile(a, 0.25))
        np.testing.assert_allclose(x, z / np.sqrt(1 + (z / 3) ** 2), rtol=1e-14, atol=1e-15)
        far = Encoder(numbers="robust", dtype="float64").fit({"a": a}).transform({"a": [1e9, -1e9]})
        np.testing.assert_allclose(far[:, 0], [3, -3], rtol=1e-6)

    def test_robust_takes_half_the_range_where_the_quartiles_are_equal(self):
        a = np.array([0.0] * 9 + [4.0, -2.0])
        x = Encoder(numbers="robust", dtype="float64").fit({"a": a}).transform({"a": a})[:, 0]
        z = a / 3
        np.testing.assert_allclose(x, z / np.sqrt(1 + (z / 3) ** 2), rtol=1e-14)

    def test_quantiles_of_the_training_are_those_of_the_distribution(self):
        a = np.random.default_rng(0).exponential(2, 500)
        normal = Encoder(numbers="quantile", dtype="float64").fit({"a": a})
        shares = (np.argsort(np.argsort(a)) + 0.5) / 500
        expected = [NormalDist().inv_cdf(share) for share in shares]
        np.testing.assert_allclose(normal.transform({"a": a})[:, 0], expected, atol=1e-12)
        uniform = Encoder(numbers="quantile_uniform", dtype="float64").fit({"a": a})
        x = uniform.transform({"a": a})[:, 0]
        np.testing.assert_allclose(x, (2 * shares - 1) * np.sqrt(3), atol=1e-12)
        assert abs(x.std() - 1) < 1e-3
        beyond = normal.transform({"a": [-1e9, 1e9]})[:, 0]
        np.testing.assert_allclose(beyond, [min(expected), max(expected)])

    def test_the_quantile_of_a_frequent_number_is_the_middle_of_its_share(self):
        a = np.array([0.0] * 50 + list(range(1, 51)))
        x = Encoder(numbers="quantile_uniform", dtype="float64").fit({"a": a})
        value = x.transform({"a": [0.0]})[0, 0]
        assert value == pytest.approx((2 * 0.25 - 1) * np.sqrt(3))

    def test_none_leaves_them_and_fills_gaps_with_the_mean(self):
        encoder = Encoder(numbers="none", dtype="float64").fit({"a": [1.0, 2.0, None, 6.0]})
        x = encoder.transform({"a": [1.0, 2.0, None, 6.0]})
        assert x.tolist() == [[1, 0], [2, 0], [3, 1], [6, 0]]

    def test_rounding_errors_are_no_variance(self):
        a = np.array([0.3] * 99 + [0.1 + 0.2])
        with pytest.raises(ValueError, match="'a': constant"):
            Encoder().fit({"a": a})
        encoder = Encoder(keep=["a"]).fit({"a": a})
        assert abs(encoder.transform({"a": [0.31]})[0, 0]) < 0.1

    def test_huge_numbers_are_refused_with_the_column(self):
        with pytest.raises(ValueError, match="column 'a' has numbers so large"):
            Encoder().fit({"a": [1e200, -1e200, 3.0]})

    def test_zero_and_one_and_words_for_them(self):
        encoder = Encoder().fit({"a": [0, 1, 1, 0], "b": ["False", "True", "True", "False"]})
        assert [row.taken_for for row in encoder.describe()] == ["boolean", "boolean"]
        x = encoder.transform({"a": ["true", "FALSE"], "b": [1, 0]})
        assert x.tolist() == [[1, 1], [-1, -1]]


class TestCategories:
    def test_one_input_for_each_word(self):
        encoder = Encoder().fit({"a": ["x", "z", "y", "x"]})
        assert encoder.input_names == ("a=x", "a=y", "a=z")
        assert encoder.transform({"a": ["z", "x", "y"]}).tolist() == [
            [0, 0, 1],
            [1, 0, 0],
            [0, 1, 0],
        ]

    def test_one_input_for_two_words(self):
        encoder = Encoder().fit({"a": ["x", "y", "x"]})
        assert encoder.input_names == ("a=y",)
        notes = []
        assert encoder.transform({"a": ["x", "y", "q"]}, notes).tolist() == [[-1], [1], [0]]
        assert notes == ["column 'a': 1 value was not in the training ('q')"]

    def test_rare_words_share_an_input(self):
        encoder = Encoder(min_count=2).fit({"a": list("xxyyzq")})
        assert encoder.input_names == ("a=x", "a=y", "a=(rare)")
        x = encoder.transform({"a": list("xqzw")}, [])
        assert x.tolist() == [[1, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 0]]

    def test_a_warning_counts_unseen_words(self):
        encoder = Encoder().fit({"a": list("xyzxyz"), "b": list("pqrpqr")})
        with pytest.warns(
            UserWarning,
            match=r"arrays: column 'a': 5 values were not in the training "
            r"\('1', '2', '3', …\); column 'b': 1 value was",
        ):
            x = encoder.transform({"a": list("12344x"), "b": list("pqrpq?")})
        assert x[:5, :3].sum() == 0
        assert x[5].tolist() == [1, 0, 0, 0, 0, 0]

    def test_a_column_of_numbers_can_be_categories(self):
        encoder = Encoder(categorical=["a"]).fit({"a": [1, 2, 10.5, 1]})
        assert encoder.input_names == ("a=1", "a=10.5", "a=2")
        assert_same_bits(
            encoder.transform({"a": [2, 10.5]}), encoder.transform({"a": ["2", "10.5"]}), "x"
        )

    @steady
    @given(st.lists(st.text(max_size=3), min_size=3, max_size=30), st.data())
    def test_each_known_word_has_one_input_and_others_none(self, words, data):
        if len(set(words)) < 3:
            return
        least = data.draw(st.integers(1, 3))
        encoder = Encoder(categorical=["a"], keep=["a"], min_count=least).fit({"a": words})
        others = data.draw(st.lists(st.text(max_size=3), min_size=1, max_size=10))
        notes = []
        x = encoder.transform({"a": words + others}, notes)
        assert x[: len(words)].sum(axis=1).tolist() == [1] * len(words)
        unseen = [word for word in others if word not in words]
        assert x.sum() == len(words) + len(others) - len(unseen)
        assert bool(notes) == bool(unseen)
        counts = {word: words.count(word) for word in words}
        frequent = sorted(word for word in counts if counts[word] >= least)
        assert [name[2:] for name in encoder.input_names if name != "a=(rare)"] == frequent or (
            "(rare)" in frequent
        )


class TestGaps:
    def test_a_column_with_gaps_has_an_input_for_them(self):
        encoder = Encoder().fit({"a": [1.0, 3.0, None], "b": ["x", None, "x"], "c": list("xyx")})
        assert encoder.input_names == ("a", "a_gap", "b_gap", "c=y")
        x = encoder.transform({"a": [None, 3.0], "b": [None, "x"], "c": ["x", None]}, notes := [])
        assert x.tolist() == [[0, 1, 1, -1], [1, 0, 0, -1]]
        assert notes == ["column 'c': 1 gaps are filled in, and there were none in the training"]

    def test_gaps_of_categories_get_the_most_frequent_word(self):
        encoder = Encoder().fit({"a": ["x", "y", "y", "z", None]})
        x = encoder.transform({"a": [None, "z"]})
        assert x.tolist() == [[0, 1, 0, 1], [0, 0, 1, 0]]

    def test_the_mean_is_that_of_the_numbers_that_are_there(self):
        encoder = Encoder(dtype="float64").fit({"a": [1.0, 3.0, 8.0, None, None]})
        x = encoder.transform({"a": [1.0, 3.0, 8.0]})[:, 0]
        assert abs(x.mean()) < 1e-15
        assert x.std() == pytest.approx(1)

    def test_a_column_of_text_without_values_counts_as_gaps(self):
        encoder = Encoder().fit({"a": [1.0, 3.0, None]})
        x = encoder.transform({"a": np.array([None, None], object)})
        assert x.tolist() == [[0, 1], [0, 1]]


class TestDates:
    WORDS = (
        "2024-02-29",
        "1969-12-31 23:59:59.5",
        "2000-01-01T12:00:00Z",
        "2024-02-29T01:30+02:00",
    )

    def test_the_seconds_are_those_of_numpy(self):
        found = seconds_of(self.WORDS)
        utc = ["2024-02-29", "1969-12-31T23:59:59.5", "2000-01-01T12:00", "2024-02-28T23:30"]
        expected = np.array(utc, "M8[ms]").astype(np.int64) / 1000
        assert found.tolist() == expected.tolist()

    @steady
    @given(st.datetimes())
    def test_the_parts_are_those_of_python(self, moment):
        moment = moment.replace(microsecond=0)
        year, month, weekday, time = parts(seconds_of([moment.isoformat()]))
        midnight = moment.hour * 3600 + moment.minute * 60 + moment.second
        assert (year[0], month[0], weekday[0]) == (moment.year, moment.month, moment.weekday())
        assert time[0] == midnight

    def test_inputs_of_a_date(self):
        days = ["2020-01-31", "2021-04-01", "2022-07-15", None]
        encoder = Encoder(dtype="float64").fit({"d": days})
        assert encoder.input_names == (
            "d_year",
            "d_month_sin",
            "d_month_cos",
            "d_weekday_sin",
            "d_weekday_cos",
            "d_gap",
        )
        x = encoder.transform({"d": days})
        np.testing.assert_allclose(x[:3, 0], [-np.sqrt(1.5), 0, np.sqrt(1.5)], atol=1e-12)
        angle = 2 * np.pi / 12 * np.array([1, 4, 7])
        np.testing.assert_allclose(x[:3, 1:3], np.c_[np.sin(angle), np.cos(angle)])
        angle = 2 * np.pi / 7 * np.array([4, 3, 4])
        np.testing.assert_allclose(x[:3, 3:5], np.c_[np.sin(angle), np.cos(angle)])
        assert x[3].tolist() == [0, 0, 0, 0, 0, 1]

    def test_a_format_and_seconds(self):
        text = {"d": ["31.01.2020", "01.04.2021", "15.07.2022"]}
        encoder = Encoder(dates={"d": "%d.%m.%Y"}).fit(text)
        times = {"d": np.array(["2020-01-31", "2021-04-01", "2022-07-15"], "M8[D]")}
        assert_same_bits(encoder.transform(text), encoder.transform(times), "x")
        seconds = {"d": times["d"].astype("M8[s]").astype(float)}
        with pytest.raises(TypeError, match=r"row 0, column 1 \(d\) is a number, expected dates"):
            Encoder().fit(times).transform(seconds)
        taken = Encoder(dates=["d"]).fit(seconds)
        assert_same_bits(taken.transform(seconds), encoder.transform(text), "x")

    @pytest.mark.parametrize(
        ("words", "formats"),
        [
            (["26.02.2014", "1.3.2015"], "%d.%m.%Y"),
            (["02/03/2014", "04/05/2014"], "%d/%m/%Y or %m/%d/%Y"),
            (["02/03/2014", "04/15/2014"], "%m/%d/%Y"),
            (["2014/02/03 12:30", "2014/02/03 9:30"], "%Y/%m/%d %H:%M"),
            (["2014-2-3", "2014-12-3"], "%Y-%m-%d"),
            (["3-Feb-20", "4-Feb-20"], None),
            (["1.2.3", "10.2.3"], None),
            (["10.0.0.1", "10.0.0.2"], None),
            (["26.02.2014", "soon"], None),
        ],
    )
    def test_text_that_looks_like_dates_is_said(self, words, formats):
        notes = Encoder().fit({"d": [*words, words[0]], "a": [1, 2, 3]}).notes
        text = "column 'd' was taken for text, and looks like dates of the format"
        assert notes == (() if formats is None else (f"{text} {formats} (dates=)",))
        if formats is not None:
            named = Encoder(dates={"d": formats.split(" or ")[0]})
            assert named.fit({"d": words, "a": [1, 2]}).notes == ()

    def test_other_text_is_refused_with_its_place(self):
        encoder = Encoder().fit({"d": ["2020-01-31", "2021-04-01"]})
        with pytest.raises(
            ValueError, match=r"row 1, column 1 \(d\) is '2021-02-30', expected a da"
        ):
            encoder.transform({"d": ["2020-01-31", "2021-02-30"]})

    def test_unique_dates_are_no_names(self):
        days = [f"2020-01-{day:02}" for day in range(1, 31)]
        assert Encoder().fit({"d": days}).describe()[0].taken_for == "date"
        words = [*days[:-1], "soon"]
        with pytest.warns(UserWarning, match="'d'"):
            encoder = Encoder().fit({"d": words, "a": np.arange(30.0) ** 2})
        assert encoder.describe()[0].taken_for == "left out: unique text"


class TestLeftOut:
    def test_constants_are_said(self):
        encoder = Encoder().fit({"a": [1.0, 2.0], "b": [5, 5], "c": ["x", "x"], "d": [None, None]})
        assert encoder.columns == ("a",)
        assert encoder.notes == (
            "left out: column 'b', constant (keep=)",
            "left out: column 'c', constant (keep=)",
            "left out: column 'd', no values (keep=)",
        )

    @pytest.mark.parametrize("start", [0, 1])
    def test_row_numbers_and_unique_text_are_left_out_with_a_warning(self, start):
        rng = np.random.default_rng(0)
        table = Table.from_arrays(
            {
                "id": start + np.arange(100),
                "name": [f"n{i}" for i in range(100)],
                "a": rng.normal(size=100),
                "count": rng.integers(0, 50, 100),
            }
        )
        rows = rng.permutation(100)[:60]
        with pytest.warns(UserWarning, match=r"number the rows: 'id', 'name'; keep= makes") as seen:
            encoder = Encoder().fit(table.take(rows))
        assert seen[0].filename == __file__
        assert encoder.columns == ("a", "count")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            encoder = Encoder(keep=["id", 2]).fit(table.take(rows))
        assert encoder.columns == ("id", "name", "a", "count")
        assert encoder.inputs == 1 + 60 + 2

    def test_years_and_distances_are_no_row_numbers(self):
        years = np.arange(1900, 2000)
        encoder = Encoder().fit({"year": years, "a": 3 * np.arange(100), "b": np.arange(100) / 2})
        assert encoder.columns == ("year", "a", "b")

    def test_row_numbers_are_kept_where_there_is_nothing_else(self):
        encoder = Encoder(target="t").fit({"x": np.arange(50), "t": np.arange(50) ** 2})
        assert encoder.columns == ("x",)
        assert encoder.notes[-1] == "kept: 'x', though only numbers of rows"

    def test_columns_and_drop_by_name_and_number(self):
        table = {"a": [1.0, 2.0], "b": [1.0, 3.0], "c": ["x", "y"], "7": [2.0, 9.0]}
        assert Encoder(columns=["c", 1]).fit(table).columns == ("c", "a")
        assert Encoder(drop=[-1, "a"]).fit(table).columns == ("b", "c")
        assert Encoder(columns=["7"]).fit(table).columns == ("7",)
        assert Encoder("c", columns=["c", "a"]).fit(table).columns == ("a",)


class TestTrainingRows:
    @steady
    @given(st.integers(0, 2**32 - 1))
    def test_nothing_is_learned_from_other_rows(self, seed):
        data = arrays(80, seed)
        rows = np.sort(np.random.default_rng(seed).permutation(80)[:50])
        part = {name: values[rows] for name, values in data.items()}
        options = {"target": "label", "drop": ["price"], "min_count": 4}
        whole = Encoder(**options).fit(Table.from_arrays(data).take(rows))
        alone = Encoder(**options).fit(Table.from_arrays(part))
        assert whole.config() == alone.config()
        assert_same_bits(whole.transform(part), alone.transform(part), "x")

    def test_rows_without_a_target_teach_nothing(self):
        table = Table.from_arrays({"a": [1.0, 2.0, 99.0], "y": ["p", "q", None]})
        encoder = Encoder("y").fit(table)
        assert encoder.classes == ("p", "q")
        assert encoder.notes[0] == "left out: 1 rows without a target"
        assert encoder.transform({"a": [1.5]}).tolist() == [[0]]
        assert len(encoder.with_targets(table)) == 2
        with pytest.raises(
            ValueError, match=r"row 2, column 2 \(y\) is a gap, expected one of p, q"
        ):
            encoder.targets(table)


class TestTargets:
    def test_classes_are_text_or_few_whole_numbers(self):
        a = np.arange(6) ** 2
        encoder = Encoder("y").fit({"a": a, "y": list("zxyxyz")})
        assert encoder.classes == ("x", "y", "z")
        assert encoder.notes == ()
        encoder = Encoder("y").fit({"a": a, "y": [10.0, 2, 2, 10, 2, 10]})
        assert encoder.classes == ("2", "10")
        assert "task= regression for quantities" in encoder.notes[0]
        encoder = Encoder("y").fit({"a": a, "y": [1, 2, 3, 4, 5, 6]})
        assert encoder.classes is None
        assert "task= classification for classes" in encoder.notes[0]
        assert Encoder("y", task="regression").fit({"a": a, "y": [0, 1] * 3}).classes is None
        assert Encoder("y", task="classification").fit({"a": a, "y": a / 2}).classes == (
            *("0", "0.5", "2", "4.5", "8", "12.5"),
        )

    @steady
    @given(
        st.lists(st.floats(0.001, 1e6), min_size=2, max_size=30),
        st.sampled_from(["standard", "log", "log1p", "none"]),
    )
    def test_quantities_there_and_back(self, values, scale):
        y = np.array(values)
        if y.std() < 1e-6 * y.max():
            return
        data = {"a": np.arange(len(y)) ** 2.0, "y": y}
        encoder = Encoder("y", task="regression", target_scale=scale).fit(data)
        t = encoder.targets(data)
        assert t.shape == (len(y),)
        np.testing.assert_allclose(
            encoder.decode(t[:, np.newaxis]), y, rtol=1e-9, atol=1e-12 * y.max()
        )
        if scale != "none":
            assert abs(t.mean()) < 1e-6

    @steady
    @given(st.lists(st.sampled_from(["a", "b", "c", "ä"]), min_size=2, max_size=30))
    def test_classes_there_and_back(self, words):
        if len(set(words)) < 2:
            return
        data = {"a": np.arange(len(words)) ** 2.0, "y": words}
        encoder = Encoder("y").fit(data)
        assert encoder.decode(encoder.targets(data)).tolist() == words

    def test_numbers_as_classes_come_back_as_numbers(self):
        data = {"a": np.arange(6) ** 2.0, "y": np.array([3.0, 1, 1, 3, 1, 3])}
        encoder = Encoder("y").fit(data)
        decoded = encoder.decode(encoder.targets(data))
        assert decoded.dtype == np.int64
        assert decoded.tolist() == [3, 1, 1, 3, 1, 3]

    def test_several_targets(self):
        data = {"a": np.arange(30) ** 2.0, "p": np.linspace(1, 9, 30), "q": np.arange(30) % 2}
        encoder = Encoder(["p", "q"]).fit(data)
        t = encoder.targets(data)
        assert (encoder.outputs, encoder.target_names, t.shape) == (2, ("p", "q"), (30, 2))
        np.testing.assert_allclose(encoder.decode(t), np.c_[data["p"], data["q"]], atol=1e-12)
        with pytest.raises(ValueError, match="'p', 'q', expected one column of classes; several"):
            Encoder(["p", "q"], task="classification").fit(data)
        with pytest.raises(ValueError, match=r"column 2 \(p\) is 'x', expected a number"):
            Encoder(["p", "q"]).fit({**data, "p": list("xyz") * 10})

    def test_what_has_no_logarithm_is_refused(self):
        data = {"a": [1.0, 2.0, 4.0], "y": [1.5, 0.0, 3.0]}
        with pytest.raises(
            ValueError, match=r"row 1, column 2 \(y\) is 0, expected a number above 0"
        ):
            Encoder("y", target_scale="log").fit(data)
        Encoder("y", target_scale="log1p").fit(data)

    def test_an_unknown_class_is_refused_with_its_place(self):
        encoder = Encoder("y").fit({"a": [1.0, 2.0], "y": ["p", "q"]})
        with pytest.raises(ValueError, match=r"column 2 \(y\) is 'r', expected one of p, q$"):
            encoder.targets({"a": [1.0, 2.0], "y": ["p", "r"]})

    def test_classes_that_the_training_lacks(self):
        data = {"a": [1.0, 2.0, 3.0], "y": ["p", "q", "p"]}
        encoder = Encoder("y", classes=["r", "q", "p"]).fit(data)
        assert encoder.targets(data).tolist() == [2, 1, 2]
        assert Encoder.from_config(encoder.config()).classes == ("r", "q", "p")
        assert encoder.targets({"a": [1.0], "y": ["r"]}).tolist() == [0]
        with pytest.raises(ValueError, match=r"\(y\) is 'q', expected one of p, r$"):
            Encoder("y", classes=["p", "r"]).fit(data)
        with pytest.raises(ValueError, match="expected two or more different names"):
            Encoder("y", classes=["p", "p"])

    def test_one_class_is_refused(self):
        with pytest.raises(ValueError, match="target 'y' has one class, 'p', expected two or more"):
            Encoder("y").fit({"a": [1.0, 2.0], "y": ["p", "p"]})


class TestSparse:
    def data(self, rows=300):
        rng = np.random.default_rng(0)
        return {
            "a": rng.normal(size=rows),
            "word": [f"w{i}" for i in rng.integers(0, 150, rows)],
            "other": [f"w{i}" for i in rng.integers(0, 150, rows)],
            "hole": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows)),
            "label": rng.choice(["x", "y"], rows).tolist(),
        }

    def test_the_numbers_are_those_of_the_dense_array(self):
        data = self.data()
        sparse = Encoder("label").fit(data)
        assert sparse.is_sparse
        rows, dense = (
            sparse.transform(data),
            Encoder("label", sparse=False).fit(data).transform(data),
        )
        assert isinstance(rows, SparseRows)
        assert len(rows.data) == np.count_nonzero(dense)
        assert_same_bits(rows.toarray(), dense, "x")
        for part in (slice(3, 90), [5, 0, 5], np.arange(300) % 3 == 1, 7):
            expected = dense[np.atleast_1d(np.arange(300)[part])]
            assert_same_bits(rows[part].toarray(), expected, str(part))

    def test_scipy_reads_them(self):
        sparse = pytest.importorskip("scipy.sparse")
        rows = Encoder("label").fit(self.data()).transform(self.data())
        array = sparse.csr_array((rows.data, rows.indices, rows.indptr), rows.shape)
        assert array.has_sorted_indices
        assert_same_bits(array.toarray(), rows.toarray(), "x")

    def test_training_has_the_bits_of_the_dense_array(self):
        data = self.data()
        results = []
        for sparse in (True, False):
            encoder = Encoder("label", sparse=sparse).fit(data)
            net = classifier(encoder)
            trainer = cg.Trainer(net, cg.Adam(0.01), batch_size=32, rng=0)
            trainer.fit(encoder.transform(data), encoder.targets(data), epochs=2)
            results += [net.parameters, net.forward(data)]
        assert_same_bits(results[0], results[2], "parameters")
        assert_same_bits(results[1], results[3], "outputs")

    @pytest.mark.parametrize(
        ("words", "is_sparse", "is_faster"), [(30, False, True), (4, False, False)]
    )
    def test_the_argument_decides_before_the_encoder(self, words, is_sparse, is_faster):
        names = [f"w{i % words}" for i in range(300)]
        data = {"word": names, "other": names[::-1], "third": names, "label": ["x", "y"] * 150}
        encoder = Encoder("label").fit(data)
        assert encoder.inputs == 3 * words
        assert encoder.is_sparse == is_sparse
        assert encoder.trains_faster_sparse == is_faster
        dense, rows = encoder.transform(data), encoder.transform(data, sparse=True)
        assert isinstance(dense, np.ndarray)
        assert_same_bits(rows.toarray(), dense, "x")
        with pytest.raises(TypeError, match="sparse is 1"):
            encoder.transform(data, sparse=1)

    def test_few_inputs_are_dense(self):
        assert not Encoder("label").fit(arrays()).is_sparse


class TestNetwork:
    def fitted(self):
        data = arrays()
        encoder = Encoder("label", drop=["price"]).fit(data)
        return classifier(encoder), data

    def test_predictions_are_names_of_classes(self):
        net, data = self.fitted()
        indices = net.predict(net.encoder.transform(data))
        assert indices.dtype == np.int64
        assert net.predict(data).tolist() == [net.classes[index] for index in indices]
        assert_same_bits(net.forward(data), net.forward(net.encoder.transform(data)), "outputs")

    def test_order_and_additional_columns_do_not_matter(self):
        net, data = self.fitted()
        swapped = {"more": data["size"], **{name: data[name] for name in reversed(list(data))}}
        del swapped["label"]
        assert_same_bits(net.forward(swapped), net.forward(data), "outputs")

    def test_missing_columns_are_listed(self):
        net, data = self.fitted()
        part = {name: data[name] for name in data if name not in ("size", "day")}
        with pytest.raises(
            ValueError, match="arrays lacks the columns size, day; it has gappy, co"
        ):
            net.predict(part)

    def test_evaluation_takes_targets_from_the_table_or_beside_it(self):
        net, data = self.fitted()
        expected = net.evaluate(net.encoder.transform(data), net.encoder.targets(data))
        assert net.evaluate(data) == expected == net.evaluate(data, data["label"])
        assert expected["accuracy"] == np.mean(net.predict(data) == data["label"])
        with pytest.raises(TypeError, match="y has dtype object, expected integer class"):
            net.evaluate(net.encoder.transform(data))

    def test_gradients_and_trainers_take_tables(self):
        net, data = self.fitted()
        X, y = net.encoder.transform(data), net.encoder.targets(data)
        assert_same_bits(net.gradient(data, y)[1], net.gradient(X, y)[1], "gradient")
        cg.Trainer(net, cg.Adam(0.01), rng=0).fit(data, y, epochs=1, X_val=data, y_val=y)
        after = net.parameters
        again, _ = self.fitted()
        cg.Trainer(again, cg.Adam(0.01), rng=0).fit(X, y, epochs=1)
        assert_same_bits(after, again.parameters, "parameters")

    def test_a_frame_a_table_and_a_file_give_the_same(self, tmp_path):
        pandas = pytest.importorskip("pandas")
        polars = pytest.importorskip("polars")
        pytest.importorskip("narwhals")
        net, data = self.fitted()
        write_csv(tmp_path / "data.csv", data)
        plain = {**data, "day": data["day"].astype("M8[us]")}  # whose list is of datetimes
        tables = [
            cg.tables.read(tmp_path / "data.csv"),
            pandas.DataFrame(data),
            polars.DataFrame({name: values.tolist() for name, values in plain.items()}),
            Table.from_arrays(data),
        ]
        for table in tables:
            encoder = Encoder("label", drop=["price"]).fit(table)
            assert encoder.input_names == net.encoder.input_names
            assert_same_bits(encoder.transform(table), net.encoder.transform(data), "inputs")
            assert_same_bits(net.encoder.transform(table), net.encoder.transform(data), "inputs")
            assert net.predict(table).tolist() == net.predict(data).tolist()

    def test_warnings_are_shown_at_the_call(self):
        net, data = self.fitted()
        data = {**data, "color": ["mauve"] * 60}
        for use in (net.predict, net.forward, net.evaluate):
            with pytest.warns(UserWarning, match="60 values were not in the training") as seen:
                use(data)
            assert seen[0].filename == __file__

    def test_a_table_needs_an_encoder(self):
        net = cg.Network(1, [cg.Dense(1)], loss="mse")
        with pytest.raises(
            TypeError, match=r"a Table is no array, expected table\.numbers\(\), or"
        ):
            net.predict(Table.from_arrays({"a": [1.0, 2.0]}))

    def test_quantities_come_back_in_their_unit(self):
        """A mean far from 0, which float32 cannot hold beside the spread."""
        x = np.linspace(-1, 1, 400)
        data = {"x": x, "t": 1.6e9 + 20 * x}
        encoder = Encoder("t").fit(data)
        net = cg.Network(1, [cg.Dense(1)], loss="mse", rng=0)
        net.encoder = encoder
        trainer = cg.Trainer(net, cg.Adam(0.05), batch_size=20, rng=0)
        trainer.fit(encoder.transform(data), encoder.targets(data), epochs=20)
        predicted = net.predict(data)
        assert (predicted.dtype, predicted.shape) == (np.float64, (400,))
        error = np.abs(predicted - data["t"]).mean()
        assert error < 0.1
        assert net.evaluate(data)["mae"] == pytest.approx(error, rel=1e-6)
        weights = np.arange(400) % 3
        expected = np.average(np.abs(predicted - data["t"]), weights=weights)
        found = net.evaluate(data, data["t"], sample_weight=weights)
        assert found["mae"] == pytest.approx(expected, rel=1e-6)

    def test_several_targets_and_logarithms(self):
        data = {"x": np.linspace(-1, 1, 50), "p": np.linspace(2, 3, 50), "q": np.linspace(9, 5, 50)}
        net = regressor(Encoder(["p", "q"], target_scale="log").fit(data))
        outputs = net.forward(data).astype(float)
        logs = np.log(np.c_[data["p"], data["q"]])
        expected = np.exp(outputs * logs.std(axis=0) + logs.mean(axis=0))
        np.testing.assert_allclose(net.predict(data), expected, rtol=1e-12)

    def test_quantiles_and_moments(self):
        data = {"x": np.linspace(-1, 1, 50), "y": np.linspace(2, 30, 50)}
        encoder = Encoder("y").fit(data)
        mean, scale = data["y"].mean(), data["y"].std()
        net = regressor(encoder, cg.losses.pinball((0.1, 0.5, 0.9)), 3)
        expected = net.forward(data).astype(float) * scale + mean
        np.testing.assert_allclose(net.predict(data), expected, rtol=1e-12)
        errors = np.abs(expected - data["y"][:, np.newaxis]).mean()
        assert net.evaluate(data)["mae"] == pytest.approx(errors, rel=1e-6)
        net = regressor(encoder, "gaussian_nll", 2)
        outputs = net.forward(data).astype(float)
        np.testing.assert_allclose(net.predict(data)[:, 0], outputs[:, 0] * scale + mean)
        np.testing.assert_allclose(net.predict(data)[:, 1], outputs[:, 1] + 2 * np.log(scale))

    def test_two_classes_with_one_output(self):
        data = {"x": np.linspace(-1, 1, 50), "y": ["no", "yes"] * 25}
        encoder = Encoder("y").fit(data)
        net = cg.Network(1, [cg.Dense(1, "sigmoid")], loss="binary_cross_entropy", rng=0)
        net.encoder = encoder
        is_yes = net.forward(data)[:, 0] >= 0.5
        assert net.predict(data).tolist() == ["yes" if each else "no" for each in is_yes]

    def test_an_encoder_without_a_target(self):
        data = {"x": np.linspace(-1, 1, 50), "y": ["no", "yes"] * 25}
        net = cg.Network(2, [cg.Dense(1)], loss="mse", rng=0)
        net.encoder = Encoder().fit(data)
        assert_same_bits(net.predict(data), net.forward(data)[:, 0], "outputs")
        y = np.arange(50.0)
        assert net.evaluate(data, y) == net.evaluate(net.encoder.transform(data), y)

    def test_a_later_fit_of_the_encoder_does_not_matter(self):
        net, data = self.fitted()
        encoder = Encoder("label", drop=["price"]).fit(data)
        net.encoder = encoder
        before = net.forward(data)
        encoder.fit(arrays(seed=5))
        assert_same_bits(net.forward(data), before, "outputs")

    def test_what_does_not_fit_is_refused(self):
        data = arrays()
        by_class, by_price = Encoder("label").fit(data), Encoder("price").fit(data)
        softmax = [cg.Dense(3, "softmax")]
        cases = [
            (by_class, 3, softmax, "cross_entropy", "inputs, and the network 3"),
            (by_class, None, [cg.Dense(3)], "mse", "has classes, and a network with 3 outputs"),
            (by_class, None, [cg.Dense(4, "softmax")], "cross_entropy", "has 3 classes, and the n"),
            (by_price, None, softmax, "cross_entropy", "quantities, and loss 'cross_entropy' pre"),
            (by_price, None, [cg.Dense(2)], "mse", "has 1 targets, and the network 2"),
            (by_price, None, [cg.Dense(1, "exp")], "poisson", r"target_scale='none'"),
        ]
        for encoder, inputs, layers, loss, message in cases:
            net = cg.Network(inputs or encoder.inputs, layers, loss=loss)
            with pytest.raises(ValueError, match=message):
                net.encoder = encoder
            assert net.encoder is None
        net, _ = self.fitted()
        with pytest.raises(ValueError, match="encoder is not fitted"):
            net.encoder = Encoder()
        with pytest.raises(TypeError, match="encoder is 3, expected a cygrad"):
            net.encoder = 3
        with pytest.raises(ValueError, match="and the encoder has"):
            net.classes = ["a", "b", "c"]
        with pytest.raises(ValueError, match="the encoder has names of classes"):
            net.classes = None
        net.encoder = None
        net.classes = ["a", "b", "c"]

    def test_logarithms_have_no_moments(self):
        data = arrays()
        encoder = Encoder("price", target_scale="log").fit(data)
        net = cg.Network(encoder.inputs, [cg.Dense(2)], loss="gaussian_nll")
        with pytest.raises(ValueError, match="takes logarithms of the targets"):
            net.encoder = encoder


class TestFiles:
    @pytest.mark.parametrize(
        "options",
        [
            {"target": "label"},
            {"target": ["price", "size"], "target_scale": "log1p"},
            {"numbers": "robust", "min_count": 20, "drop": ["day"], "keep": [1]},
            {"numbers": "quantile", "categorical": ["flag"], "dtype": "float64", "sparse": True},
            {"numbers": "none", "columns": ["size", "day"], "dates": {"day": None}},
        ],
    )
    def test_the_same_bits_come_back(self, options):
        data = arrays()
        encoder = Encoder(**options).fit(data)
        again = Encoder.from_config(json.loads(json.dumps(encoder.config())))
        assert again.config() == encoder.config()
        assert str(again.describe()) == str(encoder.describe())
        assert again.notes == encoder.notes
        assert again.classes == encoder.classes
        one, other = encoder.transform(data), again.transform(data)
        if options.get("sparse"):
            one, other = one.toarray(), other.toarray()
        assert_same_bits(one, other, "inputs")
        if "target" in options:
            assert_same_bits(encoder.targets(data), again.targets(data), "targets")

    @steady
    @given(
        st.lists(FINITE, min_size=3, max_size=30),
        st.sampled_from(["standard", "robust", "quantile", "none"]),
    )
    def test_numbers_keep_their_bits(self, numbers, method):
        data = {"a": np.array(numbers), "b": ["x", "y", "z"] * 10}
        data["b"] = data["b"][: len(numbers)]
        encoder = Encoder(numbers=method, dtype="float64").fit(data)
        again = Encoder.from_config(json.loads(json.dumps(encoder.config())))
        assert_same_bits(encoder.transform(data), again.transform(data), "inputs")

    def test_a_network_keeps_it(self, tmp_path):
        data = arrays()
        net = classifier(Encoder("label").fit(data))
        net.save(tmp_path / "net.npz")
        copies = [
            cg.load(tmp_path / "net.npz"),
            pickle.loads(pickle.dumps(net)),
            copy.deepcopy(net),
        ]
        for again in [*copies, copy.copy(net), net.as_dtype("float32")]:
            assert again.encoder.config() == net.encoder.config()
            assert_same_bits(again.forward(data), net.forward(data), "outputs")
            assert again.predict(data).tolist() == net.predict(data).tolist()
        with np.load(tmp_path / "net.npz") as file:
            assert json.loads(file["header"].tobytes())["version"] == 3
        net.encoder = None
        net.save(tmp_path / "net.npz")
        with np.load(tmp_path / "net.npz") as file:
            assert json.loads(file["header"].tobytes())["version"] == 1

    @pytest.mark.parametrize(
        ("place", "value"),
        [
            (("arguments", "numbers"), "other"),
            (("arguments", "min_count"), 0),
            (("arguments", "dtype"), "float16"),
            (("arguments", "target"), 3.5),
            (("columns", 0, "name"), 5),
            (("columns", 0, "gaps"), -1),
            (("columns", 0, "kind"), "pickle"),
            (("columns", 0, "scaling", "scale"), 0.0),
            (("columns", 0, "scaling", "center"), float("nan")),
            (("columns", 0, "scaling", "method"), "quantile"),
            (("columns", 0, "name"), "color"),
            (("columns", 2, "words"), ["a", "a"]),
            (("columns", 2, "words"), [["a"]]),
            (("columns", 2, "words"), []),
            (("columns", 2, "words"), ["red"]),
            (("columns", 2, "fill"), 4),
            (("columns", 4, "fill"), "1"),
            (("columns", 6, "cycles"), ["weekday", "month"]),
            (("columns", 6, "pattern"), 3),
            (("columns",), []),
            (("targets", "classes"), ["a", "a"]),
            (("targets", "classes"), "abc"),
            (("targets", "names"), []),
            (("target_counts",), []),
            (("notes",), [3]),
        ],
    )
    def test_a_changed_file_is_refused(self, tmp_path, place, value):
        net = classifier(Encoder("label").fit(arrays()))
        net.save(tmp_path / "net.npz")
        with np.load(tmp_path / "net.npz") as file:
            members = dict(file)
        header = json.loads(members["header"].tobytes())
        *path, last = place
        part = header["encoder"]
        for key in path:
            part = part[key]
        assert last in part if isinstance(part, dict) else True
        part[last] = value
        members["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
        np.savez(tmp_path / "net.npz", **members)
        with pytest.raises(ValueError, match="is damaged or cut short"):
            cg.load(tmp_path / "net.npz")


class TestDescription:
    def test_a_name_with_a_line_end_stays_in_its_line(self):
        described = Encoder().fit({"größe\n(\tcm)": [1.0, 2.0], "b": [3.0, 1.0]}).describe()
        assert described[0].column == "größe\n(\tcm)"
        lines = str(described).splitlines()
        assert len(lines) == 3
        assert lines[1].startswith(r"größe\n(\tcm)  number ")

    def test_rows_and_text(self):
        data = arrays()
        with pytest.warns(UserWarning, match="'id'"):
            encoder = Encoder("label").fit({"id": np.arange(60), **data})
        described = encoder.describe()
        taken = {row.column: (row.taken_for, row.inputs, row.gaps) for row in described}
        gaps = int(np.isnan(data["gappy"]).sum())
        assert taken == {
            "id": ("left out: row numbers", 0, 0),
            "size": ("number", 1, 0),
            "gappy": ("number", 2, gaps),
            "color": ("category", 4, 0),
            "hole": ("category", 4, 3),
            "flag": ("boolean", 1, 0),
            "pair": ("category", 1, 0),
            "day": ("date", 7, 0),
            "price": ("number", 1, 0),
            "label": ("target: classes", 0, 0),
        }
        assert sum(row.inputs for row in described) == encoder.inputs == len(encoder.input_names)
        assert described[3].distinct == 4
        lines = str(described).splitlines()
        assert lines[0].split() == [
            "column",
            "taken",
            "for",
            "inputs",
            "gaps",
            "distinct",
            "values",
        ]
        assert lines[4].split() == ["color", "category", "4", "0", "4"]
        assert len(lines) == len(described) + 1


class TestArguments:
    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            ({"target": True}, TypeError, "target is True, expected a sequence"),
            ({"target": []}, ValueError, "target is empty"),
            (
                {"target": "other"},
                ValueError,
                "target is 'other', expected a column of arrays, which has the columns size, ",
            ),
            ({"drop": "size"}, TypeError, "drop is 'size', expected a sequence"),
            ({"drop": [0]}, ValueError, "drop is 0, expected a column of arrays: 1 to 9, or -9 to"),
            ({"keep": [1.5]}, TypeError, "keep has 1.5, expected names or numbers"),
            ({"columns": ["size", 1]}, ValueError, "columns has column 'size' twice"),
            ({"keep": ["size"], "drop": [1]}, ValueError, "column 'size' is in keep and in drop"),
            ({"dates": {"day": 3}}, TypeError, r"dates\['day'\] is 3, expected a format"),
            ({"numbers": "best"}, ValueError, "numbers is 'best', expected one of 'standard', "),
            ({"min_count": 0}, ValueError, "min_count is 0, expected an integer of at least 1"),
            ({"sparse": "no"}, TypeError, "sparse is 'no', expected True or False"),
            ({"dtype": "float16"}, ValueError, "dtype is 'float16'"),
            ({"task": "guess"}, ValueError, "task is 'guess'"),
            ({"target_scale": "ln"}, ValueError, "target_scale is 'ln'"),
            (
                {"columns": []},
                ValueError,
                r"has no column that can be an input \(none is left beside the targets\)",
            ),
        ],
    )
    def test_errors_name_the_argument(self, options, error, message):
        with pytest.raises(error, match=message):
            Encoder(**options).fit(arrays())

    def test_an_encoder_that_is_not_fitted(self):
        encoder = Encoder("label")
        for use in (encoder.transform, encoder.targets):
            with pytest.raises(RuntimeError, match="is not fitted, expected fit"):
                use(arrays())
        with pytest.raises(RuntimeError, match="is not fitted"):
            encoder.describe()
        assert repr(encoder) == "Encoder, not fitted"
        fitted = encoder.fit(arrays())
        assert repr(fitted) == f"Encoder of 8 columns to {fitted.inputs} inputs (label)"

    def test_text_in_place_of_numbers_is_refused_with_its_place(self):
        encoder = Encoder().fit({"a": [1.0, 2.0], "b": ["x", "y"]})
        with pytest.raises(
            TypeError, match=r"row 1, column 1 \(a\) is 'many', expected numbers as"
        ):
            encoder.transform({"a": [None, "many"], "b": ["x", "y"]})

    def test_no_table(self):
        with pytest.raises(TypeError, match="table is a ndarray, expected a Table, a data frame"):
            Encoder().fit(np.zeros((3, 2)))

    def test_targets_need_one(self):
        encoder = Encoder().fit(arrays())
        with pytest.raises(ValueError, match="the encoder has no target"):
            encoder.targets(arrays())
        encoder = Encoder("label").fit(arrays())
        with pytest.raises(ValueError, match="arrays lacks the target label"):
            encoder.targets({"a": [1.0]})
        with pytest.raises(ValueError, match="y has 2 columns, expected 1"):
            encoder.target_array(np.zeros((3, 2)))

    def test_a_column_with_many_inputs_is_noted(self):
        words = [f"w{i}" for i in range(1100)]
        encoder = Encoder().fit({"a": words + words, "b": np.arange(2200) % 5})
        assert "became 1100 inputs (min_count= joins rare words" in encoder.notes[0]


# Inputs of categories that are scaled, and arrays that stand for tables


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 7, 8, 40, 101])
def test_an_input_of_a_category_is_scaled_as_its_numbers(rows):
    for ones in range(rows + 1):
        numbers = np.repeat([0.0, 1.0], [rows - ones, ones])
        expected = learned(numbers, "robust", "x")
        found = learned_of_indicator(ones, rows)
        assert found.center == pytest.approx(expected.center, abs=1e-15)
        assert found.scale == pytest.approx(expected.scale, abs=1e-15)


def test_scaled_categories_count_the_words_that_fill_gaps():
    color = np.array(["red"] * 5 + ["blue"] * 3 + [None] * 4 + ["green"] * 4, object)
    flag = np.array([1.0] * 5 + [0.0] * 8 + [np.nan] * 3)
    columns = {"color": color, "flag": flag, "size": np.arange(16.0) ** 1.5}
    plain = Encoder(numbers="robust", dtype="float64").fit(columns)
    scaled = Encoder(numbers="robust", categories="robust", dtype="float64").fit(columns)
    assert scaled.input_names == plain.input_names
    inputs = plain.transform(columns)
    for index, name in enumerate(plain.input_names):
        values = inputs[:, index]
        if name.startswith(("color=", "flag")) and not name.endswith("_gap"):
            values = learned(values, "robust", name).apply(values)
        np.testing.assert_allclose(scaled.transform(columns)[:, index], values, atol=1e-15)
    config = json.loads(json.dumps(scaled.config()))
    again = Encoder.from_config(config)
    assert (again.transform(columns) == scaled.transform(columns)).all()
    assert "categories" not in plain.config()["arguments"]
    config["columns"][0]["scalings"].pop()
    with pytest.raises(ValueError, match="scalings of column 'color' are not one for each input"):
        Encoder.from_config(config)


def test_scaled_categories_are_dense_and_shared_ones_are_scaled_together():
    words = np.array([f"w{k % 300}" for k in range(600)] + ["once", "twice", "twice"], object)
    plain = Encoder().fit({"word": words})
    scaled = Encoder(categories="robust").fit({"word": words})
    assert plain.is_sparse
    assert not scaled.is_sparse
    values = np.unique(scaled.transform({"word": words}))
    assert values == pytest.approx([0, 2 / (1 + 4 / 9) ** 0.5])
    rare = Encoder(categories="robust", min_count=2, sparse=True).fit({"word": words})
    X = rare.transform({"word": words})
    assert isinstance(X, SparseRows)
    assert X.shape == (603, 302)


def test_arrays_of_so_many_columns_are_tables(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(10, 3, (30, 2))
    y = np.where(X[:, 0] > 10, "high", "low")
    table = {"column_1": X[:, 0], "column_2": X[:, 1], "y": y}
    encoder = Encoder("y", array_columns=2).fit(table)
    assert (encoder.transform(X) == encoder.transform(table)).all()
    assert (encoder.transform(X.tolist()) == encoder.transform(table)).all()
    net = cg.Network(2, [cg.Dense(2, "softmax")], loss="cross_entropy", rng=0)
    net.encoder = encoder
    inputs = encoder.transform(X)
    cg.Trainer(net, cg.Adam(0.1), 8, rng=0).fit(X, encoder.targets(table), 20)
    net.save(tmp_path / "model.npz")
    loaded = cg.load(tmp_path / "model.npz")
    bare = copy.deepcopy(net)
    bare.encoder = None
    for each in (net, loaded):
        assert (each.predict(X) == each.predict(table)).all()
        assert (each.forward(X) == bare.forward(inputs)).all()
        assert each.evaluate(X, y) == each.evaluate(table)
        assert [each.predict_one(row) for row in X] == each.predict(X).tolist()
        gradients = each.backward(X, encoder.targets(table))
        assert (
            gradients.weights[0] == bare.backward(inputs, [*map(int, y == "low")]).weights[0]
        ).all()
    net.encoder = encoder.of_tables()
    assert net.encoder.array_columns is None
    assert (net.forward(inputs) == bare.forward(inputs)).all()
    with pytest.raises(ValueError, match="out is given, and the encoder makes the inputs"):
        loaded.predict_one(X[0], np.empty(2, np.float32))
    cg.Trainer(loaded, cg.SGD(0.1)).learn_one(X[3], "high")
    cg.Trainer(bare, cg.SGD(0.1)).learn_one(inputs[3], 0)
    assert (loaded.parameters == bare.parameters).all()
    with pytest.raises(ValueError, match="X has 3 columns, expected 2"):
        loaded.predict(np.ones((4, 3)))
    with pytest.raises(ValueError, match=r"X has shape \(2,\), expected \(n, columns\)"):
        encoder.transform([1.0, 2.0])
    with pytest.raises(TypeError, match="table is a ndarray, expected"):
        Encoder().fit(table).transform(X)
    with pytest.raises(TypeError, match="y is None, and X is an array"):
        loaded.evaluate(X)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"categories": "scaled"}, ValueError, "categories is 'scaled'"),
        ({"array_columns": 0}, ValueError, "array_columns is 0"),
        ({"array_columns": True}, TypeError, "array_columns is True"),
    ],
)
def test_wrong_choices_of_categories_and_arrays_are_named(options, error, message):
    with pytest.raises(error, match=message):
        Encoder(**options)


@pytest.mark.parametrize("source", ["array", "objects", "pandas", "polars"])
def test_booleans_are_given_back_as_booleans(source):
    size, kept = [1.0, 2.0, 3.0, 4.0], [True, False, None, True]
    if source in ("array", "objects"):
        kept = np.array([True, False, False, True]) if source == "array" else kept
        data = {"size": size, "kept": kept}
    else:
        pytest.importorskip("narwhals", reason="data frames, of the extra frames")
        data = pytest.importorskip(source).DataFrame({"size": size, "kept": kept})
        if source == "pandas":
            data = data.astype({"kept": "boolean"})
    encoder = Encoder("kept").fit(data)
    config = encoder.config()
    for each in encoder, Encoder.from_config(json.loads(json.dumps(config))):
        assert each.decode(np.array([1, 0])).tolist() == [True, False]
        assert each.config() == config
    config["targets"]["classes"] = ["1", "2"]
    with pytest.raises(ValueError, match="classes are 1, 2, expected 0 and 1 for booleans"):
        Encoder.from_config(config)
    assert Encoder("kept").fit({"size": size, "kept": [1, 0, 0, 1]}).decode([1])[0] == 1
    given = Encoder("kept", classes=["0", "1", "2"]).fit(data)
    assert given.decode(np.array([1, 2])).tolist() == [1, 2]
