"""Small files in the layouts of CelebA and HAM10000, with images of noise."""

import io
import zipfile

import numpy as np
from PIL import Image

from fairmt.data.celeba_attributes import ATTRIBUTES

DIAGNOSES = ["akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"]
SITES = ["back", "face", "lower extremity", "unknown"]


def jpeg(rng, width, height):
    stream = io.BytesIO()
    pixels = rng.integers(256, size=(height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(stream, "JPEG")
    return stream.getvalue()


def attribute_text(rng, ids, announce=True):
    rows = [f"{number:06d}.jpg " + " ".join(f"{v:2d}" for v in rng.choice([-1, 1], 40)) for number in ids]
    count = [str(len(ids))] if announce else []
    return "\r\n".join([*count, " ".join(ATTRIBUTES) + " ", *rows, ""])


def write_celeba(folder, rows=240):
    """The three files, with identities as the owners give them: each in one part only."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    ids = range(1, rows + 1)
    parts = [0 if number <= 0.7 * rows else 1 if number <= 0.85 * rows else 2 for number in ids]
    with zipfile.ZipFile(folder / "img_align_celeba.zip", "w") as archive:
        archive.writestr("img_align_celeba/", b"")
        for number in ids:
            archive.writestr(f"img_align_celeba/{number:06d}.jpg", jpeg(rng, 18, 22))
    (folder / "list_attr_celeba.txt").write_bytes(attribute_text(rng, ids).encode())
    partition = [f"{number:06d}.jpg {part}" for number, part in zip(ids, parts, strict=True)]
    (folder / "list_eval_partition.txt").write_text("\n".join(partition) + "\n")
    people = [
        f"{number:06d}.jpg {100 * part + rng.integers(20)}" for number, part in zip(ids, parts, strict=True)
    ]
    (folder / "identity_CelebA.txt").write_text("\n".join(people) + "\n")
    return folder


def write_celeba64(folder):
    """Images on both sides of the official boundaries; attributes without the first line."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    ids = [*range(162_671, 162_871), *range(182_588, 182_688)]
    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        for number in ids:
            archive.writestr(f"{number:06d}.jpg", jpeg(rng, 64, 64))
    with zipfile.ZipFile(folder / "list_attr_celeba.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("list_attr_celeba.txt", attribute_text(rng, [1, *ids, 202_599], announce=False))
    return folder


def write_ham10000(folder, rows=200):
    """A second image of some lesions; half of the images in each archive."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    names = write_lesions(rng, folder / "HAM10000_metadata.csv", rows)
    for part, own in enumerate((names[::2], names[1::2]), start=1):
        with zipfile.ZipFile(folder / f"HAM10000_images_part_{part}.zip", "w") as archive:
            for name in own:
                archive.writestr(f"{name}.jpg", jpeg(rng, 60, 45))
    return folder


def write_ham10000_64(folder, rows=200):
    """A second image of some lesions in the metadata, but not in the archive."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    write_lesions(rng, folder / "HAM10000_metadata.csv", rows)
    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        for number in range(rows):
            archive.writestr(f"ISIC_{24306 + number:07d}.jpg", jpeg(rng, 64, 64))
    return folder


def write_lesions(rng, path, rows):
    """HAM10000's metadata; the names of the images."""
    lines, names = ["lesion_id,image_id,dx,dx_type,age,sex,localization,dataset"], []
    for number in range(rows):
        age = rng.choice(["", "0.0", "45.0", "80.0"])
        sex = rng.choice(["male", "female", "unknown"], p=[0.5, 0.4, 0.1])
        rest = f"{rng.choice(DIAGNOSES)},histo,{age},{sex},{rng.choice(SITES)},rosendahl"
        # The lesions' further images come first in the file.
        own = [f"ISIC_{90000 + number:07d}"] if number % 3 == 0 else []
        own += [f"ISIC_{24306 + number:07d}"]
        lines += [f"HAM_{number:07d},{name},{rest}" for name in own]
        names += own
    path.write_text("\n".join(lines) + "\n")
    return names
