"""Inputs of a text benchmark: TF-IDF in a few latent dimensions, or the embeddings of a sentence encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fairmt.data.dataset import Table
from fairmt.errors import FairMTError

ROWS = 3
SEED = 0


def columns(spec: Mapping[str, Any]) -> list[str]:
    """The column that holds the text."""
    return [spec["text"]["column"]]


def build(table: Table, train: np.ndarray, spec: Mapping[str, Any]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Feature matrix and feature names; every constant is taken from the training rows.

    Without ``encoder``, the features are latent semantic dimensions: the largest ``components``
    singular vectors of the training rows' TF-IDF matrix (see `latent`). With it, they are the sentence
    embeddings of that model. Either way each is standardised.

    Parameters
    ----------
    table : Table
    train : bool array, [N]
    spec : mapping
        The benchmark's ``features:`` section; ``text`` has ``column`` and either ``components`` or
        ``encoder``.

    Returns
    -------
    x : float32 array, [N, F]
    names : tuple of str
        ``column:0``, ``column:1``, ...

    Raises
    ------
    FairMTError
        If a row has no text, the training rows have too few terms, or the encoder is not at hand.
    """
    chosen = spec["text"]
    texts = _texts(table.frame[chosen["column"]])
    if "encoder" in chosen:
        x = embeddings(texts, chosen["encoder"])
    else:
        x = latent(texts, train, chosen["components"])
    scale = x[train].std(axis=0)
    x = (x - x[train].mean(axis=0)) / np.where(scale > 0, scale, 1.0)
    return x.astype(np.float32), tuple(f"{chosen['column']}:{number}" for number in range(x.shape[1]))


def latent(texts: np.ndarray, train: np.ndarray, components: int) -> np.ndarray:
    """TF-IDF of terms, projected on the largest singular vectors of the training rows.

    Terms are words and pairs of words. A term counts if at least three training rows have it, with one
    plus the logarithm of its frequency in the row, times its inverse document frequency; rows are
    normalised to length one. Singular vectors come from randomised power iterations of a fixed seed, on
    one thread, so that the bytes do not depend on the number of cores.

    Parameters
    ----------
    texts : object array of str, [N]
    train : bool array, [N]
        Rows that terms, frequencies and singular vectors come from.
    components : int
        F.

    Returns
    -------
    float64 array, [N, F]

    Raises
    ------
    FairMTError
        If there are fewer than F terms or training rows.

    References
    ----------
    Deerwester et al., *Indexing by latent semantic analysis*, 1990. Halko, Martinsson and Tropp,
    *Finding structure with randomness*, SIAM Review 2011.
    """
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from threadpoolctl import threadpool_limits

    terms = TfidfVectorizer(token_pattern=r"\w+", ngram_range=(1, 2), min_df=ROWS, sublinear_tf=True)
    try:
        terms.fit(texts[train])
    except ValueError:
        raise FairMTError(f"features.text: no word is in {ROWS} of the {train.sum()} training rows") from None
    frequencies = terms.transform(texts)
    if min(frequencies.shape[1], train.sum()) < components:
        raise FairMTError(
            f"features.text.components: expected at most the number of terms ({frequencies.shape[1]}) and "
            f"of training rows ({train.sum()}), found {components}"
        )
    reduction = TruncatedSVD(components, random_state=SEED)
    with threadpool_limits(limits=1):
        reduction.fit(frequencies[train])
        return reduction.transform(frequencies)


def embeddings(texts: np.ndarray, encoder: str) -> np.ndarray:
    """Sentence embeddings by a model of the library sentence-transformers, which must be on this machine.

    Weights are never downloaded, and only read from safetensors.

    Parameters
    ----------
    texts : object array of str, [N]
    encoder : str
        A model's folder, or its name on the Hugging Face hub.

    Returns
    -------
    float64 array, [N, F]

    Raises
    ------
    FairMTError
        If the library is not installed, or the model is not on this machine.
    """
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise FairMTError(
            "features.text.encoder: needs the library sentence-transformers, which is not installed; "
            "run `pip install --constraint requirements.lock --editable '.[encoders]'`"
        ) from None
    try:
        model = SentenceTransformer(
            encoder, device="cpu", local_files_only=True, model_kwargs={"use_safetensors": True}
        )
    except (OSError, ValueError) as error:
        raise FairMTError(
            f"features.text.encoder: {encoder!r} is not on this machine, and nothing is downloaded silently; "
            f"get it by `hf download {encoder}`, or name a folder that holds it ({error})"
        ) from None
    return model.encode(list(texts), show_progress_bar=False, convert_to_numpy=True).astype(np.float64)


def _texts(column: pd.Series) -> np.ndarray:
    missing = ~column.map(lambda text: isinstance(text, str) and bool(text.strip())).to_numpy(dtype=bool)
    if missing.any():
        raise FairMTError(
            f"features.text: column {column.name!r}: expected text in every row, found {missing.sum()} rows "
            f"without (row {column.index[missing][0]})"
        )
    return column.to_numpy(dtype=object)
