"""CelebA in both forms: attributes, the official partition, and files that are refused."""

import zipfile
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from vision_files import write_celeba, write_celeba64

from fairmt.config import read_benchmark
from fairmt.data.arrays import read_arrays
from fairmt.data.dataset import load_dataset
from fairmt.data.datasets import celeba, celeba64
from fairmt.data.features.image import decode
from fairmt.data.load import load_training
from fairmt.data.prepare import prepare
from fairmt.errors import FairMTError
from fairmt.methods.base import Method
from fairmt.training import Job, train


def prepared(name, raw, out):
    return prepare(name, read_benchmark(name), "digest", raw, out)


def test_attributes_are_those_of_the_file(tmp_path):
    table = celeba.load(write_celeba(tmp_path), {})
    lines = (tmp_path / "list_attr_celeba.txt").read_text().splitlines()
    names, first = lines[1].split(), lines[2].split()
    assert table.frame.index[0] == int(first[0][:6])
    for name, value in zip(names, first[1:], strict=True):
        assert table.frame[name].iloc[0] == (value == "1")
    assert (table.frame["gender"] == "Male").equals(table.frame["Male"] == 1)
    assert (table.frame["age"] == "Young").equals(table.frame["Young"] == 1)


def test_nobody_is_in_two_splits(tmp_path, generated):
    raw = write_celeba(tmp_path / "raw")
    prepared("celeba-male", raw, tmp_path / "out")
    inputs = read_arrays(tmp_path / "out/inputs.safetensors")
    lines = (raw / "identity_CelebA.txt").read_text().split()
    identity = {int(name[:6]): person for name, person in zip(lines[::2], lines[1::2], strict=True)}
    splits = defaultdict(set)
    for number, split in zip(inputs["id"], inputs["split"], strict=True):
        splits[identity[number]].add(split)
    assert max(len(found) for found in splits.values()) == 1
    assert {split for found in splits.values() for split in found} == {0, 1, 2}


def test_the_subset_keeps_the_official_boundaries(tmp_path):
    split = celeba64.load(write_celeba64(tmp_path), {}).split
    assert [split[number] for number in (162_770, 162_771)] == ["train", "validation"]
    assert [split[number] for number in (182_637, 182_638)] == ["validation", "test"]


def test_images_belong_to_their_rows(tmp_path, generated):
    raw = write_celeba64(tmp_path / "raw")
    prepared("celeba64-male", raw, tmp_path / "out")
    inputs = read_arrays(tmp_path / "out/inputs.safetensors")
    assert inputs["x"].dtype == np.uint8
    with zipfile.ZipFile(raw / "images.zip") as archive:
        for row in (0, 150, 299):
            content = archive.read(f"{inputs['id'][row]:06d}.jpg")
            np.testing.assert_array_equal(inputs["x"][row], decode(content, 64, "here"))


def test_images_are_read_memory_mapped_where_splits_are_contiguous(tmp_path, generated):
    prepared("celeba64-male", write_celeba64(tmp_path / "raw"), tmp_path / "out")
    data = load_training(tmp_path / "out")
    assert len(data.x) == 100
    assert len(data.evaluation.x) == 200
    assert not data.x.flags.owndata
    assert not data.evaluation.x.flags.owndata


def test_preparing_images_again_gives_the_same_bytes(tmp_path, generated):
    raw = write_celeba64(tmp_path / "raw")
    for out in ("first", "second"):
        prepared("celeba64-male", raw, tmp_path / out)
    names = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert names == ["inputs.safetensors", "labels.safetensors", "meta.json", "solution.safetensors"]
    for name in names:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_a_broken_image_leaves_no_file(tmp_path, generated):
    raw = write_celeba64(tmp_path / "raw")
    with zipfile.ZipFile(raw / "images.zip") as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files["182600.jpg"] = files["182600.jpg"][:500]
    with zipfile.ZipFile(raw / "images.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    with pytest.raises(FairMTError, match=r"images\.zip: 182600\.jpg: not a whole JPEG or PNG"):
        prepared("celeba64-male", raw, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_missing_images_are_counted(tmp_path, generated):
    raw = write_celeba(tmp_path / "raw")
    with zipfile.ZipFile(raw / "img_align_celeba.zip") as archive:
        files = {name: archive.read(name) for name in archive.namelist()[:200]}
    with zipfile.ZipFile(raw / "img_align_celeba.zip", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    with pytest.raises(FairMTError, match=r"img_align_celeba\.zip: expected 240 images, found 199; "):
        prepared("celeba-male", raw, tmp_path / "out")


def edit(name, old, new):
    def change(folder):
        content = (folder / name).read_bytes()
        assert old in content
        (folder / name).write_bytes(content.replace(old, new, 1))

    return change


ATTRIBUTES, PARTITION = "list_attr_celeba.txt", "list_eval_partition.txt"
BROKEN = {
    "count": (edit(ATTRIBUTES, b"240\r", b"241\r"), "expected 241 images, found 240"),
    "names": (edit(ATTRIBUTES, b"Bald", b"Bold"), "expected the names of 40 attributes"),
    "value": (edit(ATTRIBUTES, b"000002.jpg  1", b"000002.jpg  2"), "expected -1 or 1 everywhere"),
    "no number": (edit(ATTRIBUTES, b"000002.jpg  1", b"000002.jpg  x"), "not in the layout of CelebA"),
    "a page": (
        lambda folder: (folder / ATTRIBUTES).write_text("<html>"),
        "expected the names of 40 attributes",
    ),
    "part": (edit(PARTITION, b"000002.jpg 0", b"000002.jpg 7"), "expected parts 0, 1 and 2"),
    "order": (edit(PARTITION, b"000002.jpg 0\n000003.jpg 0", b"000003.jpg 0\n000002.jpg 0"), "same order"),
    "cut short": (edit(PARTITION, b"000240.jpg 2\n", b""), "found 239 images"),
    "missing": (lambda folder: (folder / ATTRIBUTES).unlink(), "run `fairmt fetch celeba`"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_annotations_are_refused(tmp_path, case):
    change, words = BROKEN[case]
    write_celeba(tmp_path)
    change(tmp_path)
    with pytest.raises(FairMTError, match=words):
        celeba.load(tmp_path, {})


def test_the_subset_refuses_images_without_attributes_and_foreign_names(tmp_path):
    write_celeba64(tmp_path)
    for name, words in (
        ("000002.jpg", "1 images have no attributes, for example 2"),
        ("face.jpg", "names such"),
    ):
        with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
            archive.writestr(name, b"")
        with pytest.raises(FairMTError, match=words):
            celeba64.load(tmp_path, {})


def job(steps):
    config = read_benchmark("celeba64-male")
    config["model"] |= {"width": 8}
    config["training"] |= {"steps": steps, "batch_size": 16}
    return Job("celeba64-male", config, Method, {}, 1.0, 0, {"hash8": "12345678"})


class Interrupted(Exception):
    pass


def test_a_run_on_images_that_was_interrupted_ends_with_the_same_bits(tmp_path, generated):
    prepared("celeba64-male", write_celeba64(tmp_path / "raw"), tmp_path / "data")
    train(job(4), tmp_path / "data", tmp_path / "whole", "cpu")

    class Stops(Method):
        steps = 0

        def backward(self, model, batch):
            self.steps += 1
            if self.steps == 3:
                raise Interrupted
            return super().backward(model, batch)

    with pytest.raises(Interrupted):
        train(
            replace(job(4), method=Stops), tmp_path / "data", tmp_path / "part", "cpu", checkpoint_seconds=0
        )
    train(job(4), tmp_path / "data", tmp_path / "part", "cpu")
    assert (tmp_path / "part/predictions.parquet").read_bytes() == (
        tmp_path / "whole/predictions.parquet"
    ).read_bytes()
    model = read_arrays(tmp_path / "whole/probe.safetensors")
    assert model["expression/covariance"].shape == (64, 64)


@pytest.mark.parametrize("name", ["celeba", "celeba64", "ham10000", "ham10000_64"])
def test_absent_files(name, tmp_path):
    with pytest.raises(FairMTError, match=f"run `fairmt fetch {name}`"):
        load_dataset(name).load(tmp_path, {})
