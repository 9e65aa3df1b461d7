"""Which runs an evaluation lends."""

import random

import pandas as pd

from fairmt.evaluation_files import evaluation_name, lenders


def test_an_evaluation_lends_its_runs_whatever_their_order(tmp_path):
    for seed in range(300):
        rng = random.Random(seed)
        hashes = [f"{rng.getrandbits(32):08x}" for _ in range(3)]
        runs = [(hash8, seed) for hash8 in hashes for seed in range(5)]
        rows = pd.DataFrame([run for run in runs for _ in range(4)], columns=["hash8", "seed"])
        file = tmp_path / str(seed) / f"{evaluation_name(runs)}.parquet"
        file.parent.mkdir()
        rows.to_parquet(file)
        assert lenders(file.parent) == dict.fromkeys(runs, file)
