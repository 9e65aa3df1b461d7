"""A process that has imported PyTorch, and forks a child for every job.

Importing PyTorch takes about as long as training on a small table. Snakemake starts one server per call
(`workflow/Snakefile`), whose socket the environment of its jobs names. There `fairmt train` hands its
command line over and waits, and a child of the server does what the command would have done itself: in
its folder, with its environment and its output. The server imports libraries only; this project's code
is read by every child, so that an edit counts from the next job on, as ever.

The server ends with the process that started it, and a job whose command ends is interrupted. Where no
server answers, the command does the job itself.
"""

from __future__ import annotations

import gc
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from fairmt.gpus import visible_gpus

VARIABLE = "FAIRMT_FORK_SERVER"
"""Path of the server's socket, in the environment of jobs."""
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
"""Libraries read these when they are loaded. A process with other threads is not safe to fork."""
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 * 2**20), "MALLOC_TRIM_THRESHOLD_": str(256 * 2**20)}
"""What the GNU C library reads when a process starts, in bytes: freed memory is kept for the next step.

Else a method that has the gradients of many losses beside each other returns them to the system at every
step and asks for zeroed pages at the next, with a sixth of its time.
"""
KILLED = 128 + signal.SIGKILL


def start() -> None:
    """Start a server for the jobs that this process starts from now on.

    Nothing is imported before the first job. The server ends with this process, however that comes.
    Does nothing where a fork may not be safe: off Linux, and with a GPU, which a process forked from one
    that has asked for it cannot use; nor where no socket can be made.
    """
    if sys.platform != "linux" or visible_gpus(os.environ):
        return
    # A folder that nobody else can enter.
    path = Path(tempfile.mkdtemp(prefix="fairmt-")) / "socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        try:
            listener.bind(str(path))
        except OSError:
            # The system's temporary folder has too long a name for a socket, or no room for one.
            shutil.rmtree(path.parent)
            return
        listener.listen(1024)
        # The other end stays open as long as this process lives.
        alive, _ = os.pipe()
        subprocess.Popen(
            [sys.executable, "-P", "-m", __name__, str(listener.fileno())],
            env=KEEP_MEMORY | os.environ | ONE_THREAD,
            stdin=alive,
            pass_fds=[listener.fileno()],
            # An interrupt at the terminal reaches the waiting commands, which end their children.
            start_new_session=True,
        )
    os.close(alive)
    os.environ[VARIABLE] = str(path)


def run_forked(arguments: Sequence[str]) -> int | None:
    """Have a child of the server run a ``fairmt`` command line, and wait for it.

    Returns
    -------
    int or None
        The exit status, 137 if the child was killed; None if no server answered, and nothing was run.
    """
    if VARIABLE not in os.environ:
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(os.environ[VARIABLE])
        except OSError:
            return None
        # The child reports an interrupt.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        request = {"arguments": list(arguments), "folder": os.getcwd(), "environment": dict(os.environ)}
        socket.send_fds(connection, [b"\n"], [1, 2])
        connection.sendall(json.dumps(request).encode() + b"\n")
        try:
            status = connection.recv(16)
        except ConnectionResetError:
            status = b""
    if not status:
        print("fairmt: error: the process that did the work was killed", file=sys.stderr)
    return int(status or KILLED)


def serve(listener: socket.socket) -> None:
    """Fork a child for every connection, until standard input is closed."""
    # Children that end leave nothing to wait for.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        ready, _, _ = select.select([sys.stdin, listener], [], [])
        if sys.stdin in ready:
            shutil.rmtree(Path(listener.getsockname()).parent, ignore_errors=True)
            return
        connection, _ = listener.accept()
        _import_libraries()
        if os.fork() == 0:
            listener.close()
            _answer(connection)
        connection.close()


def _import_libraries() -> None:
    import jsonschema  # noqa: F401
    import pandas  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import ruamel.yaml  # noqa: F401
    import safetensors.torch  # noqa: F401
    import torch._dynamo  # which the first optimizer imports  # noqa: F401

    # Their objects stay: children need not look for garbage among them, nor copy them to do so.
    gc.freeze()


def _answer(connection: socket.socket) -> None:
    """Run what a connection asks for, send the exit status, and end this process."""
    status = 1
    try:
        _, files, _, _ = socket.recv_fds(connection, 1, 2)
        with connection.makefile("rb") as stream:
            request = json.loads(stream.readline())
        for file, target in zip([os.open(os.devnull, os.O_RDONLY), *files], (0, 1, 2), strict=True):
            os.dup2(file, target)
        os.environ.clear()
        os.environ.update(request["environment"])
        del os.environ[VARIABLE]
        os.chdir(request["folder"])
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        threading.Thread(target=_interrupt_after, args=[connection], daemon=True).start()
        from fairmt.cli import main

        status = main(request["arguments"])
    except BaseException:
        traceback.print_exc()
    finally:
        # What there was to interrupt is over.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # Who reads, or the command itself, may be gone.
        with suppress(OSError):
            sys.stdout.flush()
        with suppress(OSError):
            sys.stderr.flush()
        with suppress(OSError):
            connection.sendall(str(status).encode())
        os._exit(status)


def _interrupt_after(connection: socket.socket) -> None:
    """Interrupt this process once the command at the other end has ended."""
    connection.recv(1)
    os.kill(os.getpid(), signal.SIGINT)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
