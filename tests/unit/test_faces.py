"""Faces: two collections side by side, on generated files in their layouts."""

import zipfile
from collections import defaultdict

import numpy as np
import pandas as pd
import pytest
from faces_files import write_faces, write_utkface

from fairmt.data.datasets import celeba64, faces
from fairmt.errors import FairMTError

OWN = {"CelebA": ("Smiling", "Young", "hair"), "UTKFace": ("age", "race")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_faces(tmp_path_factory.mktemp("faces"))


@pytest.fixture(scope="module")
def table(folder):
    return faces.load(folder, {})


def test_no_row_has_the_other_collections_labels(table):
    for source, part in table.frame.groupby("source"):
        for owner, columns in OWN.items():
            assert part[list(columns)].notna().any(axis=None) == (owner == source)
    assert table.frame["gender"].isin(["Female", "Male"]).all()


def test_ids_are_unique_and_those_of_celeba_are_its_own(folder, table):
    assert table.frame.index.is_unique
    celeba = celeba64.load(folder, {})
    chosen = table.frame["source"] == "CelebA"
    assert table.frame.index[chosen].tolist() == celeba.frame.index.tolist()
    assert table.split[chosen].equals(celeba.split)


def test_utkface_is_read_from_names(folder, table):
    chosen = (table.frame["source"] == "UTKFace").to_numpy()
    for (_, row), keep, (path, name) in zip(table.frame.iterrows(), chosen, table.images, strict=True):
        if keep:
            age, gender, race, _ = name.split("_")
            assert path.name == "utkface64.zip"
            assert row["age"] == float(age)
            assert row["gender"] == ("Male", "Female")[int(gender)]
            assert row["race"] == ("White", "Black", "Asian", "Indian", "Other")[int(race)]


def test_faces_of_one_time_stamp_share_a_split(table):
    splits = defaultdict(set)
    for (_, name), split in zip(table.images, table.split, strict=True):
        splits[name.split("_")[-1]].add(split)
    assert all(len(found) == 1 for found in splits.values())
    assert len(splits) < len(table.images)


def test_utkfaces_split_has_the_named_shares_and_depends_on_no_other_row(tmp_path):
    many = faces.load(write_utkface(tmp_path / "many", 4000), {"source": "UTKFace"})
    shares = many.split.value_counts(normalize=True)
    assert shares["train"] == pytest.approx(0.7, abs=0.03)
    assert shares["validation"] == pytest.approx(0.1, abs=0.02)
    few = faces.load(write_utkface(tmp_path / "few", 500), {"source": "UTKFace"})
    assert few.split.equals(many.split.loc[few.split.index])


def test_hair_colour_is_the_only_one_that_is_named():
    black, blond, brown, gray = np.array(
        [[1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, 0], [0, 0, 1, 0, 1, 0], [0, 0, 0, 1, 0, 0]]
    )
    attributes = pd.DataFrame(
        {"Black_Hair": black, "Blond_Hair": blond, "Brown_Hair": brown, "Gray_Hair": gray}
    )
    found = faces.hair_colour(attributes)
    assert found[:4].tolist() == ["black", "blond", "brown", "gray"]
    assert found[4:].isna().all()


def test_one_collection_only(folder, table):
    for source in ("CelebA", "UTKFace"):
        part = faces.load(folder, {"source": source})
        assert part.frame.index.tolist() == table.frame.index[table.frame["source"] == source].tolist()
    with pytest.raises(FairMTError, match="source: expected CelebA or UTKFace, found 'LFW'"):
        faces.load(folder, {"source": "LFW"})
    with pytest.raises(FairMTError, match="unknown key 'colour'"):
        faces.load(folder, {"colour": "hair"})


@pytest.mark.parametrize(
    "name", ["25_1_0_.jpg", "25_2_0_20170109.jpg", "25_1_5_20170109.jpg", "25_1_0_1.png"]
)
def test_other_names_are_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "utkface64.zip", "w") as archive:
        archive.writestr(name, b"")
    with pytest.raises(FairMTError, match=rf"utkface64\.zip: expected names like .* found '{name}'"):
        faces.load(tmp_path, {"source": "UTKFace"})


def test_a_missing_archive_is_to_be_fetched(tmp_path):
    for source, archive in (("UTKFace", "utkface64"), ("CelebA", "images")):
        with pytest.raises(FairMTError, match=rf"{archive}\.zip: no such file; run `fairmt fetch faces`"):
            faces.load(tmp_path, {"source": source})
