"""Preparing CelebA at full size, rehearsed with generated images in the owners' layout.

    python benchmarks/celeba_rehearsal.py FOLDER [--images 202599] [--distinct 2000]

Writes 202,599 JPEG files of 178 x 218 pixels into one archive in FOLDER, of as many bytes each as CelebA's
have on average, with attributes and partition, and prepares the benchmark celeba-male17 from them. Prints a
Markdown table. FOLDER needs 4 GB and is left as it is.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import multiprocessing
import os
import time
import zipfile
from pathlib import Path
from unittest.mock import patch

import numpy as np
from PIL import Image
from tabulate import tabulate

from fairmt.config import read_benchmark
from fairmt.data.celeba_attributes import ATTRIBUTES, LABELS
from fairmt.data.datasets.celeba import DATASET, IMAGES, PARTITION
from fairmt.data.fetch import sha256_of
from fairmt.data.load import load_training
from fairmt.data.prepare import prepare
from fairmt.provenance import peak_memory_mb

BENCHMARK = "celeba-male17"
WIDTH, HEIGHT = 178, 218
# Where the validation and the test part begin, as shares of all images.
PARTS = np.array([162_770, 182_637]) / 202_599


def main() -> None:
    """Generate, prepare and load, the latter two in a process of its own; print what they took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=202_599)
    parser.add_argument("--distinct", type=int, default=2_000, help="how many images differ")
    arguments = parser.parse_args()
    raw = arguments.folder / "raw"
    if not (raw / IMAGES).exists():
        generate(raw, arguments.images, arguments.distinct)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        wall, processor, peak = pool.apply(prepared, (raw, arguments.folder / "prepared"))
        loading, _ = pool.apply(loaded, (arguments.folder / "prepared",))
    rows = [
        ("images, of which distinct", f"{arguments.images:,}, {arguments.distinct:,}"),
        ("archive", f"{(raw / IMAGES).stat().st_size / 1e9:.2f} GB"),
        (
            "prepared inputs",
            f"{(arguments.folder / 'prepared/inputs.safetensors').stat().st_size / 1e9:.2f} GB",
        ),
        ("threads", os.cpu_count()),
        ("prepare, checking the raw files' hashes included", f"{wall:.0f} s"),
        ("processor time, all threads", f"{processor:.0f} s"),
        ("images per second", f"{arguments.images / wall:.0f}"),
        ("images per second of processor time", f"{arguments.images / processor:.0f}"),
        ("peak memory of prepare", f"{peak:.0f} MiB"),
        ("load for training", f"{loading:.2f} s"),
    ]
    print(tabulate(rows, headers=("", ""), tablefmt="github"))


def generate(raw: Path, images: int, distinct: int) -> None:
    """The three raw files of CelebA, with images that repeat after ``distinct`` ones."""
    raw.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    pictures = [picture(rng) for _ in range(min(distinct, images))]
    names = [f"{number:06d}.jpg" for number in range(1, images + 1)]
    with zipfile.ZipFile(raw / IMAGES, "w", zipfile.ZIP_STORED) as archive:
        for number, name in enumerate(names):
            archive.writestr(f"img_align_celeba/{name}", pictures[number % len(pictures)])
    signs = rng.choice(["-1", " 1"], (images, len(ATTRIBUTES)))
    rows = [f"{name} {' '.join(row)}" for name, row in zip(names, signs, strict=True)]
    (raw / LABELS).write_bytes("\r\n".join([str(images), " ".join(ATTRIBUTES), *rows, ""]).encode())
    part = np.digitize(np.arange(1, images + 1), PARTS * images, right=True)
    lines = [f"{name} {number}\r\n" for name, number in zip(names, part, strict=True)]
    (raw / PARTITION).write_bytes("".join(lines).encode())


def picture(rng: np.random.Generator) -> bytes:
    """A JPEG of smooth colours and some noise, about 7 kB."""
    coarse = Image.fromarray(rng.integers(256, size=(14, 11, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), dtype=np.float64)
    noisy = np.clip(smooth + rng.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noisy).save(stream, "JPEG", quality=75)
    return stream.getvalue()


def prepared(raw: Path, out: Path) -> tuple[float, float, float]:
    """Wall and processor seconds and peak memory, in MiB, of preparing the benchmark."""
    files = tuple(dataclasses.replace(file, sha256=(sha256_of(raw / file.name),)) for file in DATASET.files)
    started = time.perf_counter(), time.process_time()
    with patch("fairmt.data.prepare.load_dataset", lambda name: dataclasses.replace(DATASET, files=files)):
        prepare(BENCHMARK, read_benchmark(BENCHMARK), "rehearsal", raw, out)
    wall, processor = time.perf_counter() - started[0], time.process_time() - started[1]
    return wall, processor, peak_memory_mb()


def loaded(folder: Path) -> tuple[float, int]:
    """Seconds that loading takes, and the number of training rows."""
    start = time.perf_counter()
    data = load_training(folder)
    return time.perf_counter() - start, len(data.x)


if __name__ == "__main__":
    main()
