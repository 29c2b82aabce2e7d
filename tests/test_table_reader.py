"""Files of delimited text as they come: layouts, gaps, guesses that are said, and refusals."""

import bz2
import gzip
import io
import lzma
import os
import pickle
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import cygrad as cg
from cygrad.tables import Table, delimited, read, sources
from cygrad.tables.progress import Progress


@pytest.fixture
def write(tmp_path):
    def write(text, name="data.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def guesses(table):
    return [note.removeprefix("guessed: ") for note in table.notes if "guessed: " in note]


def has_note(table, *parts):
    return any(all(part in note for part in parts) for note in table.notes)


# --- files in the formats of well-known data sets ------------------------------------------------

ADULT = """\
39, State-gov, 77516, Bachelors, 13, Male, 40, <=50K
50, Self-emp, 83311, Bachelors, 13, Male, 13, <=50K
38, Private, 215646, HS-grad, 9, Male, 40, <=50K
54, ?, 148657, 10th, 6, Female, 40, >50K
28, Private, 338409, Bachelors, 13, Female, 40, >50K

"""
AUTO_MPG = """\
18.0   8   307.0      130.0      3504.      12.0   70  1\t"maker a alpha"
15.0   8   350.0      165.0      3693.      11.5   70  1\t"maker b beta 320"
25.0   4   98.00      ?          2046.      19.0   71  1\t"maker c gamma"
17.0   8   302.0      140.0      3449.      10.5   70  1\t"maker d (sw)"
"""
WINE = """\
"fixed acidity";"volatile acidity";"pH";"quality"
7.4;0.7;3.51;5
7.8;0.88;3.2;5
11.2;0.28;3.16;6
"""
HOUSING = """\
 0.00632  18.00   2.310  0  0.5380  65.20   1  296.0  15.30 396.90   4.98  24.00
 0.02731   0.00   7.070  0  0.4690  78.90   2  242.0  17.80 396.90   9.14  21.60
 0.02729   0.00   7.070  0  0.4690  61.10   2  242.0  17.80 392.83   4.03  34.70
"""
GERMAN = """\
A11 6 A34 A43 1169 A65 A75 4 67 A192 1
A12 48 A32 A43 5951 A61 A73 2 22 A191 2
A14 12 A34 A46 2096 A61 A74 2 49 A191 1
A11 42 A32 A42 7882 A61 A74 2 45 A191 1
"""
CAR = """\
vhigh,vhigh,2,2,small,low,unacc
vhigh,vhigh,2,2,small,med,unacc
vhigh,high,2,more,med,high,unacc
low,low,5more,more,big,high,vgood
"""
RECURRENCE = """\
'40-49','premeno','15-19','0-2','yes',3,'right'
'50-59','ge40','15-19','0-2','no',1,'right'
'50-59','ge40','35-39','0-2',nan,2,'left'
'40-49','premeno','35-39','0-2','yes',3,'right'
"""
AIR = """\
Date;Time;CO(GT);T;RH;;
10/03/2004;18.00.00;2,6;13,6;48,9;;
10/03/2004;19.00.00;2;13,3;47,7;;
10/03/2004;20.00.00;-200;11,9;54,0;;
;;;;;;
;;;;;;
"""
TITANIC = '''\
PassengerId,Survived,Name,Age,Cabin
1,0,"Doe, Mr. John ""Jack""",22,
2,1,"Roe, Mrs. Jane
(Ann)",38,C85
3,1,"Poe, Miss. Eve",,
'''
ECOLI = """\
AAT_ECOLI   0.49  0.29  0.48  0.50  cp
ACEA_ECOLI  0.07  0.40  0.48  0.50  cp
ACEK_ECOLI  0.56  0.40  0.48  0.50  im
"""
COVTYPE = "2596,51,3,258,0,0,221,5\n2590,56,2,212,-6,0,220,5\n2804,139,9,268,65,0,234,2\n"


def test_adult(write):
    table = read(write(ADULT))
    assert len(table) == 5
    assert table["column_2"].tolist() == ["State-gov", "Self-emp", "Private", None, "Private"]
    assert_array_equal(table["column_1"], [39, 50, 38, 54, 28])
    assert table.kinds["column_4"] == "text"
    assert table["column_8"].tolist()[-1] == ">50K"
    assert table.gaps["column_2"] == 1
    assert guesses(table)[:2] == ["separator ',' (separator=)", "no header (header=)"]
    assert has_note(table, "gaps '?', 1 in all")


def test_adult_test_begins_with_a_bar_and_ends_in_full_stops(write):
    rows = ADULT.replace("K\n", "K.\n")
    table = read(write("|1x3 Cross validator\n" + rows))
    assert len(table) == 5
    assert table.column("column_8").words == ("<=50K.", ">50K.")
    assert has_note(table, "1 comment line", "'|'", "comments=")
    assert table.locate(0) == f"{table.source}, line 2"


def test_auto_mpg(write):
    table = read(write(AUTO_MPG, "auto-mpg.data"))
    assert len(table.names) == 9
    assert_array_equal(table["column_4"], [130, 165, np.nan, 140])
    assert table["column_9"].tolist()[1] == "maker b beta 320"
    assert has_note(table, "separator white space")


def test_iris(write):
    table = read(write("5.1,3.5,1.4,0.2,Iris-setosa\n7.0,3.2,4.7,1.4,Iris-versicolor\n\n"))
    assert_array_equal(table.numbers(), [[5.1, 3.5, 1.4, 0.2], [7.0, 3.2, 4.7, 1.4]])
    assert table.column("column_5").words == ("Iris-setosa", "Iris-versicolor")


def test_wine_quality(write):
    table = read(write(WINE))
    assert table.names == ("fixed acidity", "volatile acidity", "pH", "quality")
    assert_array_equal(table["pH"], [3.51, 3.2, 3.16])
    assert guesses(table) == ["separator ';' (separator=)", "header (header=)"]


def test_housing(write):
    table = read(write(HOUSING))
    assert table.numbers().shape == (3, 12)
    assert_array_equal(table["column_12"], [24, 21.6, 34.7])


def test_german_credit(write):
    table = read(write(GERMAN))
    assert table["column_1"].tolist() == ["A11", "A12", "A14", "A11"]
    assert_array_equal(table["column_5"], [1169, 5951, 2096, 7882])


def test_all_columns_of_words(write):
    table = read(write(CAR))
    assert len(table) == 4
    assert has_note(table, "guessed: no header")
    assert table["column_3"].tolist() == ["2", "2", "2", "5more"]
    assert has_note(table, "column_3", "'5more' in line 4", "3 of 4 are")


def test_more_words_than_are_remembered(write):
    """Words of equal size share places in the memory of those that were read lately."""
    words = [f"w{i:04x}" for i in range(20_000)]
    rows = [*words, *words[::-1], *(word for word in words[::7] for _ in range(2))]
    table = read(write("word,y\n" + "".join(f"{word},1\n" for word in rows)))
    assert table["word"].tolist() == rows


def test_single_quotes(write):
    table = read(write(RECURRENCE))
    assert len(table) == 4
    assert table["column_1"].tolist()[0] == "40-49"
    assert table["column_5"].tolist() == ["yes", "no", None, "yes"]
    assert has_note(table, "quote=")


def test_air_quality(write):
    table = read(write(AIR))
    assert table.names == ("Date", "Time", "CO(GT)", "T", "RH")
    assert_array_equal(table["CO(GT)"], [2.6, 2, -200])
    assert has_note(table, "decimal comma", "decimal=")
    assert has_note(table, "left out: 2 empty rows at the end")
    assert has_note(table, "left out: 2 empty columns at the end")
    gaps = read(write(AIR), gaps=["", "-200"])
    assert_array_equal(gaps["CO(GT)"], [2.6, 2, np.nan])


def test_quotes_hold_separators_lines_and_quotes(write):
    table = read(write(TITANIC))
    names = ['Doe, Mr. John "Jack"', "Roe, Mrs. Jane\n(Ann)", "Poe, Miss. Eve"]
    assert table["Name"].tolist() == names
    assert_array_equal(table["Age"], [22, 38, np.nan])
    assert table["Cabin"].tolist() == [None, "C85", None]
    assert table.locate(2, "Age") == f"{table.source}, line 5, column 4 (Age)"


def test_words_and_numbers_between_runs_of_blanks(write):
    table = read(write(ECOLI))
    assert table.kinds["column_1"] == "text"
    assert_array_equal(table["column_2"], [0.49, 0.07, 0.56])


def test_whole_numbers_without_header(write):
    table = read(write(COVTYPE))
    assert table.numbers().shape == (3, 8)
    assert has_note(table, "guessed: no header")


# --- separators, headers, comments, line ends ----------------------------------------------------


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " "])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False], ids=["end", "no-end"])
def test_separators_and_ends_of_lines(write, separator, end, last):
    rows = ['a,"b c",y', '1.5,"u, v",2', "", "3,w,4", "?,NA,1e2"]
    text = end.join(row.replace(",", separator) for row in rows) + (end if last else "")
    path = write("\ufeff" + text)
    table = read(path)
    assert table.names == ("a", "b c", "y")
    assert_array_equal(table["a"], [1.5, 3, np.nan])
    assert table["b c"].tolist() == [f"u{separator} v", "w", None]
    assert_array_equal(table["y"], [2, 4, 100])
    assert table.locate(1).endswith("line 4")
    given = read(path, separator=separator, header=True)
    assert_array_equal(given["y"], table["y"])
    assert not has_note(given, "separator=")
    assert not has_note(given, "header=")


def test_blanks_around_fields(write):
    table = read(write('a , b\n 1 ,  x y  \n\t2\t, "  z" \n'))
    assert table.names == ("a", "b")
    assert_array_equal(table["a"], [1, 2])
    assert table["b"].tolist() == ["x y", "  z"]


def test_one_column(write):
    table = read(write("x\n1\n2.5\n\n?\n"))
    assert_array_equal(table["x"], [1, 2.5, np.nan])
    assert has_note(table, "one column")
    words = read(write("new york\nrome\nnew york\nlos angeles county\n"))
    assert words["column_1"].tolist() == ["new york", "rome", "new york", "los angeles county"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a,b\n1,2\n3,4\n", ("a", "b")),
        ("1,2\n3,4\n", None),
        ("0,1,2,3,species\n5,6,7,8,x\n5,6,7,9,y\n", ("0", "1", "2", "3", "species")),
        ("0,1,2,3,4\n0.5,6,7,8,1\n5,6,7,9,0\n", ("0", "1", "2", "3", "4")),
        ("country,2019,2020,2021\nA,5,6,9\nB,7,1,2\n", ("country", "2019", "2020", "2021")),
        ("1,2,3\n4,5,6\n7,8,9\n", None),
        ("name,city\nx,u\ny,v\n", ("name", "city")),
        ("x,u\ny,v\nx,w\n", None),
        ("kind,size\nx,?\nx,2\n", ("kind", "size")),
        ("NA,2,3\n1,2,3\n", None),
        (",a\n1,2\n2,4\n", ("column_1", "a")),
        ("a\tb\n1\t2\n", ("a", "b")),
    ],
)
def test_header_is_guessed(write, text, names):
    table = read(write(text))
    expected = names or tuple(f"column_{i}" for i in range(1, len(table.names) + 1))
    assert table.names == expected
    assert len(table) == len(text.splitlines()) - (names is not None)
    assert has_note(table, "guessed: header" if names else "guessed: no header", "header=")


def test_header_that_may_be_a_row_is_refused(write):
    path = write("x,2,3\n1,2,3\n4,5,6\n")
    with pytest.raises(ValueError, match=r"data.csv, line 1: the first row may be a header.*'x'"):
        read(path)
    assert read(path, header=True).names == ("x", "2", "3")
    assert read(path, header=False)["column_1"].tolist() == ["x", "1", "4"]


def test_names_are_given(write):
    path = write("1,2\n3,4\n")
    assert read(path, names=["u", "v"]).names == ("u", "v")
    with pytest.raises(ValueError, match="names has 3 names, expected 2"):
        read(path, names=["u", "v", "w"])
    with pytest.raises(ValueError, match="names has 'u' twice"):
        read(path, names=["u", "u"])


def test_names_that_are_the_same_are_numbered_with_a_note(write):
    table = read(write("x,x,x.2,,x\n1,2,3,4,5\n"))
    assert table.names == ("x", "x.3", "x.2", "column_4", "x.4")
    assert has_note(table, "column 2 is a second 'x': named 'x.3'")
    assert has_note(table, "column 4 is without name")


def test_comments(write):
    text = "# measured\n\n% in mm\na,b\n1,2\n# more\n3,4\n"
    table = read(write(text))
    assert table.names == ("a", "b")
    assert_array_equal(table["a"], [1, 3])
    assert has_note(table, "2 comment lines", "'#' or '%'")
    assert table.locate(1).endswith("line 7")
    with pytest.raises(ValueError, match=r"line 4, column 2: the row has 2 fields, expected 1"):
        read(write(text), comments="")
    other = read(write("!x\na,b\n1,2\n"), comments="!")
    assert other.names == ("a", "b")
    assert not has_note(other, "comments=")
    # A bar, or a number sign, that begins a row of data is none.
    assert len(read(write("|1|2|\n|3|4|\n"), header=False)) == 2
    assert read(write("a,b\n#1,2\n#2,3\n"))["a"].tolist() == ["#1", "#2"]


def test_names_in_a_comment(write):
    table = read(write("# made by a program\n# a b c\n1 2 3\n4 5 6\n"))
    assert table.names == ("a", "b", "c")
    assert has_note(table, "header in the last comment line")
    assert read(write("# a b c\n1 2 3\n"), header=False).names[0] == "column_1"


def test_first_line_of_a_spreadsheet_gives_the_separator(write):
    table = read(write("sep=;\na;b\n1,25;2\n-0,5;3\n"))
    assert_array_equal(table["a"], [1.25, -0.5])
    assert has_note(table, "separator ';', from the first line")


def test_decimal_comma(write):
    assert_array_equal(read(write("1,5;2\n0,25;3\n")).numbers(), [[1.5, 2], [0.25, 3]])
    assert_array_equal(read(write("1,5 2\n0,25 3\n")).numbers(), [[1.5, 2], [0.25, 3]])
    assert_array_equal(read(write("1,500;2\n"), decimal=",").numbers(), [[1.5, 2]])
    with pytest.raises(ValueError, match="'1,500' may have a decimal comma or a comma between"):
        read(write("1,500;2\n2,125;3\n"))
    with pytest.raises(ValueError, match="decimal and separator are both ','"):
        read(write("1,2\n"), decimal=",", separator=",")


# --- gaps, kinds, numbers that are none ----------------------------------------------------------


def test_gaps(write):
    words = ["", "?", "NA", "N/A", "NaN", "nan", "null", "None", "-", '""', ' "NA" ']
    table = read(write("a,b\n" + "".join(f"{word},{word}\n" for word in words) + "1,x\n"))
    assert table.gaps == {"a": len(words), "b": len(words)}
    assert table.kinds == {"a": "number", "b": "text"}
    for word in cg.tables.GAPS:
        assert has_note(table, "guessed: gaps", repr(word))
    kept = read(write("a,b\nNA,\n1,None\n"), gaps=["NA"])
    assert kept["b"].tolist() == ["", "None"]
    assert not has_note(kept, "gaps=")
    with pytest.raises(TypeError, match="gaps is 'NA', expected a sequence"):
        read(write("1,2\n"), gaps="NA")


def test_a_gap_is_a_whole_field(write):
    assert read(write("a\nNA x\n-\n?b\n"))["a"].tolist() == ["NA x", None, "?b"]


def test_kinds(write):
    path = write("id,x\n1,2\n2,3\n")
    assert read(path, kinds={"id": "text"})["id"].tolist() == ["1", "2"]
    assert read(path, kinds={1: "text", -1: "text"}).kinds == {"id": "text", "x": "text"}
    with pytest.raises(ValueError, match=r"data.csv, line 3, column 2 \(x\) is 'three', expected"):
        read(write("id,x\n1,2\n2,three\n"), kinds={"x": "number"})
    for key, message in ((3, "1 to 2, or -2 to -1"), (0, "column 0"), ("y", "'y'.*id, x")):
        with pytest.raises(ValueError, match=message):
            read(path, kinds={key: "text"})
    with pytest.raises(ValueError, match=r"kinds\['x'\] is 'float'"):
        read(path, kinds={"x": "float"})


def test_zeros_before_digits_are_names(write):
    table = read(write("label,x\n01,0.5\n02,007.5\n10,0\n"))
    assert table["label"].tolist() == ["01", "02", "10"]
    assert table.kinds["x"] == "number"
    assert has_note(table, "'label' is text, as '01'")
    assert_array_equal(read(write("l,x\n01,1\n"), kinds={"l": "number"})["l"], [1])
    late = read(write("label,x\n" + "1,2\n" * 500 + "007,1\n"))
    assert late["label"].tolist()[-2:] == ["1", "007"]


def test_text_behind_the_first_rows_is_found(write):
    count = 200_000  # several blocks
    rows = "".join(f"{i},{i * 0.5!r},w{i % 7}\n" for i in range(count))
    table = read(write("a,b,c\n" + rows + "x y,1,w0\n7,2,w1\n"))
    assert table.kinds == {"a": "text", "b": "number", "c": "text"}
    assert table["a"].tolist()[:2] == ["0", "1"]
    assert table["a"].tolist()[-2:] == ["x y", "7"]
    assert_array_equal(table["b"][:count], np.arange(count) * 0.5)
    assert table.column("c").words == tuple(f"w{i}" for i in range(7))
    assert has_note(table, "'a' is text, as 'x y' in line 200002", "is no number")
    assert table.numbers().shape == (count + 2, 1)


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ('"1,234.5"', "'1,234.5', expected a number without separators of thousands"),
        ("1 234", "'1 234', expected a number without separators"),
        ("1'234.5", "expected a number without separators"),
        ("1.234.567", "expected a number without separators"),
        ("\u22125", "expected a number in ASCII digits"),
        ("\u00a05", "expected a number in ASCII digits"),
        ('"1,5"', "expected a number with the decimal mark '.'"),
    ],
)
def test_what_is_meant_as_a_number_is_refused(write, field, message):
    for rows in (f"a,b\n1,{field}\n2,3\n", "a,b\n1,2\n" + "2,3\n" * 300 + f"2,{field}\n"):
        with pytest.raises(ValueError, match=message) as error:
            read(write(rows))
        assert f"line {2 if rows.startswith(f'a,b{chr(10)}1,{field}') else 303}" in str(error.value)
        assert "column 2 (b)" in str(error.value)
        assert read(write(rows), kinds={"b": "text"}).kinds["b"] == "text"


@pytest.mark.parametrize("field", ["10_11", "0x1F", "inf", "1e", "5 km", "15/03/2004", "１"])
def test_what_only_python_takes_for_a_number_is_text(write, field):
    assert read(write(f"a,b\n1,{field}\n2,3\n"))["b"].tolist() == [field, "3"]


def test_infinite_and_rounded_numbers(write):
    with pytest.raises(ValueError, match=r"line 3, column 2 \(b\) is '1e999', expected a number b"):
        read(write("a,b\n1,2\n1,1e999\n"))
    assert read(write("a,b\n1,2\n1,1e999\n"), kinds={2: "text"})["b"].tolist() == ["2", "1e999"]
    table = read(write("id,b\n9007199254740993,2\n5,1\n"))
    assert has_note(table, "column 1 (id)", "rounded", "'9007199254740993' in line 2")
    exact = read(write("id,b\n9007199254740992,18446744073709551616\n"))
    assert not has_note(exact, "(id)")
    many = read(write("id,b\n100000000000000000000,1180591620717411303424\n1,2\n"))
    assert not has_note(many, "rounded")
    assert has_note(read(write("id,b\n100000000000000000001,2\n1,2\n")), "(id)", "rounded")


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,y\n1,2,0\n3,4\n5,6,1,7\n", "line 3, column 3: the row has 2 fields, expected 3"),
        ("1,2\n3,4,5\n", "line 2, column 3: the row has 3 fields, expected 2"),
        ("a b\n1 2\n3 4 5\n", "line 3, column 3: the row has 3 fields, expected 2"),
        ("a,b\n" + "1,2\n" * 70_000 + "1\n", "line 70002, column 2: the row has 1 field,"),
        ('a,b\n"x\n\ny",2\n3\n', "line 5, column 2: the row has 1 field"),
        ('a,b\n1,"x\n2,3\n', r"line 2, column 2 \(b\): the quote \" before 'x\\n2,3\\n' is not"),
        ('a,b\n1,"x"y\n', r"line 2, column 2 \(b\) goes on behind its closing quote: '\"x\"y"),
        ("a,b\n1,x\n2,\0\n", "is not text|a byte is 0"),
        ("", "data.csv is empty"),
        ("\n \n\n", "has no rows"),
        ("# only\n# comments\n", "has no rows"),
        ("a,b\n", "has a header and no rows"),
        (b"a,b\n1,x\n2,\xe9t\xe9\n", r"line 3, column 2 \(b\) is not UTF-8 text: .*latin-1"),
        (b"caf\xe9,b\n1,2\n", "a name in the header is not UTF-8 text"),
        (b"a,b\n1,\xff\xfe\n", "line 2, column 2"),
        ("<!DOCTYPE html>\n<html></html>\n", "is HTML"),
        ("\n<HTML><body>404", "is HTML"),
        ('<?xml version="1.0"?><a/>', "is XML"),
        ('[{"a": 1, "b": 2},\n {"a": 3, "b": 4}]', "is JSON, .* pandas.read_json"),
        ('{"a":1,"b":2}\n{"a":3,"b":4}\n', "is JSON"),
        (b'\xef\xbb\xbf{\n  "columns": ["a"]}', "is JSON"),
        ("[[1, 2], [3, 4]]", "is JSON"),
        (b"%PDF-1.4\n%\xe2\xe3\n1 0 obj\n", "is PDF"),
        (b"PK\x03\x04\x14\0\0\0\0\0", "is a damaged .npz file"),
        (b"\xff\xff\xff\xff\x07\0\0\0", "is not text"),
        (b"\x7fELF\x02\0\0\0\0\0", "is not text"),
        (b"\x80\x05\x95\x0b\0\0", "is a pickle"),
    ],
)
def test_refused(write, text, message):
    with pytest.raises(ValueError, match=message) as error:
        read(write(text))
    assert "data.csv" in str(error.value)


@pytest.mark.parametrize(
    ("separator", "kinds", "gap_values"),
    [(b",", b"\x00\x04", []), (b"::", b"\x00", []), (b"\xff", b"\x00", []), (b",", b"\x00", [1.0])],
)
def test_a_layout_that_no_text_has_is_refused(separator, kinds, gap_values):
    with pytest.raises(ValueError, match="the layout is not one of a text"):
        delimited.RowParser(separator, b"", b".", b"", kinds, [], gap_values)


def test_long_fields_are_cut_in_messages(write):
    with pytest.raises(ValueError, match="column 2") as error:
        read(write("a,b\n1,2\n1," + "9" * 5000 + "x\n"), kinds={"b": "number"})
    assert len(str(error.value)) < 300


def test_quotes_as_text(write):
    table = read(write('a,b\n5" pipe,"x\n6,y\n'), quote="")
    assert table["b"].tolist() == ['"x', "y"]
    assert read(write('a,b\n5" pipe,1\n'))["a"].tolist() == ['5" pipe']


class Unsafe:
    def __reduce__(self):
        return os.system, ("exit 1",)


def test_a_pickle_is_never_opened(write, monkeypatch):
    monkeypatch.setattr(pickle, "load", None)
    monkeypatch.setattr(pickle, "loads", None)
    for path in (
        write(pickle.dumps(Unsafe()), "data.csv"),
        write(pickle.dumps(Unsafe(), 0), "data.pkl"),
        write(gzip.compress(pickle.dumps(Unsafe())), "data.pkl.gz"),
    ):
        with pytest.raises(ValueError, match=r"is a pickle, which runs code .* \.npz or Parquet"):
            read(path)


def test_arguments_are_checked(write):
    path = write("1,2\n")
    for arguments, message in (
        ({"separator": ":"}, "separator is ':'"),
        ({"decimal": "x"}, "decimal is 'x'"),
        ({"quote": "`"}, "quote is '`'"),
        ({"comments": "é"}, "comments is 'é'"),
        ({"encoding": "utf-99"}, "encoding is 'utf-99'"),
        ({"max_bytes": 0}, "max_bytes is 0"),
    ):
        with pytest.raises(ValueError, match=message):
            read(path, **arguments)
    with pytest.raises(TypeError, match="header is 'yes'"):
        read(path, header="yes")
    with pytest.raises(FileNotFoundError):
        read(path.parent / "none.csv")


# --- encodings, compression, memory --------------------------------------------------------------

TEXT = "naïve,größe,y\n" + "".join(f"ü{i % 3},{i / 4},é€\n" for i in range(1000))


def check_text(table):
    assert table.names == ("naïve", "größe", "y")
    assert table["naïve"].tolist()[:4] == ["ü0", "ü1", "ü2", "ü0"]
    assert_array_equal(table["größe"], np.arange(1000) / 4)
    assert set(table["y"]) == {"é€"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_encodings(write, encoding, monkeypatch):
    path = write(TEXT.encode(encoding))
    check_text(read(path, encoding=encoding))
    if encoding == "utf-16":
        table = read(path)
        check_text(table)
        assert has_note(table, "guessed: encoding utf-16-le")
    monkeypatch.setattr(delimited, "SAMPLE", 3)
    monkeypatch.setattr(delimited, "BLOCK", 7)
    check_text(read(path, encoding=encoding))
    with pytest.raises(ValueError, match="is not ascii text near byte 3"):
        read(path, encoding="ascii") if encoding == "utf-8" else read(
            write(b"na\xefve,b\n1,2\n"), encoding="ascii"
        )


COMPRESSIONS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
if sys.version_info >= (3, 14):
    from compression import zstd

    COMPRESSIONS["zst"] = zstd.compress


@pytest.mark.parametrize("ending", COMPRESSIONS)
def test_compression(write, ending):
    data = COMPRESSIONS[ending](TEXT.encode())
    check_text(read(write(data, f"data.csv.{ending}")))
    check_text(read(write(data, "data.csv")))
    check_text(read(write(TEXT, f"data.csv.{ending}")))
    with pytest.raises(ValueError, match="is a damaged"):
        read(write(data[: len(data) // 2], f"half.csv.{ending}"))
    with pytest.raises(ValueError, match="is HTML"):
        read(write("<html>", f"page.csv.{ending}"))


def test_an_archive_of_other_files_is_refused(write):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("inner.csv", "a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"is a ZIP archive of 'inner.csv', .*, unpacked"):
        read(write(data.getvalue()))


def test_a_path_is_a_path():
    with pytest.raises(TypeError, match="path is None, expected a path or a binary file"):
        read(None)


def test_several_streams_of_xz(write):
    data = lzma.compress(b"a,b\n1,2\n") + b"\0" * 8 + lzma.compress(b"3,4\n")
    assert_array_equal(read(write(data)).numbers(), [[1, 2], [3, 4]])


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="Python reads zstd")
def test_zstd_needs_a_newer_python(write):
    with pytest.raises(ValueError, match=r"compressed with zstd, which needs Python 3\.14"):
        read(write(b"\x28\xb5\x2f\xfd\x00\x00\x00", "data.csv.zst"))


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz"])
def test_a_small_file_cannot_fill_the_memory(write, ending):
    data = COMPRESSIONS[ending](b"1,2\n" + b"," * (sources.FREE_BYTES + 10_000_000))
    with pytest.raises(ValueError, match=r"columns|expands to more than [0-9,]+ bytes.*max_bytes="):
        read(write(data))
    rows = COMPRESSIONS[ending](b"0,1\n" * 6_000_000)
    with pytest.raises(ValueError, match=r"expands to more than [0-9,]+ bytes"):
        read(write(rows), max_bytes=1000)


def test_memory_is_a_multiple_of_the_text(write):
    resource = pytest.importorskip("resource")
    for text in (
        b"1" + b"," * 1000 + b"\n",
        b"1" * 300,
        b'"' + b"x" * 1000 + b'"',
        b"\n" * 999 + b"1",
    ):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        table = read(write(text), header=False, comments="")
        assert len(table) == 1
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


def test_too_many_columns(write):
    with pytest.raises(ValueError, match="more than 1,000,000 columns"):
        read(write(b"," * 1_000_001 + b"\n"))


def test_long_rows_and_long_first_rows(write):
    wide = ",".join(map(str, range(30_000)))
    table = read(write(f"{wide}\n{wide}\n" * 3), header=False)
    assert table.numbers().shape == (6, 30_000)
    long = "x" * 3_000_000
    assert read(write(f'a,b\n1,2\n3,"{long}"\n4,y\n'))["b"].tolist() == ["2", long, "y"]


@pytest.mark.parametrize("block", [1, 2, 3, 5, 8, 13])
@pytest.mark.parametrize("text", [TITANIC, AIR, AUTO_MPG, ADULT.replace("\n", "\r\n")])
def test_blocks_do_not_matter(write, monkeypatch, block, text):
    path = write(text)
    whole = read(path)
    monkeypatch.setattr(delimited, "BLOCK", block)
    monkeypatch.setattr(delimited, "SAMPLE", block)
    table = read(path)
    assert table.names == whole.names
    assert table.notes == whole.notes
    for name in table:
        assert_array_equal(table[name], whole[name])
        assert table.locate(2, name) == whole.locate(2, name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_pipes_and_devices(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    data = b"a,b\n1,2\n" + b"3,4\n" * 300 + b"x,1\n"
    thread = threading.Thread(target=path.write_bytes, args=(data,))
    thread.start()
    table = read(path)
    thread.join()
    assert table["a"].tolist()[-1] == "x"
    assert len(table) == 302
    if Path("/dev/zero").exists():
        with pytest.raises(ValueError, match="is a device, expected a file"):
            read("/dev/zero")


# --- progress ------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Closed:
    def write(self, text):
        raise ValueError("closed")


def test_progress(write, monkeypatch):
    path = write("a,b\n" + "1,2\n" * 600_000)
    for stream, wanted, expected in (
        (Terminal(), True, "\rreading data.csv"),
        (io.StringIO(), True, "reading data.csv  "),
        (io.StringIO(), None, ""),
        (Terminal(), False, ""),
    ):
        monkeypatch.setattr(sys, "stderr", stream)
        read(path, progress=wanted)
        assert stream.getvalue().startswith(expected)
        assert bool(stream.getvalue()) == bool(expected)
    for broken in (None, Closed()):
        monkeypatch.setattr(sys, "stderr", broken)
        assert len(read(path, progress=True)) == 600_000


def test_progress_on_a_terminal_begins_late(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("cygrad.tables.progress.monotonic", lambda: now[0])
    monkeypatch.setattr(sys, "stderr", Terminal())
    with Progress("x", None) as progress:
        progress.show(0.1)
        assert sys.stderr.getvalue() == ""
        now[0] += 3
        progress.show(0.5)
        assert sys.stderr.getvalue().endswith("50 %")
        progress.show(0.6)
        assert "60" not in sys.stderr.getvalue()
    assert sys.stderr.getvalue().endswith("\r")


# --- round trips ---------------------------------------------------------------------------------

FIELDS = st.one_of(
    st.none(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text("aN?#1.-é€ \t,;|'\"\n\r", max_size=8),
)


def quoted(field, separator):
    if field is None:
        return "NA"
    if isinstance(field, float):
        return repr(field)
    return '"' + field.replace('"', '""') + '"'


@settings(deadline=None, max_examples=150)
@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(st.lists(FIELDS, min_size=width, max_size=width), min_size=1)
    ),
    st.sampled_from([",", ";", "\t", "|", " "]),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(1, 50),
)
def test_round_trip(tmp_path_factory, rows, separator, end, block):
    """Every field comes back: numbers bit for bit, text to the letter, gaps as gaps."""
    path = tmp_path_factory.mktemp("trip") / "data.csv"
    text = "".join(separator.join(quoted(f, separator) for f in row) + end for row in rows)
    path.write_bytes(text.encode())
    kinds = {
        column: "text" if any(isinstance(row[column - 1], str) for row in rows) else "number"
        for column in range(1, len(rows[0]) + 1)
    }
    old = delimited.BLOCK
    delimited.BLOCK = block
    try:
        table = read(
            path,
            separator=separator,
            header=False,
            kinds=kinds,
            gaps=["NA"],
            comments="",
            quote='"',
            decimal=".",
        )
    finally:
        delimited.BLOCK = old
    for column, name in enumerate(table.names):
        values = table[name].tolist()
        for row, value in zip(rows, values, strict=True):
            field = row[column]
            if kinds[column + 1] == "text":
                expected = repr(field) if isinstance(field, float) else field
                assert value == (None if expected == "NA" else expected)
            else:
                assert np.float64(value).tobytes() == np.float64(
                    np.nan if field is None else field
                ).tobytes() or (field is None and np.isnan(value))


@settings(deadline=None, max_examples=400)
@given(st.binary(max_size=200) | st.text(",;\t |\"'\n\r0123456789.-eE#%xNA?", max_size=120))
def test_any_bytes_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "data.csv"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    try:
        table = read(path)
    except (ValueError, ImportError) as error:  # that a library is needed
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert isinstance(table, Table)
        assert len(table) >= 1
        for name in table:
            assert len(table[name]) == len(table)
            table.locate(len(table) - 1, name)
