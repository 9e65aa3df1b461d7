"""Image files: what becomes of their pixels, and which archives and images are refused."""

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fairmt.data.archives import FILE_BYTES, Archive
from fairmt.data.dataset import Table
from fairmt.data.features import image as module
from fairmt.data.features.image import build, decode
from fairmt.errors import FairMTError

SPEC = {"image": {"size": 8}}


def encoded(pixels, form="PNG", **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form, **options)
    return stream.getvalue()


def random_pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(256, size=shape, dtype=np.uint8)


def write_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def table(path, names):
    frame = pd.DataFrame({"y": range(len(names))}, index=np.arange(len(names)) + 5)
    return Table(frame=frame, images=[(path, name) for name in names])


def pixels_of(content, spec=SPEC):
    blocks, names = build(content, np.ones(len(content.frame), dtype=bool), spec)
    x = np.concatenate(list(blocks.rows()))
    assert x.shape == blocks.shape
    assert names == ("image",)
    return x


def test_pixels_of_the_right_size_are_kept_as_they_are():
    pixels = random_pixels(8, 8, 3)
    np.testing.assert_array_equal(decode(encoded(pixels), 8, "here"), pixels.transpose(2, 0, 1))


@pytest.mark.parametrize("shape", [(8, 14, 3), (14, 8, 3)])
def test_the_centred_square_is_kept(shape):
    pixels = random_pixels(*shape)
    square = pixels[3:11, :] if shape[0] > shape[1] else pixels[:, 3:11]
    np.testing.assert_array_equal(decode(encoded(pixels), 8, "here"), square.transpose(2, 0, 1))


def test_large_images_become_small_and_keep_their_colours():
    pixels = np.zeros((218, 178, 3), dtype=np.uint8)
    pixels[:, :89] = (200, 100, 50)
    found = decode(encoded(pixels, "JPEG", quality=95), 8, "here")
    assert found.shape == (3, 8, 8)
    np.testing.assert_allclose(found[:, :, :3].mean(axis=(1, 2)), (200, 100, 50), atol=12)
    np.testing.assert_allclose(found[:, :, 5:], 0, atol=12)


def test_grey_images_have_three_equal_channels():
    found = decode(encoded(random_pixels(8, 8)), 8, "here")
    assert (found == found[0]).all()


def test_rows_keep_their_order_over_blocks_archives_and_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 4)
    pictures = {f"{number}.png": encoded(random_pixels(8, 8, 3, seed=number)) for number in range(10)}
    archive = write_zip(tmp_path / "a.zip", {name: pictures[name] for name in list(pictures)[:6]})
    (tmp_path / "more").mkdir()
    for name in list(pictures)[6:]:
        (tmp_path / "more" / name).write_bytes(pictures[name])
    order = np.random.default_rng(1).permutation(10)
    images = [(archive if number < 6 else tmp_path / "more", f"{number}.png") for number in order]
    content = Table(frame=pd.DataFrame({"y": order}), images=images)
    expected = [random_pixels(8, 8, 3, seed=number).transpose(2, 0, 1) for number in order]
    np.testing.assert_array_equal(pixels_of(content), expected)


def test_number_of_images_must_be_that_of_rows(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"a.png": encoded(random_pixels(8, 8, 3))})
    with pytest.raises(FairMTError, match=r"a\.zip: expected 3 images, found 1; .*missing is 'b\.png'"):
        pixels_of(table(path, ["a.png", "b.png", "c.png"]))
    content = table(path, ["a.png", "a.png"])
    with pytest.raises(FairMTError, match="expected 2 images, one per row, found 1"):
        pixels_of(Table(frame=content.frame, images=content.images[:1]))
    with pytest.raises(FairMTError, match="the dataset has no images"):
        pixels_of(Table(frame=content.frame))


JPEG = encoded(random_pixels(64, 64, 3), "JPEG")
PNG = encoded(random_pixels(64, 64, 3))


def huge_png():
    """A PNG of 30,000 x 30,000 announced pixels in a few bytes."""
    start = PNG.index(b"IHDR")
    header = b"IHDR" + struct.pack(">II", 30_000, 30_000) + PNG[start + 12 : start + 17]
    return PNG[:start] + header + struct.pack(">I", zipfile.crc32(header)) + PNG[start + 21 :]


BROKEN = {
    "cut short": (JPEG[: len(JPEG) // 2], "not a whole JPEG or PNG"),
    "cut within the header": (JPEG[:40], "not a whole JPEG or PNG"),
    "PNG cut short": (PNG[: len(PNG) // 2], "not a whole JPEG or PNG"),
    "empty": (b"", "not a whole JPEG or PNG"),
    "a page": (b"<!doctype html><html>Sign in</html>", "not a whole JPEG or PNG"),
    "another format": (encoded(random_pixels(8, 8, 3), "BMP"), "not a whole JPEG or PNG"),
    "too many pixels": (huge_png(), "expected at most 33554432 pixels"),
    "many pixels": (
        encoded(np.zeros((6000, 6000), dtype=np.uint8)),
        "expected at most 33554432 pixels, found 6000 x 6000",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_images_name_archive_and_file(tmp_path, case):
    content, words = BROKEN[case]
    path = write_zip(tmp_path / "a.zip", {"good.png": PNG, "bad.jpg": content})
    with pytest.raises(FairMTError, match=rf"a\.zip: bad\.jpg: {words}"):
        pixels_of(table(path, ["good.png", "bad.jpg"]))


@pytest.mark.parametrize("name", ["../a.png", "/etc/a.png", "x/../../a.png", "..\\a.png", "C:a.png"])
def test_names_that_lead_outside_are_refused(tmp_path, name):
    with pytest.raises(FairMTError, match="expected names within the archive"):
        Archive(write_zip(tmp_path / "a.zip", {"b.png": PNG, name: PNG}))
    (tmp_path / "folder").mkdir()
    with pytest.raises(FairMTError, match="expected names within the folder"):
        Archive(tmp_path / "folder").read(name)


def test_a_link_out_of_a_folder_is_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "secret.png").write_bytes(PNG)
    (tmp_path / "folder/a.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(FairMTError, match="expected names within the folder"):
        Archive(tmp_path / "folder").read("a.png")


def announcing(size, path):
    """The archive, with another size of its last file in the list of its content."""
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"PK\x01\x02")
    content[entry + 24 : entry + 28] = struct.pack("<I", size)
    path.write_bytes(content)
    return path


def test_bombs_are_refused_before_anything_is_unpacked(tmp_path):
    with pytest.raises(FairMTError, match=r"zeros: .* unpack to 10000000, more than 200 times as many"):
        Archive(write_zip(tmp_path / "a.zip", {"zeros": bytes(10_000_000)}))
    path = announcing(FILE_BYTES + 1, write_zip(tmp_path / "b.zip", {"a.png": PNG}))
    with pytest.raises(FairMTError, match=f"a.png: expected at most {FILE_BYTES} bytes"):
        Archive(path)


def test_an_archive_that_lies_about_a_size_gives_an_error(tmp_path):
    path = announcing(len(PNG) // 2, write_zip(tmp_path / "a.zip", {"a.png": PNG}))
    with pytest.raises(FairMTError, match=r"a\.zip: a\.png: broken"):
        Archive(path).read("a.png")


def test_a_bomb_with_a_false_size_is_not_unpacked(tmp_path):
    path = announcing(1000, write_zip(tmp_path / "a.zip", {"zeros": bytes(100 << 20)}))
    archive = Archive(path)
    tracemalloc.start()
    with pytest.raises(FairMTError, match=r"a\.zip: zeros: broken: Bad CRC"):
        archive.read("zeros")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compression_that_cannot_be_unpacked_in_part_is_refused(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
        archive.writestr("a.png", PNG)
    with pytest.raises(FairMTError, match=r"a\.png: expected stored or deflated content, found method 1"):
        Archive(tmp_path / "a.zip")


def test_unreadable_archives(tmp_path):
    with pytest.raises(FairMTError, match="no such archive or folder"):
        Archive(tmp_path / "none.zip")
    (tmp_path / "page.zip").write_text("<html>Sign in</html>")
    with pytest.raises(FairMTError, match="not a readable ZIP archive"):
        Archive(tmp_path / "page.zip")
    whole = write_zip(tmp_path / "a.zip", {f"{number}.png": PNG for number in range(3)})
    (tmp_path / "cut.zip").write_bytes(whole.read_bytes()[:-30])
    with pytest.raises(FairMTError, match="not a readable ZIP archive"):
        Archive(tmp_path / "cut.zip")
    with pytest.raises(FairMTError, match=r"a\.zip: 9\.png: no such file"):
        Archive(whole).read("9.png")


def test_encrypted_and_doubled_entries(tmp_path):
    path = write_zip(tmp_path / "a.zip", {"a.png": PNG})
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(FairMTError, match="not encrypted"):
        Archive(path)
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("a.png", PNG)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.png", JPEG)
    with pytest.raises(FairMTError, match=r"'a\.png' twice"):
        Archive(tmp_path / "b.zip")
