"""Nothing runs what it reads: no pickle, no eval, no shell string, no unsafe YAML, in any of the code."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for folder in ("fairmt", "baselines") for path in (ROOT / folder).rglob("*.py"))
MODULES = {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve", "cloudpickle", "yaml"}
CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "torch.load",
    "numpy.load",
    "np.load",
}
RULES = sorted((ROOT / "workflow").rglob("*.smk")) + sorted((ROOT / "baselines").rglob("*.smk"))


def _dangers(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.partition(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom):
            found += [node.module] if (node.module or "").partition(".")[0] in MODULES else []
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            found += (
                [name]
                if name in CALLS or name.endswith((".read_pickle", ".to_pickle", ".extractall"))
                else []
            )
            found += [
                f"{name}(shell=...)"
                for keyword in node.keywords
                if keyword.arg in ("shell", "allow_pickle") and ast.unparse(keyword.value) != "False"
            ]
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_code_runs_nothing_that_it_reads(path):
    assert _dangers(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from yaml import load",
        "eval(text)",
        "torch.load(path)",
        "subprocess.run(text, shell=True)",
        "np.load(path)",
        "archive.extractall(folder)",
        "numpy.lib.format.read_array(f, allow_pickle=True)",
    ],
)
def test_the_check_can_fail(source):
    assert _dangers(source)


@pytest.mark.parametrize("path", RULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_rules_quote_names_that_come_from_files(path):
    """Wildcards are names of files and methods; the schemas allow numbers only for what is not quoted."""
    text = path.read_text(encoding="utf-8")
    for name in ("log", "output", "input", "wildcards.method", "wildcards.benchmark", "params.suite"):
        assert f"{{{name}}}" not in text
