"""What a run's numbers rest on."""

from __future__ import annotations

import subprocess

import pytest

from fairmt.provenance import source_commit


def _git(folder, *arguments):
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("1")
    _git(tmp_path, "init", "-q")
    _git(tmp_path, "add", "file")
    _git(tmp_path, "commit", "-qm", "one")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commit_is_marked_where_tracked_files_are_changed(repository):
    commit = _git(repository, "rev-parse", "HEAD")[:12]
    (repository / "other").write_text("untracked")
    assert source_commit() == commit
    (repository / "file").write_text("2")
    assert source_commit() == commit + "+"


def test_the_index_is_left_alone(repository):
    """Jobs run beside the user's own git, which fails where another holds the lock."""
    index = (repository / ".git/index").read_bytes()
    (repository / "file").touch()
    (repository / ".git").chmod(0o500)
    source_commit()
    (repository / ".git").chmod(0o700)
    assert (repository / ".git/index").read_bytes() == index


def test_outside_git_it_is_unknown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert source_commit() == "unknown"
