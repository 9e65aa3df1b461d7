"""Fetching: the pinned file whole or nothing at all, and an error that says what was tried."""

import gzip
import hashlib
import http.server
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fairmt.data.dataset import Dataset, RawFile, stored_as_is
from fairmt.data.fetch import fetch, mirrors_from_environment
from fairmt.errors import FairMTError

CONTENT = b"39, State-gov, 77516\n" * 10_000


def sha(content):
    return hashlib.sha256(content).hexdigest()


def dataset(urls=(), content=CONTENT, stored=None, instructions=""):
    raw = RawFile(
        name="toy.csv",
        sha256=("0" * 64, sha(content)),
        urls=tuple(urls),
        mirror="toy/toy.csv" if stored is None else "toy/toy.csv.gz",
        mirror_sha256=sha(content if stored is None else stored),
    )
    return Dataset(
        "toy", "Toy", "", "", "", (raw,), load=lambda raw, options: None, instructions=instructions
    )


def mirror(folder, content, name="toy.csv"):
    (folder / "toy").mkdir(parents=True)
    (folder / "toy" / name).write_bytes(content)
    return folder


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/gone":
            self.send_error(404)
            return
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/good")
            self.end_headers()
            return
        page = b"<!DOCTYPE html><html>Service unavailable</html>"
        content = page if self.path == "/page" else CONTENT
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if self.path == "/page" else "text/plain")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        half = content[: len(content) // 2]
        self.wfile.write(half if self.path in ("/truncated", "/slow") else content)
        if self.path == "/slow":
            self.wfile.flush()
            time.sleep(30)

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_mirror(tmp_path):
    found = fetch(dataset(), "toy.csv", tmp_path / "raw", [mirror(tmp_path / "mirror", CONTENT)])
    assert found == tmp_path / "raw" / "toy.csv"
    assert found.read_bytes() == CONTENT
    assert names(tmp_path / "raw") == ["toy.csv"]


def test_compressed_mirror(tmp_path):
    stored = gzip.compress(CONTENT, mtime=0)
    source = mirror(tmp_path / "mirror", stored, "toy.csv.gz")
    assert fetch(dataset(stored=stored), "toy.csv", tmp_path / "raw", [source]).read_bytes() == CONTENT


def test_file_that_is_there_needs_no_source(tmp_path):
    (tmp_path / "toy.csv").write_bytes(CONTENT)
    assert fetch(dataset(), "toy.csv", tmp_path) == tmp_path / "toy.csv"


def test_second_mirror_is_tried(tmp_path):
    sources = [mirror(tmp_path / "bad", b"other"), mirror(tmp_path / "good", CONTENT)]
    assert fetch(dataset(), "toy.csv", tmp_path / "raw", sources).read_bytes() == CONTENT


@pytest.mark.parametrize("path", ["good", "moved"])
def test_address(tmp_path, server, path):
    assert fetch(dataset([f"{server}/gone", f"{server}/{path}"]), "toy.csv", tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("path", "words"),
    [("gone", "404"), ("page", "HTML page"), ("truncated", "truncated"), ("good", "found " + sha(CONTENT))],
)
def test_bad_address_leaves_nothing(tmp_path, server, path, words):
    wanted = dataset([f"{server}/{path}"], content=b"something else")
    with pytest.raises(FairMTError, match=words) as error:
        fetch(wanted, "toy.csv", tmp_path / "raw")
    assert f"{server}/{path}" in str(error.value)
    assert sha(b"something else") in str(error.value)
    assert names(tmp_path / "raw") == []


def test_page_without_its_media_type(tmp_path):
    source = tmp_path / "page.csv"
    source.write_bytes(b"\n<HTML>Not found</HTML>")
    with pytest.raises(FairMTError, match="an HTML page"):
        fetch(dataset([source.as_uri()]), "toy.csv", tmp_path / "raw")


@pytest.mark.parametrize("damage", [lambda c: c[:-20], lambda c: b"no gzip", lambda c: b""])
def test_damaged_mirror_leaves_nothing(tmp_path, damage):
    stored = damage(gzip.compress(CONTENT, mtime=0))
    source = mirror(tmp_path / "mirror", stored, "toy.csv.gz")
    for wanted in (dataset(stored=stored), dataset(stored=b"as pinned")):
        with pytest.raises(FairMTError, match=r"toy\.csv\.gz"):
            fetch(wanted, "toy.csv", tmp_path / "raw", [source])
        assert names(tmp_path / "raw") == []


def test_every_source_is_listed(tmp_path, server):
    sources = [mirror(tmp_path / "one", b"1"), tmp_path / "two"]
    with pytest.raises(FairMTError) as error:
        fetch(
            dataset([f"{server}/gone"], instructions="Ask the owner."), "toy.csv", tmp_path / "raw", sources
        )
    for words in ("one/toy/toy.csv", sha(b"1"), "two/toy/toy.csv: no such file", "404", "Ask the owner."):
        assert words in str(error.value)


def test_wrong_file_is_replaced_by_the_right_one_only(tmp_path, caplog):
    (tmp_path / "toy.csv").write_bytes(b"by hand")
    with pytest.raises(FairMTError, match=sha(b"by hand")):
        fetch(dataset(), "toy.csv", tmp_path)
    assert (tmp_path / "toy.csv").read_bytes() == b"by hand"
    fetch(dataset(), "toy.csv", tmp_path, [mirror(tmp_path / "mirror", CONTENT)])
    assert (tmp_path / "toy.csv").read_bytes() == CONTENT
    assert sha(b"by hand") in caplog.text


def test_full_disk_leaves_nothing(tmp_path):
    source = mirror(tmp_path / "mirror", CONTENT)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(CONTENT) // 2, hard))
    try:
        with pytest.raises(FairMTError, match="writing"):
            fetch(dataset(), "toy.csv", tmp_path / "raw", [source])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(tmp_path / "raw") == []


def test_killed_download_is_never_taken_for_the_file(tmp_path, server):
    script = (
        "import sys; from pathlib import Path; from test_fetch import dataset, fetch;"
        "fetch(dataset([sys.argv[1]]), 'toy.csv', Path(sys.argv[2]))"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", script, f"{server}/slow", str(tmp_path)]
    with subprocess.Popen(command, env=environment) as process:
        deadline = time.monotonic() + 30
        while not any(tmp_path.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert [name.endswith(".part") for name in names(tmp_path)] == [True]
    fetch(dataset([f"{server}/good"]), "toy.csv", tmp_path)
    assert names(tmp_path) == ["toy.csv"]


def test_unknown_file(tmp_path):
    with pytest.raises(FairMTError, match=r"did you mean 'toy\.csv'"):
        fetch(dataset(), "toy.cvs", tmp_path)


def test_mirrors_from_environment(tmp_path, monkeypatch):
    monkeypatch.delenv("FAIRMT_MIRRORS", raising=False)
    assert mirrors_from_environment() == ()
    monkeypatch.setenv("FAIRMT_MIRRORS", f"{tmp_path}:")
    assert mirrors_from_environment() == (tmp_path,)
    monkeypatch.setenv("FAIRMT_MIRRORS", f"{tmp_path}:{tmp_path / 'none'}")
    with pytest.raises(FairMTError, match="none"):
        mirrors_from_environment()


def test_unwritable_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FairMTError, match="file"):
        fetch(dataset(), "toy.csv", tmp_path / "file" / "raw", [mirror(tmp_path / "mirror", CONTENT)])


def test_a_file_that_a_mirror_stores_as_it_is_comes_from_there_in_its_first_form_only(tmp_path):
    raw = stored_as_is("toy.csv", "toy/toy.csv", sha(CONTENT), sha(b"other form"))
    toy = Dataset("toy", "Toy", "", "", "", (raw,), load=lambda raw, options: None)
    assert fetch(toy, "toy.csv", tmp_path, [mirror(tmp_path / "one", CONTENT)]).read_bytes() == CONTENT
    (tmp_path / "toy.csv").write_bytes(b"other form")
    assert fetch(toy, "toy.csv", tmp_path).read_bytes() == b"other form"
    with pytest.raises(FairMTError, match=rf"two/toy/toy.csv: expected SHA-256 {sha(CONTENT)}"):
        fetch(toy, "toy.csv", tmp_path / "raw", [mirror(tmp_path / "two", b"other form")])
