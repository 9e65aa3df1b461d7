"""The command line refuses what it cannot use, before anything is computed."""

from __future__ import annotations

import logging
import os

import pytest

from fairmt.arguments import check_device, finite, make_folder, whole
from fairmt.cli import main
from fairmt.errors import FairMTError
from fairmt.methods.registry import read_cards

TRAIN = ("train", "synthetic", "mtl_erm", "--out")


@pytest.fixture(autouse=True)
def _log():
    """The command line replaces the log's handlers; put them back."""
    handlers, level = logging.root.handlers[:], logging.getLogger("fairmt").level
    yield
    logging.root.handlers[:] = handlers
    logging.getLogger("fairmt").setLevel(level)


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--threads", "0", "a whole number from 1 to"),
        ("--threads", str((os.cpu_count() or 1) + 1), "a whole number from 1 to"),
        ("--threads", "two", "a whole number from 1 to"),
        ("--knob", "nan", "a finite number"),
        ("--knob", "inf", "a finite number"),
        ("--knob", "much", "a finite number"),
        ("--seed", "-1", "a whole number of at least 0"),
        ("--seed", "0.5", "a whole number of at least 0"),
        ("--out", "", "a path, found nothing"),
    ],
)
def test_arguments_say_what_they_may_be(tmp_path, capsys, option, value, expected):
    with pytest.raises(SystemExit) as stopped:
        main([*TRAIN, str(tmp_path / "out"), f"{option}={value}"])
    assert stopped.value.code == 2
    assert f"argument {option}: expected {expected}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["foo", "meta", "cuda:99", ""])
def test_a_device_that_is_not_there(tmp_path, capsys, name):
    assert main([*TRAIN, str(tmp_path / "out"), "--device", name]) == 1
    assert f"--device: unknown device '{name}'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_devices_that_are_there():
    check_device("cpu")
    check_device(None)


def test_a_learning_rate_that_is_not_positive(tmp_path, capsys):
    assert main([*TRAIN, str(tmp_path / "out"), "--knob", "-3"]) == 1
    assert "mtl_erm: knob lr_factor: expected a positive factor, found -3" in capsys.readouterr().err


def test_numbers_within_the_limits_are_read():
    assert (whole(0)("0"), whole(1, 4)("4"), finite("1e-3")) == (0, 4, 0.001)


def test_a_folder_that_cannot_be_made(tmp_path):
    make_folder(tmp_path / "a/b")
    assert (tmp_path / "a/b").is_dir()
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file/below"):
        with pytest.raises(FairMTError, match=r"--out: expected a folder that can be made, found .*file"):
            make_folder(path)


def test_a_log_that_cannot_be_written(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--log", str(tmp_path), "list"])
    assert stopped.value.code == 2
    assert f"argument --log: [Errno 21] Is a directory: '{tmp_path}'" in capsys.readouterr().err


def test_the_list_has_a_line_per_method_that_fits_a_terminal(capsys):
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for card in read_cards().values():
        (line,) = (line for line in lines if line.split()[:1] == [card.name])
        for text in (card.kind, card.knob, card.supports_text, card.reference["key"]):
            assert text in line
    table = lines[: len(read_cards()) + 2]
    assert max(len(line) for line in table) <= 110


def test_out_of_memory_names_a_batch_size_to_try(tmp_path, monkeypatch, capsys):
    import torch

    def exhausted(*arguments, **options):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("fairmt.training.train", exhausted)
    monkeypatch.setattr("fairmt.integrity.check_prepared", lambda *arguments, **options: None)
    assert main(["train", "adult-sex", "mtl_erm", "--out", str(tmp_path / "run")]) == 1
    found = capsys.readouterr().err
    assert "batch_size: 512 rows do not fit into the GPU's memory" in found
    assert "--set-resources train:gpu=1. Otherwise try 256" in found


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("options.rows: expected 1", "config/benchmarks/synthetic.yaml: options.rows: expected 1"),
        ("data/raw/synthetic/a.csv: SHA-256: delete it", "data/raw/synthetic/a.csv: SHA-256: delete it"),
    ],
)
def test_what_prepare_refuses_is_of_the_file_that_has_it(monkeypatch, capsys, message, said):
    def refuse(*_, **__):
        raise FairMTError(message)

    monkeypatch.setattr("fairmt.data.prepare.prepare", refuse)
    assert main(["prepare", "synthetic"]) == 1
    assert capsys.readouterr().err.strip().removeprefix("fairmt: ").removeprefix("error: ") == said
