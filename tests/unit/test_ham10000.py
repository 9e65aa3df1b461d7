"""HAM10000: labels, lesions, and files that are refused."""

import zipfile

import pandas as pd
import pytest
from vision_files import write_ham10000

from fairmt.config import read_benchmark
from fairmt.data.datasets import ham10000
from fairmt.data.load import load_training
from fairmt.data.prepare import prepare
from fairmt.errors import FairMTError


def test_rows_are_lesions_with_an_image(tmp_path):
    table = ham10000.load(write_ham10000(tmp_path), {})
    metadata = pd.read_csv(tmp_path / "HAM10000_metadata.csv").set_index("image_id")
    assert list(table.frame.index) == list(range(200))
    assert sum(table.notes.values()) == len(metadata) + 67
    for (lesion, row), (_, image) in zip(table.frame.iterrows(), table.images, strict=True):
        source = metadata.loc[image.removesuffix(".jpg")]
        assert source["lesion_id"] == f"HAM_{lesion:07d}"
        assert source["dx"] == row["dx"]


def test_unknown_is_missing_and_three_diagnoses_are_malignant(tmp_path):
    frame = ham10000.load(write_ham10000(tmp_path), {}).frame
    assert frame["sex"].isna().any()
    assert frame["localization"].isna().any()
    assert frame["age"].isna().any()
    assert set(frame["dx"][frame["malignant"] == 1]) == {"mel", "bcc", "akiec"}
    assert set(frame["dx"][frame["malignant"] == 0]) == {"nv", "bkl", "vasc", "df"}


def test_unknown_sex_is_group_minus_one(tmp_path, monkeypatch):
    monkeypatch.setattr("fairmt.data.prepare._verified", lambda path, file: file.sha256[0])
    raw = write_ham10000(tmp_path / "raw")
    meta = prepare("ham10000-sex", read_benchmark("ham10000-sex"), "digest", raw, tmp_path / "out")
    assert meta.groups == {"sex": ("female", "male")}
    assert set(load_training(tmp_path / "out").group) == {-1, 0, 1}


def test_two_images_of_a_lesion_are_refused(tmp_path):
    write_ham10000(tmp_path)
    with zipfile.ZipFile(tmp_path / "images.zip", "a") as archive:
        archive.writestr("ISIC_0090003.jpg", b"")
    with pytest.raises(FairMTError, match="expected one image per lesion, found more of HAM_0000003"):
        ham10000.load(tmp_path, {})


def test_image_without_metadata_and_foreign_metadata_are_refused(tmp_path):
    write_ham10000(tmp_path)
    with zipfile.ZipFile(tmp_path / "images.zip", "a") as archive:
        archive.writestr("ISIC_0000001.jpg", b"")
    with pytest.raises(FairMTError, match="expected metadata of all 201 images, found 200"):
        ham10000.load(tmp_path, {})
    for text in ("a,b\n1,2\n", "<html>", "lesion_id,image_id,dx,age,sex,localization\nx,y,nv,1,male,back\n"):
        (tmp_path / "HAM10000_metadata.csv").write_text(text)
        with pytest.raises(FairMTError, match="not in the layout of HAM10000"):
            ham10000.load(tmp_path, {})
