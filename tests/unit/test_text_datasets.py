"""ELLIPSE, HateXplain, Jigsaw's templates and comments: what the loaders make of files, and refuse."""

import io
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from raw_tables import shuffled
from text_files import (
    comments,
    essays,
    locked,
    posts,
    templates,
    write_ellipse,
    write_hatexplain,
    write_jigsaw,
    write_templates,
)

from fairmt.config import read_benchmark
from fairmt.data.arrays import read_arrays
from fairmt.data.dataset import load_dataset
from fairmt.data.datasets import ellipse, hatexplain, jigsaw, jigsaw_templates
from fairmt.data.prepare import prepare
from fairmt.errors import FairMTError

# Writer, file, and the content of a file that is well-formed.
FILES = {
    "ellipse": (write_ellipse, ellipse.ARCHIVE, essays),
    "hatexplain": (write_hatexplain, hatexplain.POSTS, posts),
    "jigsaw": (write_jigsaw, jigsaw.COMMENTS, comments),
    "jigsaw_templates": (write_templates, jigsaw_templates.TEMPLATES, templates),
}
BENCHMARKS = ("ellipse", "hatexplain", "jigsaw", "templates")


def loaded(name, folder):
    return load_dataset(name).load(FILES[name][0](folder), {})


def rewritten(name, folder, content):
    """The dataset's files with another table in one of them."""
    FILES[name][0](folder)
    if name == "ellipse":
        write_ellipse(folder, content)
    else:
        (folder / FILES[name][1]).write_bytes(content)
    return folder


def rows_of(name):
    return pd.read_csv(io.BytesIO(FILES[name][2]()), keep_default_na=False, dtype=str)


def test_ellipse_scores_and_flags(tmp_path):
    frame, raw = loaded("ellipse", tmp_path).frame, rows_of("ellipse")
    for score in ellipse.SCORES:
        np.testing.assert_array_equal(frame[score], raw[score].astype(float))
        np.testing.assert_array_equal(frame[f"{score}_high"], (raw[score].astype(float) >= 4).astype(int))
    assert set(frame["prompt"]) == {*ellipse.PROMPTS, "Other"}
    assert frame["SES"].isna().sum() == 1
    assert frame["full_text"].tolist() == raw["full_text"].tolist()
    assert not {"text_id_kaggle", "grade"} & set(frame.columns)


def test_ellipse_ids_depend_on_no_other_row(tmp_path):
    raw = rows_of("ellipse")
    everybody = loaded("ellipse", tmp_path).frame
    fewer = ellipse.load(write_ellipse(tmp_path, raw[10:].to_csv(index=False).encode()), {}).frame
    assert everybody.index.is_unique
    assert (everybody.index >= 0).all()
    assert fewer.index.tolist() == everybody.index[10:].tolist()


def test_ellipse_writes_no_essay_to_disk(tmp_path, generated):
    table = loaded("ellipse", tmp_path / "raw")
    prepare("ellipse", read_benchmark("ellipse"), "digest", tmp_path / "raw", tmp_path / "out")
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert not any(essay.encode() in written for essay in table.frame["full_text"])


def test_ellipse_wrong_password(tmp_path):
    # One password in 256 passes the format's check byte; this one does not.
    write_ellipse(tmp_path, password=b"another")
    with pytest.raises(FairMTError, match=rf"{ellipse.ESSAYS}: cannot be decrypted: Bad password"):
        ellipse.load(tmp_path, {})


@pytest.mark.parametrize("name", ["../essays.csv", "/etc/essays.csv", "C:essays.csv", "..\\essays.csv"])
def test_ellipse_names_that_lead_outside(name, tmp_path):
    write_ellipse(tmp_path, name=name)
    with pytest.raises(FairMTError, match="expected names within the archive"):
        ellipse.load(tmp_path, {})


def test_ellipse_bomb(tmp_path):
    archive = locked(ellipse.ESSAYS, bytes(10_000_000), ellipse.PASSWORD)
    (tmp_path / ellipse.ARCHIVE).write_bytes(archive)
    with pytest.raises(FairMTError, match="unpack to 10000000, more than 200 times as many"):
        ellipse.load(tmp_path, {})


def test_ellipse_truncated_archive(tmp_path):
    path = write_ellipse(tmp_path) / ellipse.ARCHIVE
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(FairMTError, match="not a readable ZIP archive"):
        ellipse.load(tmp_path, {})


def test_ellipse_damaged_content(tmp_path):
    path = write_ellipse(tmp_path) / ellipse.ARCHIVE
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(FairMTError, match=rf"{ellipse.ESSAYS}: broken"):
        ellipse.load(tmp_path, {})


def test_ellipse_other_content_of_an_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / ellipse.ARCHIVE, "w") as archive:
        archive.writestr("README.txt", "no essays")
    with pytest.raises(FairMTError, match=rf"{ellipse.ESSAYS}: no such file"):
        ellipse.load(tmp_path, {})


@pytest.mark.parametrize("score", ["3.25", "0.5", "6", "-1"])
def test_ellipse_score_off_the_scale(score, tmp_path):
    raw = rows_of("ellipse")
    raw.loc[3, "Syntax"] = score
    with pytest.raises(
        FairMTError, match=rf"Syntax: expected 1 to 5 in steps of a half, found {float(score)}"
    ):
        ellipse.load(write_ellipse(tmp_path, raw.to_csv(index=False).encode()), {})


def test_hatexplain_rare_targets_are_missing_labels(tmp_path):
    table, raw = loaded("hatexplain", tmp_path), rows_of("hatexplain")
    for column, rare in hatexplain.RARE.items():
        gone = raw[column].isin(rare).to_numpy()
        np.testing.assert_array_equal(table.frame[column].isna(), gone)
        assert (table.frame[column][~gone] == raw[column][~gone].to_numpy()).all()
        assert table.notes[f"posts without label of {column}: the target is too rare"] == gone.sum()
    assert len(table.frame) == table.notes["rows read"] == len(raw)
    assert ((table.frame["toxic"] == "nontoxic") == (table.frame["label"] == "normal")).all()


def test_hatexplain_line_endings_do_not_matter(tmp_path):
    one = loaded("hatexplain", tmp_path).frame
    other = hatexplain.load(rewritten("hatexplain", tmp_path, posts().replace(b"\r\n", b"\n")), {}).frame
    pd.testing.assert_frame_equal(one, other)


def test_templates_are_the_test_set_and_only_that(tmp_path):
    table = loaded("jigsaw_templates", tmp_path)
    test = table.split == "test"
    assert table.frame["comment"][test].tolist() == rows_of("jigsaw_templates")["phrase"].tolist()
    assert table.frame["comment"][~test].tolist() == rows_of("hatexplain")["comment"].tolist()
    assert (table.frame.index[test] >= jigsaw_templates.FIRST_TEMPLATE_ID).all()


def test_templates_term_is_found_in_every_sentence(tmp_path):
    table = loaded("jigsaw_templates", tmp_path)
    frame = table.frame[table.split == "test"].set_index("comment")
    for sentence, column, group in (
        ("Léa is a vile muslim", "Religion", "Islam"),
        ("Being middle eastern is fine", "Race", "Arab"),
        ("You are a fine african american", "Race", "African"),
        ("kill lesbian", "Sexual_Orientation", "Homosexual"),
        ("I am female", "Gender", "Women"),
        ("hug male", "Gender", "Men"),
        ("Being deaf is vile", "Religion", "Nonreligious"),
        ("You are a vile police officer", "Race", "No_race"),
    ):
        assert frame.loc[sentence, column] == group, sentence


def test_templates_toxicity_does_not_depend_on_the_term(tmp_path):
    table = loaded("jigsaw_templates", tmp_path)
    frame = table.frame[table.split == "test"]
    for column, terms in jigsaw_templates.TERMS.items():
        for group in set(terms.values()):
            assert (frame["toxic"][frame[column] == group] == "toxic").mean() == 0.5


def test_templates_sentence_of_another_form(tmp_path):
    raw = rows_of("jigsaw_templates")
    raw.loc[1, "phrase"] = "To be young is fine"
    with pytest.raises(
        FairMTError, match=f"sentence of template {raw.loc[1, 'template']}, found 'To be young"
    ):
        jigsaw_templates.load(rewritten("jigsaw_templates", tmp_path, raw.to_csv(index=False).encode()), {})


def test_jigsaw_majorities(tmp_path):
    frame, raw = loaded("jigsaw", tmp_path).frame, rows_of("jigsaw")
    for column, share in {"toxic": "toxicity", "threat": "threat", "obscene": "obscene"}.items():
        np.testing.assert_array_equal(frame[column], (raw[share].astype(float) >= 0.5).astype(float))
    np.testing.assert_array_equal(frame["severe_toxicity"], raw["severe_toxicity"].astype(float))


def test_jigsaw_groups_are_of_one_community_or_unknown(tmp_path):
    frame = loaded("jigsaw", tmp_path).frame
    raw = rows_of("jigsaw")[[*jigsaw.SHARES]].apply(pd.to_numeric)
    for attribute, communities in jigsaw.IDENTITIES.items():
        for number, group in enumerate(frame[attribute]):
            mentioned = [name for name in communities if raw[name][number] >= 0.5]
            assert mentioned == [group] if isinstance(group, str) else len(mentioned) != 1
    asked = raw["LGBTQ"].notna()
    assert frame.loc[~asked, [*jigsaw.IDENTITIES, "LGBTQ"]].isna().all(axis=None)
    assert set(frame["LGBTQ"].dropna()) == {"LGBTQ", "other"}


def test_jigsaw_missing_share_is_a_missing_label(tmp_path):
    raw = rows_of("jigsaw")
    raw.loc[4, ["insult", "severe_toxicity"]] = ""
    raw.loc[9, "comment_text"] = " "
    raw = raw.rename(columns={"Unnamed: 0": ""})
    table = jigsaw.load(rewritten("jigsaw", tmp_path, raw.to_csv(index=False).encode()), {})
    assert table.frame.loc[4, ["insult", "severe_toxicity"]].isna().all()
    assert table.frame["insult"].isna().sum() == 1
    assert 9 not in table.frame.index
    assert table.notes == {"rows read": 900, "rows left out: no text": 1}


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("toxicity", "", "toxicity: expected a share from 0 to 1, found nan in 1 rows"),
        ("threat", "1.5", r"threat: expected a share from 0 to 1, found 1\.5"),
        ("split", "dev", "split: expected one of train, val, test, found 'dev'"),
        ("insult", "much", "layout"),
    ],
)
def test_jigsaw_values_of_another_kind(column, value, words, tmp_path):
    raw = rows_of("jigsaw").rename(columns={"Unnamed: 0": ""})
    raw.loc[6, column] = value
    with pytest.raises(FairMTError, match=words):
        jigsaw.load(rewritten("jigsaw", tmp_path, raw.to_csv(index=False).encode()), {})


@pytest.mark.parametrize("name", ["hatexplain", "jigsaw"])
def test_id_of_more_than_64_bits(name, tmp_path):
    raw = rows_of(name).rename(columns={"Unnamed: 0": ""})
    raw.loc[6, ""] = str(10**20)
    with pytest.raises(FairMTError, match="layout"):
        load_dataset(name).load(rewritten(name, tmp_path, raw.to_csv(index=False).encode()), {})


@pytest.mark.parametrize("name", FILES)
def test_missing_file(name, tmp_path):
    with pytest.raises(FairMTError, match=f"fairmt fetch {name}`"):
        load_dataset(name).load(tmp_path, {})


PAGE = b"<!DOCTYPE html>\n<html><body>Too many requests</body></html>\n"


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [PAGE, bytes(range(256)) * 4, b""], ids=["page", "binary", "empty"])
def test_no_table(name, content, tmp_path):
    with pytest.raises(FairMTError, match="layout"):
        load_dataset(name).load(rewritten(name, tmp_path, content), {})


def test_ellipse_page_in_place_of_the_archive(tmp_path):
    (tmp_path / ellipse.ARCHIVE).write_bytes(PAGE)
    with pytest.raises(FairMTError, match="not a readable ZIP archive"):
        ellipse.load(tmp_path, {})


@pytest.mark.parametrize("name", FILES)
def test_two_encodings_in_one_file(name, tmp_path):
    content = FILES[name][2]()
    place = content.rindex(b"\r\n", 0, -2)
    mixed = content[:place].replace(b"o", b"\xf6") + content[place:]
    with pytest.raises(FairMTError, match=r"layout|expected one of"):
        load_dataset(name).load(rewritten(name, tmp_path, mixed), {})


@pytest.mark.parametrize("name", ["ellipse", "hatexplain", "jigsaw"])
def test_duplicated_ids(name, tmp_path):
    raw = rows_of(name).rename(columns={"Unnamed: 0": ""})
    doubled = pd.concat([raw, raw.iloc[[20]]]).to_csv(index=False).encode()
    with pytest.raises(
        FairMTError, match=r"(id|text_id_kaggle): expected each once, found '?20+2?0?'? twice"
    ):
        load_dataset(name).load(rewritten(name, tmp_path, doubled), {})


@pytest.mark.parametrize("name", ["hatexplain", "jigsaw_templates"])
def test_value_that_is_not_known(name, tmp_path):
    content = FILES[name][2]().replace(b",normal,", b",harmless,").replace(b",toxic,", b",harmless,")
    with pytest.raises(FairMTError, match=r"expected one of .*found 'harmless'"):
        load_dataset(name).load(rewritten(name, tmp_path, content), {})


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_inputs_depend_on_nothing_but_the_text(benchmark, tmp_path, monkeypatch, generated):
    config = read_benchmark(benchmark)
    dataset = load_dataset(config["dataset"])
    raw = FILES[dataset.name][0](tmp_path / "raw")
    prepare(benchmark, config, "digest", raw, tmp_path / "one")
    column = config["features"]["text"]["column"]
    other = replace(dataset, load=lambda raw, options: shuffled(dataset.load(raw, options), {column}))
    monkeypatch.setattr("fairmt.data.prepare.load_dataset", lambda name: other)
    prepare(benchmark, config, "digest", raw, tmp_path / "two")
    one, two = (read_arrays(tmp_path / part / "inputs.safetensors") for part in ("one", "two"))
    assert one["x"].tobytes() == two["x"].tobytes()
    assert one["split"].tobytes() == two["split"].tobytes()
    assert one["group"].tobytes() != two["group"].tobytes()


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_a_second_prepare_writes_the_same_bytes(benchmark, tmp_path, generated):
    config = read_benchmark(benchmark)
    raw = FILES[config["dataset"]][0](tmp_path / "raw")
    for part in ("one", "two"):
        prepare(benchmark, config, "digest", raw, tmp_path / part)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes(), file.name


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_label_or_attribute_as_text_is_refused(benchmark, tmp_path, generated):
    config = read_benchmark(benchmark)
    dataset = load_dataset(config["dataset"])
    raw = FILES[dataset.name][0](tmp_path / "raw")
    sensitive = {spec["column"] for spec in config["sensitive"]["attributes"].values()}
    for column in {*dataset.never_features, *sensitive}:
        features = {"text": {"column": column, "components": 8}}
        with pytest.raises(FairMTError, match=f"features: {column!r}"):
            prepare(benchmark, config | {"features": features}, "digest", raw, tmp_path / "out")
