"""Small generated files in the layout of the protocol *Fair and Consistent Affect Analysis*."""

import csv
from pathlib import Path

import numpy as np
from vision_files import jpeg

NINE = ["00-02", "03-09", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70+"]
SEVEN = ["Anger", "Disgust", "Fear", "Happiness", "Neutral", "Sadness", "Surprise"]
RACES = ["White", "Black", "Asian", "Indian"]
PEOPLE = {"age": NINE, "gender": ["Female", "Male"], "race": RACES}
# Headers in the published order, and what their columns may hold where it is not PEOPLE's.
HEADERS = {
    "AffectNet/annotations/EXPR": ("name,expression,age,gender,race", {"expression": [*SEVEN, "Contempt"]}),
    "AffectNet/annotations/VA": ("name,valence,arousal,age,gender,race", {}),
    "DISFA/annotations": (
        "name,AU1,AU2,AU4,AU5,AU6,AU9,AU12,AU15,AU17,AU20,AU25,AU26,age,gender,race",
        {"age": NINE[2:6]},
    ),
    "EmotioNet/annotations": (
        "name,AU1,AU2,AU4,AU5,AU6,AU9,AU12,AU17,AU20,AU25,AU26,age,gender,race",
        {"AU": ["0", "1", "-1"]},
    ),
    "GFT/annotations": (
        "name,AU1,AU2,AU4,AU5,AU6,AU7,AU9,AU10,AU11,AU12,AU15,AU17,AU23,AU24,age,gender,race",
        {"age": [str(year) for year in range(21, 29)], "race": ["White", "Black", "Asian", "Other"]},
    ),
    "RAF-DB/annotations": (
        "name,gender,race,age,expression",
        {
            "expression": SEVEN,
            "gender": ["Female", "Male", "Unsure"],
            "age": ["00-03", "04-19", "20-39", "40-69", "70+"],
        },
    ),
    "RAF-AU/annotations": (
        "name,AU1,AU2,AU4,AU5,AU6,AU9,AU10,AU12,AU16,AU17,AU25,AU26,AU27,age,gender,race",
        {},
    ),
}
ROWS = {"train.csv": 60, "valid.csv": 20, "test.csv": 20}
FOLDERS = {"DISFA": "LeftVideoSN001/", "GFT": "001A/", "EmotioNet": "test/", "AffectNet": "train_set/"}


def write_affect(folder: Path, images: bool = False) -> Path:
    """Annotations of all corpora; the first test image of AffectNet VA is a training image of EXPR."""
    rng = np.random.default_rng(0)
    for place, (header, own) in HEADERS.items():
        first = 0 if place.endswith("EXPR") else 1000
        for partition, rows in ROWS.items():
            content = []
            for number in range(first, first + rows):
                values = {"name": FOLDERS.get(place.split("/")[0], "") + f"{number:05d}.jpg"}
                for column in header.split(",")[1:]:
                    values[column] = _draw(rng, column, PEOPLE | own)
                content.append(values)
            if place.endswith("VA") and partition == "test.csv":
                content[0]["name"] = "train_set/00000.jpg"
            first += rows
            write_rows(folder / place / partition, header, content)
            if images:
                _write_images(folder / place.split("/")[0] / "images", [row["name"] for row in content])
    return folder


def write_rows(path: Path, header: str, content: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, header.split(","))
        writer.writeheader()
        writer.writerows(content)


def _write_images(folder: Path, names: list[str]) -> None:
    content = jpeg(np.random.default_rng(0), 8, 8)
    for name in names:
        path = folder / (name.replace(".jpg", "_aligned.jpg") if folder.parent.name == "RAF-AU" else name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _draw(rng: np.random.Generator, column: str, values: dict[str, list[str]]) -> str:
    if column in ("valence", "arousal"):
        return f"{rng.uniform(-1, 1):.4f}"
    return str(rng.choice(values.get(column, values.get("AU", ["0", "1"]))))
