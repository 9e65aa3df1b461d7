"""Jobs that a fork server does are those that their commands would have done."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import ROOT, Project, wait

from fairmt import forkserver

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="fork servers are for Linux")
STARTER = """\
import os, sys
from fairmt import forkserver
forkserver.start()
print(os.environ[forkserver.VARIABLE], flush=True)
sys.stdin.read()
"""
FEW, MANY = "steps: 20,", "steps: 1000000,"


@dataclass
class Server:
    """A fork server, and the process that started it."""

    starter: subprocess.Popen[str]
    socket: Path
    process: int

    @property
    def variables(self) -> dict[str, str]:
        """What names the server to commands."""
        return {forkserver.VARIABLE: str(self.socket)}

    def jobs(self) -> list[int]:
        """Processes of its jobs."""
        return _children(self.process)


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of its own, to do anything to."""
    with _started() as server:
        yield server


@pytest.fixture(scope="module")
def shared_server() -> Iterator[Server]:
    """A server that outlives its jobs; it imports the libraries once for several tests."""
    with _started() as server:
        yield server


@contextmanager
def _started() -> Iterator[Server]:
    variables = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", STARTER]
    with subprocess.Popen(command, env=variables, stdin=-1, stdout=-1, text=True) as starter:
        assert starter.stdout
        socket = Path(starter.stdout.readline().strip())
        [process] = _children(starter.pid)
        yield Server(starter, socket, process)
        starter.kill()
    # A server that a test has killed leaves its folder.
    shutil.rmtree(socket.parent, ignore_errors=True)


def _printed(code: str, variables: dict[str, str]) -> str:
    """What a process prints that has these variables from its start."""
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | variables, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def _train(out: Path) -> list[str]:
    log = str(out / "log.txt")
    return ["--log", log, "train", "tiny", "mtl_erm", "--seed", "0", "--threads", "1", "--out", str(out)]


def _start_long_training(project: Project, server: Server, out: Path) -> subprocess.Popen[str]:
    """A waiting command whose job is in the middle of training."""
    project.edit("config/benchmarks/tiny.yaml", FEW, MANY)
    command = project.start("fairmt", *_train(out), **server.variables)
    wait(lambda: "step" in _log(out).partition("no checkpoint")[2], seconds=30)
    project.edit("config/benchmarks/tiny.yaml", MANY, FEW)
    return command


def _log(out: Path) -> str:
    path = out / "log.txt"
    return path.read_text() if path.exists() else ""


def test_a_fork_gives_the_bytes_that_a_process_of_its_own_gives(finished, shared_server, tmp_path):
    forked, alone = tmp_path / "forked", tmp_path / "alone"
    finished.run("fairmt", *_train(forked), **shared_server.variables)
    finished.run("fairmt", *_train(alone))
    names = {path.name for path in alone.iterdir()}
    assert {path.name for path in forked.iterdir()} == names
    for name in names - {"run.json", "log.txt"}:
        assert (forked / name).read_bytes() == (alone / name).read_bytes()
    assert shared_server.socket.exists(), "the server should have done the job"


@pytest.mark.parametrize(
    "arguments", [["train", "tiny", "mtl_erm", "--expect-hash", "0"], ["evaluate", "no", "tiny", "x"]]
)
def test_messages_and_exit_status_are_the_commands(finished, shared_server, tmp_path, arguments):
    command = [*arguments, "--out", str(tmp_path / "out")]
    forked, alone = (finished.run("fairmt", *command, **names) for names in (shared_server.variables, {}))
    assert alone.returncode == 1
    assert (forked.returncode, forked.stdout, forked.stderr) == (1, alone.stdout, alone.stderr)


def test_a_job_ends_with_its_command(finished, shared_server, tmp_path):
    command = _start_long_training(finished, shared_server, tmp_path / "out")
    assert len(shared_server.jobs()) == 1
    command.kill()
    command.wait()
    wait(lambda: not shared_server.jobs(), seconds=30)
    assert "interrupted" in _log(tmp_path / "out")


def test_a_job_whose_command_is_gone_ends_quietly():
    code = (
        "import json, os, socket; from fairmt import forkserver;"
        " command, job = socket.socketpair();"
        " request = {'environment': dict(os.environ, **{forkserver.VARIABLE: ''}), 'folder': '.',"
        " 'arguments': ['list']};"
        " socket.send_fds(command, [(json.dumps(request) + '\\n').encode()], [1, 2]);"
        " command.close();"
        " forkserver._answer(job)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert "BrokenPipe" not in done.stderr


def test_a_killed_job_is_an_error_of_its_command(finished, shared_server, tmp_path):
    command = _start_long_training(finished, shared_server, tmp_path / "out")
    os.kill(*shared_server.jobs(), signal.SIGKILL)
    assert command.wait(timeout=30) == 137


def test_jobs_outlive_a_killed_server_and_later_ones_need_none(finished, server, tmp_path):
    command = _start_long_training(finished, server, tmp_path / "out")
    os.kill(server.process, signal.SIGKILL)
    finished.run("fairmt", *_train(tmp_path / "later"), **server.variables)
    assert (tmp_path / "later/predictions.parquet").exists()
    assert command.poll() is None
    command.kill()
    command.wait()
    wait(lambda: "interrupted" in _log(tmp_path / "out"), seconds=30)


def test_a_server_ends_with_its_starter_and_leaves_nothing(server):
    server.starter.kill()
    wait(lambda: not server.socket.parent.exists(), seconds=30)


def test_a_server_imports_no_code_of_the_project_and_has_one_thread():
    code = (
        "import os, sys; from fairmt import forkserver; before = set(sys.modules);"
        " forkserver._import_libraries();"
        " print([name for name in set(sys.modules) - before if name.startswith('fairmt')],"
        " len(os.listdir('/proc/self/task')), 'torch' in sys.modules)"
    )
    assert _printed(code, forkserver.ONE_THREAD).split() == ["[]", "1", "True"]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library reads other variables")
def test_freed_memory_stays_for_the_next_step():
    code = (
        "import resource, numpy\n"
        "def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "def step(): return [numpy.ones(2**18) for _ in range(32)] and None\n"
        "step(); before = faults(); step(); print(faults() - before)"
    )
    # The step fills 16,384 pages.
    assert int(_printed(code, forkserver.KEEP_MEMORY)) < 100


def test_no_server_where_a_gpu_is_visible(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.delenv(forkserver.VARIABLE, raising=False)
    forkserver.start()
    assert forkserver.VARIABLE not in os.environ


def test_no_server_where_a_socket_has_no_room(monkeypatch, tmp_path):
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv(forkserver.VARIABLE, raising=False)
    forkserver.start()
    assert forkserver.VARIABLE not in os.environ
    assert not list(folder.iterdir())
