"""HAM10000, whole and at 64 x 64: labels, lesions, and files that are refused."""

import zipfile

import pandas as pd
import pytest
from vision_files import write_ham10000, write_ham10000_64

from fairmt.config import read_benchmark
from fairmt.data.datasets import ham10000, ham10000_64
from fairmt.data.load import load_training
from fairmt.data.prepare import prepare
from fairmt.errors import FairMTError

FORMS = {"ham10000": (ham10000, write_ham10000), "ham10000_64": (ham10000_64, write_ham10000_64)}


@pytest.fixture(params=FORMS)
def form(request, tmp_path):
    """The module, and a folder with files in its layout."""
    module, write = FORMS[request.param]
    return module, write(tmp_path / "raw")


def test_rows_are_lesions_each_with_its_first_image(form):
    module, raw = form
    table = module.load(raw, {})
    metadata = pd.read_csv(raw / "HAM10000_metadata.csv").set_index("image_id")
    assert list(table.frame.index) == list(range(200))
    assert table.notes["rows read"] == len(metadata)
    assert sum(table.notes.values()) == len(metadata) + 67
    for (lesion, row), (archive, image) in zip(table.frame.iterrows(), table.images, strict=True):
        source = metadata.loc[image.removesuffix(".jpg")]
        assert source["lesion_id"] == f"HAM_{lesion:07d}"
        assert source["dx"] == row["dx"]
        assert image == f"ISIC_{24306 + lesion:07d}.jpg"
        assert image in zipfile.ZipFile(archive).namelist()


def test_unknown_is_missing_and_three_diagnoses_are_malignant(form):
    module, raw = form
    frame = module.load(raw, {}).frame
    assert frame["sex"].isna().any()
    assert frame["localization"].isna().any()
    assert frame["age"].isna().any()
    assert set(frame["dx"][frame["malignant"] == 1]) == {"mel", "bcc", "akiec"}
    assert set(frame["dx"][frame["malignant"] == 0]) == {"nv", "bkl", "vasc", "df"}


def test_unknown_sex_is_group_minus_one(form, tmp_path, generated):
    module, raw = form
    benchmark = f"{module.DATASET.name}-sex"
    meta = prepare(benchmark, read_benchmark(benchmark), "digest", raw, tmp_path / "out")
    assert meta.groups == {"sex": ("female", "male")}
    assert set(load_training(tmp_path / "out").group) == {-1, 0, 1}


def test_foreign_metadata_is_refused(form):
    module, raw = form
    for text in ("a,b\n1,2\n", "<html>", "lesion_id,image_id,dx,age,sex,localization\nx,y,nv,1,male,back\n"):
        (raw / "HAM10000_metadata.csv").write_text(text)
        with pytest.raises(FairMTError, match="not in the layout of HAM10000"):
            module.load(raw, {})


def test_an_image_that_neither_archive_has_is_refused(tmp_path):
    write_ham10000(tmp_path)
    with zipfile.ZipFile(tmp_path / "HAM10000_images_part_2.zip", "w"):
        pass
    with pytest.raises(FairMTError, match=r"expected the 267 images of .*, lack 133, for example ISIC_"):
        ham10000.load(tmp_path, {})


def test_images_may_lie_in_folders_of_the_archives(tmp_path):
    write_ham10000(tmp_path)
    part = tmp_path / "HAM10000_images_part_1.zip"
    with zipfile.ZipFile(part) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(part, "w") as archive:
        for name, image in content.items():
            archive.writestr(f"HAM10000_images_part_1/{name}", image)
        archive.writestr("__MACOSX/README", b"")
    images = ham10000.load(tmp_path, {}).images
    assert {name.count("/") for path, name in images if path == part} == {1}


def test_two_images_of_a_lesion_at_64_are_refused(tmp_path):
    write_ham10000_64(tmp_path)
    with zipfile.ZipFile(tmp_path / "images.zip", "a") as archive:
        archive.writestr("ISIC_0090003.jpg", b"")
    with pytest.raises(FairMTError, match="expected one image per lesion, found more of HAM_0000003"):
        ham10000_64.load(tmp_path, {})


def test_an_image_at_64_without_metadata_is_refused(tmp_path):
    write_ham10000_64(tmp_path)
    with zipfile.ZipFile(tmp_path / "images.zip", "a") as archive:
        archive.writestr("ISIC_0000001.jpg", b"")
    with pytest.raises(FairMTError, match="expected metadata of all 201 images, found 200"):
        ham10000_64.load(tmp_path, {})
