"""The ``fairmt`` command. Every subcommand is one step of the workflow and works by hand too.

Modules are imported by the subcommand that needs them: starting torch costs more than most steps.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from fairmt import __version__
from fairmt.arguments import check_device, finite, make_folder, of_task, place, whole
from fairmt.errors import FairMTError
from fairmt.forkserver import run_forked

if TYPE_CHECKING:
    from fairmt.data.prepared import Meta

log = logging.getLogger("fairmt")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; returns the exit status.

    A `FairMTError` is printed as one message and gives status 1; ``--debug`` shows the traceback.
    """
    grammar = parser()
    arguments = sys.argv[1:] if arguments is None else arguments
    options = grammar.parse_args(arguments)
    if options.is_job and (status := run_forked(arguments)) is not None:
        return status
    try:
        _start_log(options.log)
    except OSError as error:
        grammar.error(f"argument --log: {error}")
    try:
        if not options.anywhere:
            _check_folder()
        options.run(options)
    except (FairMTError, OSError) as error:
        if isinstance(error, BrokenPipeError):
            # The reader of our output (head, less) left; nothing is wrong.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        if options.debug:
            raise
        return _fail(f"fairmt: error: {error}", options.log, status=1)
    except KeyboardInterrupt:
        return _fail("fairmt: interrupted", options.log, status=130)
    except Exception:
        # Not foreseen: the traceback goes where the job's messages are, and to the terminal.
        if options.log:
            log.exception("unexpected error")
        raise
    return 0


def _start_log(path: Path | None) -> None:
    """Progress goes to the file if there is one, otherwise to standard error."""
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, mode="w", encoding="utf-8") if path else logging.StreamHandler()
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S", handlers=[handler], force=True)
    log.setLevel(logging.INFO)


def _check_folder() -> None:
    missing = [name for name in ("config", "baselines", "workflow") if not Path(name).is_dir()]
    if missing:
        raise FairMTError(f"{Path.cwd()}: no folder {missing[0]!r}; run fairmt in the repository's root")


def _fail(message: str, path: Path | None, status: int) -> int:
    print(message, file=sys.stderr)
    if path:
        log.error(message)
    return status


def parser() -> argparse.ArgumentParser:
    """The command line's grammar."""
    root = argparse.ArgumentParser(prog="fairmt", description=__doc__.partition("\n")[0])
    root.set_defaults(anywhere=False, is_job=False)
    root.add_argument("--version", action="version", version=f"fairmt {__version__}")
    root.add_argument("--debug", action="store_true", help="show the traceback of an error")
    root.add_argument("--log", type=place, help="write progress to this file instead of standard error")
    commands = root.add_subparsers(title="commands", required=True, metavar="COMMAND")

    command = commands.add_parser("list", help="methods, benchmarks, suites and datasets")
    command.set_defaults(run=_list)

    command = commands.add_parser("new-baseline", help="a new method from the template")
    command.add_argument("name", metavar="NAME", help="the method's name in suites, paths and tables")
    command.set_defaults(run=_new_baseline)

    command = commands.add_parser("fetch", help="get a dataset's raw files")
    command.add_argument("dataset")
    command.add_argument("file", nargs="?", help="one of its files; default: all")
    command.set_defaults(run=_fetch)

    command = commands.add_parser("prepare", help="raw files to tensors, labels and solution")
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("benchmark", nargs="?")
    what.add_argument(
        "--csv", type=place, metavar="FILE", help="a table of your own, described by a YAML file beside it"
    )
    command.add_argument(
        "--seed", type=whole(0), default=0, help="for benchmarks that redraw the split per seed"
    )
    command.set_defaults(run=_prepare)

    command = commands.add_parser("data-cards", help="cards and Croissant metadata of datasets")
    command.add_argument("datasets", nargs="*", metavar="DATASET", help="default: all that benchmarks use")
    command.set_defaults(run=_data_cards)

    command = commands.add_parser("train", help="train one run")
    _add_run_arguments(command)
    _add_training_arguments(command)
    command.add_argument("--device", help="for example cpu or cuda:1; default: a GPU if there is one")
    command.set_defaults(run=_train, is_job=True)

    command = commands.add_parser("external", help="one run of a method with a command of its own")
    _add_run_arguments(command)
    _add_training_arguments(command)
    command.add_argument(
        "command", nargs="+", metavar="COMMAND", help="after --: the method's command; see fairmt/external.py"
    )
    command.set_defaults(run=_external)

    command = commands.add_parser("control", help="predictions of the constant or the oracle control")
    _add_run_arguments(command)
    command.set_defaults(run=_control, is_job=True, knob=None)

    command = commands.add_parser("evaluate", help="metrics of one method on one benchmark of a suite")
    for name in ("suite", "benchmark", "method"):
        command.add_argument(name)
    command.add_argument("--out", type=place, required=True, help="Parquet file to write")
    command.set_defaults(run=_evaluate, is_job=True)

    command = commands.add_parser(
        "audit",
        help="gaps and utility of anybody's predictions",
        description="Gaps between groups and utility of the predictions in a CSV or Parquet file. Column "
        "income_pred holds the predictions of column income, and other columns of a few values are groups, "
        "unless the options say otherwise. See docs/audit.md.",
    )
    command.add_argument("file", type=place)
    command.add_argument(
        "--group", action="append", default=[], metavar="COLUMN", help="sex, or sex+race for intersections"
    )
    command.add_argument(
        "--task",
        action="append",
        default=[],
        metavar="NAME=LABEL:PREDICTION",
        help="columns, several with commas; CLASS=COLUMN where one is about a class",
    )
    for option, read, text in (
        ("kind", str, "classification, detection or regression"),
        ("threshold", finite, "from which number on the label or class is predicted; default 0.5"),
        ("positive", str, "the class that a column of numbers is about"),
    ):
        command.add_argument(
            f"--{option}",
            action="append",
            default=[],
            type=of_task(read),
            metavar=f"NAME={option.upper()}",
            help=text,
        )
    command.add_argument("--out", type=place, help="folder for audit.csv, audit.md and audit.png")
    command.set_defaults(run=_audit, anywhere=True)

    command = commands.add_parser(
        "fingerprint",
        help="SHA-256 of what a sample of a suite's runs left, for `adopt`",
        description="One run of every method and of every benchmark. See docs/reproducing.md.",
    )
    command.add_argument("suite")
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("--targets", action="store_true", help="print the sample's files, for Snakemake")
    what.add_argument("--out", type=place, help="CSV file to write, once they are there")
    command.set_defaults(run=_fingerprint)

    command = commands.add_parser(
        "adopt", help="keep a suite's metrics after an edit of code under which its sample stayed the same"
    )
    command.add_argument("suite")
    command.add_argument("before", type=place, help="file that `fingerprint` wrote before the edit")
    command.set_defaults(run=_adopt)

    for name, function, text in (
        ("plan", _plan, "names of a suite's runs and evaluations, in results/<suite>/plan.csv"),
        ("gather", _gather, "all metrics of a suite in one file"),
        ("unpack", _unpack, "evaluations from a suite's metrics, so that only what they lack is trained"),
        ("table", _table, "tables from the metrics"),
        ("figure", _figure, "figures from the metrics"),
        ("claims", _claims, "verdicts on the claims"),
        ("report", _report, "one HTML page of tables, figures, claims and provenance"),
        ("show", _show, "print the main table"),
        (
            "prune",
            _prune,
            "delete runs, evaluations and prepared data that the current code and configuration do not make",
        ),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("suite")
        command.set_defaults(run=function)
    return root


def _add_run_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("benchmark")
    command.add_argument("method")
    command.add_argument("--seed", type=whole(0), default=0)
    command.add_argument("--out", type=place, required=True, help="folder to write")
    command.add_argument("--expect-hash", help="refuse to run if code and configuration have another hash")


def _add_training_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--knob", type=finite, help="value of the method's knob; default: the middle one")
    command.add_argument("--threads", type=whole(1, os.cpu_count()), default=1)


def _list(options: argparse.Namespace) -> None:
    from tabulate import tabulate

    from fairmt.config import BENCHMARKS, SUITES
    from fairmt.data.dataset import dataset_names
    from fairmt.methods.registry import read_cards

    rows = [
        (card.name, card.kind, card.knob, card.supports_text, card.reference["key"])
        for card in read_cards().values()
    ]
    print(tabulate(rows, headers=["method", "kind", "knob", "task kinds", "reference"]))
    for title, names in (
        ("benchmarks", sorted(path.stem for path in BENCHMARKS.glob("*.yaml"))),
        ("suites", sorted(path.stem for path in SUITES.glob("*.yaml"))),
        ("datasets", dataset_names()),
    ):
        print(f"\n{title}: {', '.join(names)}")


def _new_baseline(options: argparse.Namespace) -> None:
    from fairmt.scaffold import new_baseline, next_steps

    print(next_steps(new_baseline(options.name)))


def _fetch(options: argparse.Namespace) -> None:
    from fairmt.data.dataset import load_dataset
    from fairmt.data.fetch import fetch, mirrors_from_environment
    from fairmt.workflow import RAW

    dataset = load_dataset(options.dataset)
    if not dataset.files and dataset.instructions:
        raise FairMTError(f"{dataset.name}: nothing to download. {dataset.instructions}")
    if not dataset.files:
        log.info("%s has no raw files: nothing to fetch", dataset.name)
    names = [options.file] if options.file else [file.name for file in dataset.files]
    for name in names:
        fetch(dataset, name, RAW / dataset.name, mirrors_from_environment())


def _prepare(options: argparse.Namespace) -> None:
    from fairmt.own_table import added_table, summary

    if options.csv:
        with added_table(options.csv) as name:
            meta = _prepared(name, options.seed)
        print(summary(meta))
    else:
        _prepared(options.benchmark, options.seed)


def _prepared(name: str, seed: int) -> Meta:
    from fairmt.config import benchmark_path, read_benchmark
    from fairmt.data.prepare import prepare
    from fairmt.runs import data_digest, is_redrawn, prepared_folder
    from fairmt.workflow import RAW

    config = read_benchmark(name)
    digest = data_digest(name, config)
    try:
        return prepare(
            name,
            config,
            digest=digest,
            raw=RAW / config["dataset"],
            out=prepared_folder(name, config, digest, seed),
            seed=seed if is_redrawn(config) else None,
        )
    except FairMTError as error:
        if str(error).startswith(f"{RAW}{os.sep}"):
            raise
        # What does not fit the data is known by its field only: the benchmark may have it by `extends`.
        raise FairMTError(f"{benchmark_path(name)}: {error}") from error


def _data_cards(options: argparse.Namespace) -> None:
    from fairmt.data.fetch import mirrors_from_environment
    from fairmt.datacards.write import write_cards
    from fairmt.workflow import RAW

    write_cards(options.datasets, RAW, mirrors_from_environment())


def _train(options: argparse.Namespace) -> None:
    import torch

    from fairmt.config import benchmark_path
    from fairmt.deterministic import deterministic_if_asked
    from fairmt.gpus import lock_folder, one_gpu
    from fairmt.integrity import check_prepared
    from fairmt.single import identify
    from fairmt.training import train

    check_device(options.device)
    torch.set_num_threads(options.threads)
    one = identify(options.benchmark, options.method, options.knob, options.seed, options.expect_hash)
    job = one.job()
    check_prepared(one.prepared, solution=False)
    make_folder(options.out)
    try:
        # Before anything asks CUDA, which looks at the environment once.
        one_device = one_gpu(os.environ, lock_folder()) if options.device is None else nullcontext()
        with one_device, deterministic_if_asked(os.environ) as deterministic:
            if deterministic:
                log.info("deterministic operations only")
            if options.device is None and not torch.cuda.is_available():
                log.info("no GPU is visible: training on the CPU")
            train(job, one.prepared, options.out, device=options.device)
    except torch.OutOfMemoryError as error:
        size = job.budget.batch_size
        raise FairMTError(
            f"benchmark {one.benchmark}: training.batch_size: {size} rows do not fit into the GPU's memory. "
            "With several jobs on it, run fewer: snakemake --set-resources train:gpu=1. Otherwise try "
            f"{max(1, size // 2)} in a benchmark that extends it, or another device ({error})"
        ) from None
    except FairMTError as error:
        # Which labels go is decided here, from the benchmark's file.
        if str(error).startswith("supervision"):
            raise FairMTError(f"{benchmark_path(one.benchmark)}: {error}") from error
        raise


def _external(options: argparse.Namespace) -> None:
    from fairmt.external import run_external
    from fairmt.integrity import check_prepared
    from fairmt.single import identify

    one = identify(options.benchmark, options.method, options.knob, options.seed, options.expect_hash)
    if not one.card.is_external:
        raise FairMTError(f"{one.card.folder}: {one.card.name} has no rule.smk; use `fairmt train`")
    check_prepared(one.prepared, solution=False)
    make_folder(options.out)
    run_external(
        options.command,
        one.prepared,
        options.out,
        identity=one.identity,
        config=one.config,
        params=one.card.method_params(one.knob_value),
        threads=options.threads,
    )


def _control(options: argparse.Namespace) -> None:
    from fairmt.controls import write_control
    from fairmt.integrity import check_prepared
    from fairmt.single import identify

    one = identify(options.benchmark, options.method, options.knob, options.seed, options.expect_hash)
    check_prepared(one.prepared, solution=True)
    make_folder(options.out)
    write_control(one.card.name, one.prepared, options.out, one.identity)


def _evaluate(options: argparse.Namespace) -> None:
    from fairmt.results import evaluate_method

    evaluate_method(options.suite, options.benchmark, options.method, options.out)


def _audit(options: argparse.Namespace) -> None:
    from fairmt.audit import audit_file, audit_text, write_audit

    if options.out:
        make_folder(options.out)
    audit = audit_file(
        options.file,
        groups=options.group,
        tasks=options.task,
        kinds=dict(options.kind),
        thresholds=dict(options.threshold),
        positives=dict(options.positive),
    )
    print(audit_text(audit))
    if options.out:
        print("\nWritten: " + ", ".join(map(str, write_audit(audit, options.out))))


def _plan(options: argparse.Namespace) -> None:
    from fairmt.plan_file import write_plan

    write_plan(options.suite)


def _gather(options: argparse.Namespace) -> None:
    from fairmt.results import gather_suite

    gather_suite(options.suite)


def _unpack(options: argparse.Namespace) -> None:
    from fairmt.results import unpack_suite

    written, left = unpack_suite(options.suite)
    print(f"{options.suite}: {len(written)} evaluations unpacked, {left} runs are not in any")


def _fingerprint(options: argparse.Namespace) -> None:
    from fairmt.adoption import fingerprint, targets, write_fingerprint

    if options.targets:
        print(*targets(options.suite))
    else:
        write_fingerprint(fingerprint(options.suite), options.out)


def _adopt(options: argparse.Namespace) -> None:
    from fairmt.adoption import adopt, read_fingerprint

    written, compared = adopt(options.suite, read_fingerprint(options.before))
    print(f"{options.suite}: {compared} runs are as before, {len(written)} evaluations adopted")


def _table(options: argparse.Namespace) -> None:
    from fairmt.reporting.tables import write_tables
    from fairmt.results import read_processors, read_results

    suite, metrics, folder = read_results(options.suite)
    write_tables(metrics, suite, folder / "tables", read_processors(options.suite))


def _figure(options: argparse.Namespace) -> None:
    from fairmt.reporting.figures import write_figures
    from fairmt.results import read_processors, read_results

    suite, metrics, folder = read_results(options.suite)
    write_figures(metrics, suite, folder / "figures", read_processors(options.suite))


def _claims(options: argparse.Namespace) -> None:
    from fairmt.reporting.claims import write_claims
    from fairmt.results import read_results

    suite, metrics, folder = read_results(options.suite)
    write_claims(metrics, suite, folder)


def _report(options: argparse.Namespace) -> None:
    from fairmt.config import read_suite
    from fairmt.reporting.report import write_report
    from fairmt.runs import RESULTS

    write_report(read_suite(options.suite), RESULTS / options.suite)


def _show(options: argparse.Namespace) -> None:
    from fairmt.reporting.tables import main_table_text
    from fairmt.results import read_results

    suite, metrics, folder = read_results(options.suite)
    print(main_table_text(metrics, suite))
    print(f"\nTables, figures, claims and report: {folder}/")


def _prune(options: argparse.Namespace) -> None:
    from fairmt.results import prune

    for path in prune(options.suite):
        print(f"deleted {path}")


if __name__ == "__main__":
    sys.exit(main())
