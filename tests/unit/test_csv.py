"""Tables of users: what is read, and what is refused with its line."""

import numpy as np
import pytest

from fairmt.data.datasets.csv import load, read_csv
from fairmt.errors import FairMTError
from fairmt.files import sha256_of

GOOD = "id,sex,age,note\n7,f,30,a\n8,m,,b\n"


def write(folder, content):
    path = folder / "people.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def loaded(path, **options):
    return load(path.parent, {"file": path.name, "sha256": sha256_of(path), **options})


def test_numbers_text_and_missing_values(tmp_path):
    frame = read_csv(write(tmp_path, GOOD))
    assert list(frame.columns) == ["id", "sex", "age", "note"]
    assert frame["age"].dtype == "float64"
    np.testing.assert_array_equal(frame["age"], [30, np.nan])
    assert frame["sex"].tolist() == ["f", "m"]


@pytest.mark.parametrize("word", ["inf", "nan", "1_000", "0x10", "NA"])
def test_words_are_no_numbers(tmp_path, word):
    frame = read_csv(write(tmp_path, f"a,b\n1,1\n{word},2\n"))
    assert frame["a"].tolist() == ["1", word]
    assert read_csv(tmp_path / "people.csv", missing=[word])["a"].isna().tolist() == [False, True]


def test_other_delimiters_quotes_line_ends_and_a_byte_order_mark(tmp_path):
    text = '\ufeffsex;job\r\nf;"cook; waiter"\r\n\r\nm;"two\nlines"\r\n'
    frame = read_csv(write(tmp_path, text), delimiter=";")
    assert frame["sex"].tolist() == ["f", "m"]
    assert frame["job"].tolist() == ["cook; waiter", "two\nlines"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<!DOCTYPE html>\n<html><body>Not found</body></html>", "expected a table, found an HTML page"),
        ("\n  <HTML>\n", "an HTML page"),
        (
            "a,b\ncafé,1\n".encode() + "café,2\n".encode("latin-1"),
            "line 3: expected UTF-8, found the byte 0xe9",
        ),
        (GOOD.encode("utf-16"), "line 1: expected UTF-8, found the byte 0xff"),
        ("a,b\n1,\0\n", "found zero bytes"),
        ("a,b\n1,2\n3", "line 3: expected 2 values, found 1; is the file cut short"),
        ("a,b\n1,2,3\n", "line 2: expected 2 values, found 3"),
        ('a,b\n1,"never closed\n', "not valid CSV: unexpected end of data; is the file cut short"),
        ('a,b\n1,"' + "x\n" * 70_000, r"field larger than field limit \(131072\); does a quote not end"),
        ("a,b\n", "expected rows below the header"),
        ("", "line 1: expected names of columns"),
        ("a;b\n1;2\n", "line 1: expected names of columns separated by ',', found 2 lines with 1 columns"),
        ("a,a\n1,2\n", "expected different names of columns, found 'a' twice"),
        ("a,\n1,2\n", "expected a name for each column"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, content, message):
    with pytest.raises(FairMTError, match=f"people.csv: .*{message}"):
        read_csv(write(tmp_path, content))


def test_ids_are_numbers_or_hashes_of_text(tmp_path):
    path = write(tmp_path, GOOD)
    assert loaded(path).frame.index.tolist() == [0, 1]
    table = loaded(path, id="id")
    assert table.frame.index.tolist() == [7, 8]
    assert "id" not in table.frame.columns
    hashed = loaded(path, id="note").frame.index
    swapped = write(tmp_path, "id,sex,age,note\n8,m,,b\n7,f,30,a\n")
    assert loaded(swapped, id="note").frame.index.tolist() == hashed.tolist()[::-1]
    assert (hashed >= 0).all()


def test_ids_are_exact(tmp_path):
    big = 9_007_199_254_740_993  # which no float is
    numbers = [big, big - 1, -3, 2**63 - 1]
    path = write(tmp_path, "\n".join(["id,sex", *(f"{number},f" for number in numbers)]))
    assert loaded(path, id="id").frame.index.tolist() == numbers
    other = loaded(write(tmp_path, path.read_text() + f"\n07,f\n7,f\nx,f\n{2**63},f\n"), id="id").frame.index
    assert other[: len(numbers)].tolist() == numbers, "a row moves no other"
    assert other.is_unique
    assert (other[len(numbers) :] >= 0).all()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("7,f\n7,m\n", r"id: expected each once, found '7' 2 times \(rows 1, 2 below the header\)"),
        ("x,f\nx,m\n", "id: expected each once, found 'x' 2 times"),
        ("x,f\n,m\n", r"id: expected one in every row, found 1 without \(rows 2 below the header\)"),
    ],
)
def test_ids_that_are_none(tmp_path, rows, message):
    with pytest.raises(FairMTError, match=message):
        loaded(write(tmp_path, f"id,sex\n{rows}"), id="id")


def test_another_content_is_refused(tmp_path):
    path = write(tmp_path, GOOD)
    pinned = sha256_of(path)
    write(tmp_path, GOOD + "9,f,3,c\n")
    with pytest.raises(FairMTError, match=f"people.csv: SHA-256: expected {pinned}, found"):
        load(tmp_path, {"file": "people.csv", "sha256": pinned})
    with pytest.raises(FairMTError, match="fairmt prepare --csv"):
        load(tmp_path, {"file": "gone.csv", "sha256": pinned})
    with pytest.raises(FairMTError, match="required key 'sha256' is missing"):
        load(tmp_path, {"file": "people.csv"})
