"""Text inputs: what they depend on, that their bytes repeat, and what is refused."""

import sys
import types

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from text_files import sentence

from fairmt.config import read_benchmark
from fairmt.data.dataset import Table
from fairmt.data.features import modality, text
from fairmt.errors import FairMTError
from fairmt.yaml_files import validate

SPEC = {"numeric": [], "categorical": [], "text": {"column": "essay", "components": 8}}


def rows(count=200, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"essay": [sentence(rng, 12) for _ in range(count)]}, index=np.arange(count))
    return Table(frame=frame), np.arange(count) < count * 0.7


def encoder_library(monkeypatch, model):
    library = types.ModuleType("sentence_transformers")
    library.SentenceTransformer = model
    monkeypatch.setitem(sys.modules, "sentence_transformers", library)


def test_features_are_standardised_on_training_rows():
    table, train = rows()
    x, names = text.build(table, train, SPEC)
    assert x.shape == (200, 8)
    assert x.dtype == np.float32
    assert names == tuple(f"essay:{number}" for number in range(8))
    np.testing.assert_allclose(x[train].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(x[train].std(axis=0), 1, atol=1e-5)


def test_the_same_bytes_twice():
    table, train = rows()
    first, second = (text.build(table, train, SPEC)[0] for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_nothing_is_fitted_on_other_rows():
    table, train = rows()
    frame = table.frame.copy()
    frame.loc[~train, "essay"] = "words that no other essay has " + frame["essay"].iloc[0]
    before, after = (text.build(part, train, SPEC)[0] for part in (table, Table(frame=frame)))
    np.testing.assert_array_equal(before[train], after[train])
    assert not np.array_equal(before[~train], after[~train])


def test_latent_dimensions_are_the_singular_vectors():
    """Against numpy's dense decomposition, up to the vectors' signs."""
    table, train = rows()
    essays = table.frame["essay"].to_numpy(dtype=object)
    found = text.latent(essays, train, 3)
    terms = TfidfVectorizer(token_pattern=r"\w+", ngram_range=(1, 2), min_df=3, sublinear_tf=True)
    dense = terms.fit(essays[train]).transform(essays).toarray()
    vectors = np.linalg.svd(dense[train], full_matrices=False)[2]
    signs = np.sign((found * (dense @ vectors[:3].T)).sum(axis=0))
    np.testing.assert_allclose(found[:, 0], (dense @ vectors[:3].T * signs)[:, 0], atol=1e-4)
    variance = (found[train] ** 2).sum(axis=0)
    np.testing.assert_allclose(variance, np.linalg.svd(dense[train])[1][:3] ** 2, rtol=0.02)


def test_word_order_tells():
    table, train = rows()
    frame = table.frame.copy()
    frame.iloc[-1, 0] = " ".join(reversed(frame.iloc[-1, 0].split()))
    before, after = (
        text.latent(part["essay"].to_numpy(dtype=object), train, 50) for part in (table.frame, frame)
    )
    assert not np.allclose(before[-1], after[-1])


@pytest.mark.parametrize("missing", [None, np.nan, "", "  \n", 3.5])
def test_a_row_without_text(missing):
    table, train = rows()
    frame = table.frame.astype(object)
    frame.iloc[4, 0] = missing
    with pytest.raises(
        FairMTError, match=r"column 'essay': expected text in every row, found 1 rows .*row 4"
    ):
        text.build(Table(frame=frame), train, SPEC)


def test_too_few_terms():
    table, train = rows()
    with pytest.raises(
        FairMTError, match=r"components: expected at most .* terms .*training rows \(140\), found 141"
    ):
        text.build(table, train, SPEC | {"text": {"column": "essay", "components": 141}})
    strange = Table(frame=pd.DataFrame({"essay": [f"{number}" for number in range(200)]}))
    with pytest.raises(FairMTError, match="no word is in 3 of the 140 training rows"):
        text.build(strange, train, SPEC)


def test_an_encoder_without_its_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    table, train = rows()
    with pytest.raises(FairMTError, match=r"encoder: needs the library .*pip install .* '\.\[encoders\]'"):
        text.build(table, train, {"text": {"column": "essay", "encoder": "some/model"}})


def test_an_encoder_that_is_not_on_this_machine(monkeypatch):
    def model(name, **options):
        assert options["local_files_only"]
        raise OSError("not in the cache")

    encoder_library(monkeypatch, model)
    table, train = rows()
    with pytest.raises(FairMTError, match=r"'some/model' is not on this machine.*hf download some/model"):
        text.build(table, train, {"text": {"column": "essay", "encoder": "some/model"}})


def test_embeddings_are_standardised(monkeypatch):
    class Model:
        def __init__(self, name, **options):
            assert options["model_kwargs"] == {"use_safetensors": True}

        def encode(self, texts, **options):
            assert all(isinstance(entry, str) for entry in texts)
            return np.array([[len(entry), entry.count("b"), 1] for entry in texts], dtype=np.float32)

    encoder_library(monkeypatch, Model)
    table, train = rows()
    x, names = text.build(table, train, {"text": {"column": "essay", "encoder": "some/model"}})
    assert names == ("essay:0", "essay:1", "essay:2")
    np.testing.assert_allclose(x[train][:, :2].std(axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(x[:, 2], 0)


def test_text_and_columns_are_modalities_of_their_own():
    assert modality(SPEC) == "text"
    assert text.columns(SPEC) == ["essay"]


@pytest.mark.parametrize(
    "features",
    [
        {"text": {"column": "essay"}},
        {"text": {"column": "essay", "components": 8, "encoder": "some/model"}},
        {"text": {"column": "essay", "components": 0}},
        {"text": {"column": "essay", "components": 8}, "numeric": ["age"]},
        {"text": {"column": "essay", "components": 8}, "image": {"size": 64}},
    ],
)
def test_the_schema_refuses_unclear_features(features, tmp_path):
    config = read_benchmark("ellipse")
    validate(config, "benchmark", tmp_path)
    with pytest.raises(FairMTError, match="features"):
        validate(config | {"features": features}, "benchmark", tmp_path)
