"""Digests: what changes a run's path, and what must not."""

import pytest

from fairmt import digest
from fairmt.digest import code_digest, hash8, module_file
from fairmt.errors import FairMTError


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of three modules: a imports b (inside a function), c is on its own."""
    root = tmp_path / "fairmt"
    (root / "part").mkdir(parents=True)
    (root / "part" / "__init__.py").write_text("")
    (root / "a.py").write_text("def f():\n    from fairmt.part.b import g\n\n    return g()\n")
    (root / "part" / "b.py").write_text("def g():\n    return 1\n")
    (root / "c.py").write_text("def h():\n    return 2\n")
    monkeypatch.setattr(digest, "PACKAGE", root)
    return root


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_code_of_imported_modules_counts(package):
    before = code_digest(package / "a.py")
    edit(package / "part" / "b.py", "return 1", "return 3")
    assert code_digest(package / "a.py") != before


def test_other_modules_do_not_count(package):
    before = code_digest(package / "a.py")
    edit(package / "c.py", "return 2", "return 3")
    assert code_digest(package / "a.py") == before


def test_comments_docstrings_and_layout_do_not_count(package):
    before = code_digest(package / "a.py")
    edit(
        package / "part" / "b.py",
        "def g():\n    return 1",
        '"""Module."""\n\n\ndef g():\n    """Say one."""\n    # Why.\n    return (\n        1\n    )',
    )
    assert code_digest(package / "a.py") == before


def test_strings_that_are_no_docstrings_count(package):
    edit(package / "c.py", "return 2", 'return "two"')
    before = code_digest(package / "c.py")
    edit(package / "c.py", '"two"', '"three"')
    assert code_digest(package / "c.py") != before


def test_names_and_order_of_roots(package, tmp_path):
    a, c = package / "a.py", package / "c.py"
    assert code_digest(a, c) == code_digest(c, a)
    moved = tmp_path / "method.py"
    moved.write_text(c.read_text())
    assert code_digest(moved) != code_digest(c)


def test_the_place_of_the_repository_does_not_count(package, tmp_path, monkeypatch):
    before = code_digest(package / "a.py")
    elsewhere = tmp_path / "clone" / "fairmt"
    elsewhere.parent.mkdir()
    package.rename(elsewhere)
    monkeypatch.setattr(digest, "PACKAGE", elsewhere)
    assert code_digest(elsewhere / "a.py") == before


def test_files_that_are_not_python_count_byte_by_byte(tmp_path):
    rule = tmp_path / "rule.smk"
    rule.write_text("rule a:\n")
    before = code_digest(rule)
    rule.write_text("rule a:  # comment\n")
    assert code_digest(rule) != before


def test_editing_one_method_leaves_the_others_alone(tmp_path):
    """Methods share the training loop; a method's own file is in its own digest only."""
    loop = module_file("fairmt.training")
    files = [tmp_path / name / "method.py" for name in ("one", "two")]
    for file in files:
        file.parent.mkdir()
        file.write_text("from fairmt.methods.base import Method\n\nMETHOD = Method\n")
    before = [code_digest(loop, file) for file in files]
    files[0].write_text(
        "from fairmt.methods.base import Method\n\n\nclass M(Method):\n    pass\n\n\nMETHOD = M\n"
    )
    after = [code_digest(loop, file) for file in files]
    assert (before[0] == after[0], before[1] == after[1]) == (False, True)


def test_hash_keeps_types_and_ignores_key_order():
    assert hash8({"a": 1, "b": 2}) == hash8({"b": 2, "a": 1})
    assert len({hash8(value) for value in (1, 1.0, "1", True, None, [1])}) == 6
    with pytest.raises(ValueError, match="JSON"):
        hash8(float("nan"))


def test_unknown_module_is_refused():
    with pytest.raises(FairMTError, match=r"no module 'fairmt\.nowhere'"):
        module_file("fairmt.nowhere")


def test_the_digest_of_a_file_is_pinned_across_python_versions(tmp_path):
    """A digest that changed with the interpreter would make every stored run look like another's."""
    source = (
        '"""Doc."""\n\n\ndef f(x: int = 1, *rest) -> float:\n'
        '    """Doc."""\n    return -x / 2.5 if rest else f"{x}"\n'
    )
    (tmp_path / "one.py").write_text(source)
    assert digest.code_digest(tmp_path / "one.py") == "412eb1b1"
