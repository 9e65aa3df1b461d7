"""Small generated files in the original layouts of tabular datasets, and tables with other labels."""

import csv
from dataclasses import replace

import numpy as np
import pandas as pd

from fairmt.data.datasets import acs, student

ACS_HEADER = (*acs.COLUMNS, "PINCP_DECILE", "PWGTP", "WGTP")


def acs_person(rng, place):
    """One row: children have no income, people in group quarters neither own nor rent."""
    age = int(rng.integers(0, 95))
    housing = rng.choice(["1", "2", "3"], p=[0.9, 0.05, 0.05])
    quarters = housing != "1"
    return {
        "PUMA": f"{place}-{rng.integers(1, 4):05}",
        "AGEP": age,
        "SEX": rng.choice(["1", "2"]),
        "MSP": "N" if age < 15 else rng.integers(1, 7),
        "HISP": rng.integers(0, 5),
        "RAC1P": rng.choice(list("1234566789")),
        "NOC": "N" if quarters else rng.integers(0, 3),
        "NPF": "N" if quarters else rng.integers(2, 5),
        "HOUSING_TYPE": housing,
        "OWN_RENT": "0" if quarters else rng.choice(["1", "2"]),
        "DENSITY": rng.choice([16.3, 2731.2]),
        "INDP": "N" if age < 16 else "7860",
        "INDP_CAT": "N" if age < 16 else rng.integers(0, 19),
        "EDU": "N" if age < 3 else rng.integers(1, 13),
        "PINCP": "N" if age < 15 else rng.choice([-500.0, 0.0, 999.0, 30000.0]),
        "PINCP_DECILE": "N" if age < 15 else rng.integers(0, 10),
        "POVPIP": "N" if quarters else rng.integers(0, 502),
        "DVET": "N",
        "DREM": "N" if age < 5 else rng.choice(["1", "2"]),
        "DPHY": "N" if age < 5 else rng.choice(["1", "2"]),
        "DEYE": rng.choice(["1", "2"]),
        "DEAR": rng.choice(["1", "2"]),
        "PWGTP": rng.integers(1, 500),
        "WGTP": rng.integers(1, 500),
    }


def write_acs(folder, rows=900):
    """The three excerpts; the first person in group quarters comes twice, with another weight."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, first_id in acs.FIRST_ID.items():
        rng = np.random.default_rng(first_id)
        people = [acs_person(rng, "25" if name == "ma2019" else "01") for _ in range(rows)]
        guest = next(person for person in people if person["HOUSING_TYPE"] != "1")
        people[-1] = guest | {"PWGTP": 501}
        write_rows(folder / f"{name}.csv", ACS_HEADER, people)
    return folder


def write_student(folder, rows=200):
    """The mathematics file, separated by semicolons."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    flags = (*student.FLAGS, "schoolsup", "famsup", "activities", "nursery", "internet")
    pupils = []
    for _ in range(rows):
        pupil = {column: rng.integers(1, 6) for column in student.COLUMNS}
        pupil |= {flag: rng.choice(["yes", "no"]) for flag in flags}
        pupil |= {"sex": rng.choice(["F", "M"]), "school": rng.choice(["GP", "MS"])}
        pupil["Mjob"] = rng.choice(["at_home", "health", "other", "services", "teacher"])
        pupils.append(pupil)
    write_rows(folder / "student-mat.csv", student.COLUMNS, pupils, delimiter=";")
    return folder


def write_rows(path, header, rows, delimiter=","):
    """A CSV file of dictionaries."""
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, header, delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


def shuffled(table, inputs):
    """All columns but the inputs in another order, within each part of the dataset's own split."""
    frame, rng = table.frame.copy(), np.random.default_rng(0)
    parts = table.split if table.split is not None else pd.Series("all", index=frame.index)
    for part in set(parts):
        places = np.flatnonzero(parts == part)
        order = rng.permutation(places)
        for column in set(frame.columns) - inputs:
            frame.iloc[places, frame.columns.get_loc(column)] = table.frame[column].iloc[order].to_numpy()
    return replace(table, frame=frame)
