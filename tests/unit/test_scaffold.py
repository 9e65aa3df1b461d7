"""`fairmt new-baseline`: a folder that is a method, from a name that can be one; nothing is overwritten."""

import shutil

import pytest

from fairmt.cli import main
from fairmt.errors import FairMTError
from fairmt.methods.registry import BASELINES, load_method, read_cards
from fairmt.scaffold import TEMPLATE, new_baseline


@pytest.fixture
def baselines(tmp_path):
    """A baselines folder with the template and FairMT, which has variants."""
    for name in (TEMPLATE, "fairmt"):
        shutil.copytree(BASELINES / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "class_name", "title"),
    [("newcomer", "Newcomer", "Newcomer"), ("hgr_chi2", "HgrChi2", "Hgr chi2"), ("a__b_", "AB", "A b")],
)
def test_name_class_and_title(baselines, name, class_name, title):
    folder = new_baseline(name, baselines)
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "method.py", "method.yaml"]
    card = read_cards(baselines)[name]
    assert card.title == title
    assert load_method(card).__name__ == class_name
    assert (folder / "README.md").read_text().startswith(f"# {name}: ")
    for path in folder.iterdir():
        assert not any(form in path.read_text() for form in ("my_method", "MyMethod", "My method"))


@pytest.mark.parametrize(
    "name", ["", "_new", "2fast", "Fair", "my-method", "a/b", "../a", "é", "lambda", "a b"]
)
def test_names_that_no_method_can_have(baselines, name):
    before = sorted(baselines.rglob("*"))
    with pytest.raises(FairMTError, match="NAME: expected small letters, digits and _"):
        new_baseline(name, baselines)
    assert sorted(baselines.rglob("*")) == before


@pytest.mark.parametrize("name", ["method", "batch", "tensor"])
def test_names_that_the_code_needs(baselines, name):
    with pytest.raises(FairMTError, match=f"{name!r}: method.py uses the name {name.capitalize()}"):
        new_baseline(name, baselines)


def test_nothing_is_overwritten(baselines):
    path = new_baseline("newcomer", baselines) / "method.py"
    path.write_text("mine")
    with pytest.raises(FairMTError, match="newcomer exists and is left as it is"):
        new_baseline("newcomer", baselines)
    assert path.read_text() == "mine"
    (baselines / "taken").touch()
    with pytest.raises(FairMTError, match="taken exists"):
        new_baseline("taken", baselines)
    with pytest.raises(FairMTError, match=r"'fairmt_eo' is a variant in .*fairmt;"):
        new_baseline("fairmt_eo", baselines)


def test_no_template(tmp_path):
    with pytest.raises(FairMTError, match=r"_template/method.py: no such file"):
        new_baseline("newcomer", tmp_path)


def test_the_command_says_what_is_next(baselines, capsys, monkeypatch):
    root = baselines.parent / "root"
    for folder in ("config", "workflow"):
        shutil.copytree(folder, root / folder)
    shutil.copytree(baselines, root / "baselines")
    monkeypatch.chdir(root)
    assert main(["new-baseline", "newcomer"]) == 0
    assert "pytest tests/contract -k newcomer\n" in capsys.readouterr().out
    assert main(["list"]) == 0
    assert "newcomer" in capsys.readouterr().out
    assert main(["new-baseline", "newcomer"]) == 1
    assert "exists" in capsys.readouterr().err
    shutil.rmtree(root / "baselines")
    assert main(["new-baseline", "other"]) == 1
    assert "no folder 'baselines'; run fairmt in the repository's root" in capsys.readouterr().err
