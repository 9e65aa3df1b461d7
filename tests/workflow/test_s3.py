"""Push and pull through a remote that speaks S3: a server on the loopback interface.

Runs where the extra `s3` and moto's server are installed: pip install '.[s3]' 'moto[s3]' flask-cors
"""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Project

server = pytest.importorskip("moto.server", reason="moto's server is not installed", exc_type=ImportError)
pytest.importorskip("dvc_s3", reason="the extra `s3` is not installed")

FILES = {f"runs/seed{seed}/predictions.parquet": bytes([seed]) * 5000 for seed in range(3)}


@pytest.fixture
def endpoint(monkeypatch):
    """Address of an S3 server with an empty bucket ``store``."""
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    boto3.client("s3", endpoint_url=f"http://{host}:{port}").create_bucket(Bucket="store")
    yield f"http://{host}:{port}"
    running.stop()


@pytest.mark.filterwarnings("ignore")  # Of moto and boto3, not ours.
def test_a_clone_pulls_what_was_pushed(endpoint, tmp_path):
    project = Project(tmp_path / "project")
    for name, content in FILES.items():
        path = project.folder / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    project.do("git", "init", "-q", "-b", "main")
    project.do("dvc", "init", "-q")
    project.do("dvc", "add", "-q", "runs")
    project.do("dvc", "remote", "add", "-q", "-d", "store", "s3://store/fairmt")
    project.do("dvc", "remote", "modify", "-q", "store", "endpointurl", endpoint)
    project.commit("Runs")
    project.do("dvc", "push", "-q")
    clone = Project(tmp_path / "clone")
    project.do("git", "clone", "-q", str(project.folder), str(clone.folder))
    clone.do("dvc", "pull", "-q")
    assert {name: Path(clone.folder / name).read_bytes() for name in FILES} == FILES
