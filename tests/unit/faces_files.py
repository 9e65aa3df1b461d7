"""Small files in the layout of dataset ``faces``: CelebA's at 64 x 64, and UTKFace's archive."""

import zipfile
from pathlib import Path

import numpy as np
from vision_files import jpeg, write_celeba64


def write_utkface(folder: Path, rows: int = 300) -> Path:
    """Names as in UTKFace; a tenth of the images have the time stamp of another one."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / "utkface64.zip", "w") as archive:
        for number in range(rows):
            stamp = 20170109_000000_000 + (number - number % 10 if number % 10 == 1 else number)
            name = f"{rng.integers(1, 111)}_{number % 2}_{rng.integers(5)}_{stamp}.jpg"
            archive.writestr(name, jpeg(rng, 16, 16))
    return folder


def write_faces(folder: Path) -> Path:
    write_celeba64(folder)
    return write_utkface(folder)
