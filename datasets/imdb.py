"""IMDB reviews from the public folder layout, as words."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np

from spsnn.checks import whole_number
from spsnn.datasets._location import data_root
from spsnn.datasets.base import check_split
from spsnn.datasets.dense import DenseSet, hold_out
from spsnn.errors import ConfigError, DataError

FOLDER = "aclImdb"
CLASS_NAMES = ("neg", "pos")
WORD = re.compile(r"[a-z0-9']+")
FORMS = ("bag", "sequence")


def tokens(text):
    """Words of a review: lower case, line breaks of HTML left out, runs of letters, digits and apostrophes."""
    return WORD.findall(text.lower().replace("<br />", " "))


def imdb(split, *, data_dir=None, n_words=2000, form="bag", length=200, n_validation=2500):
    """IMDB reviews, 2 classes.

    Vocabulary: the ``n_words`` words that occur most often in the training part of the files (all its reviews, counted
    with repetition; ties in alphabetical order).  Word k of that order has the id ``k + 1``.

    * ``bag``: float32 ``[N, n_words]``, 1 where the review holds the word, else 0.
    * ``sequence``: ``[N, length]`` ids of the last ``length`` known words, 0 in front where there are fewer.

    Args:
        split: "train" (22,500 samples), "validation" (2,500 of the training part, stratified) or "test" (25,000).
        data_dir: directory that holds ``aclImdb/{train,test}/{pos,neg}/*.txt``; None takes SPSNN_DATA.
        n_words: size of the vocabulary.
        form: "bag" or "sequence".
        length: of a sequence.
        n_validation: samples of the training part to hold out for validation.

    Raises:
        ConfigError: on an unknown form or a size below 1.
        DataError: if the folder is missing or a class has no review.

    Source: Maas et al. 2011, "Learning Word Vectors for Sentiment Analysis".
    """
    check_split(split, "imdb")
    if form not in FORMS:
        raise ConfigError(f"imdb: form must be one of {', '.join(FORMS)}, got {form!r}")
    for name, value in (("n_words", n_words), ("length", length)):
        whole_number(f"imdb: {name}", value, least=1)
    root = data_root(data_dir, "imdb", FOLDER) / FOLDER
    train_words, train_labels = _read(root / "train")
    vocabulary = _vocabulary(train_words, n_words)
    words, labels = (train_words, train_labels) if split != "test" else _read(root / "test")
    if split != "test":
        rows = hold_out(labels, split, n_validation, "imdb")
        words, labels = [words[k] for k in rows], labels[rows]
    make = _bag if form == "bag" else _sequence
    features = make(words, vocabulary, n_words if form == "bag" else length)
    notes = {"source": "IMDB, aclImdb", "n_words": n_words, "form": form, "n_validation": n_validation}
    return DenseSet(features, labels, CLASS_NAMES, "imdb", split, notes)


def _read(folder):
    paths = [(path, k) for k, name in enumerate(CLASS_NAMES) for path in sorted((folder / name).glob("*.txt"))]
    missing = sorted(set(CLASS_NAMES) - {path.parent.name for path, _ in paths})
    if missing:
        raise DataError(f"there are no reviews (*.txt) in {', '.join(str(folder / name) for name in missing)}")
    return [tokens(_text(path)) for path, _ in paths], np.array([k for _, k in paths], np.int64)


def _text(path):
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def _vocabulary(reviews, n_words):
    counts = Counter(word for review in reviews for word in review)
    ranked = sorted(counts, key=lambda word: (-counts[word], word))[:n_words]
    return {word: k for k, word in enumerate(ranked, 1)}


def _bag(reviews, vocabulary, n_words):
    features = np.zeros((len(reviews), n_words), np.float32)
    for row, review in zip(features, reviews, strict=True):
        row[[vocabulary[word] - 1 for word in set(review) if word in vocabulary]] = 1
    return features


def _sequence(reviews, vocabulary, length):
    features = np.zeros((len(reviews), length), np.float32)
    for row, review in zip(features, reviews, strict=True):
        ids = [vocabulary[word] for word in review if word in vocabulary][-length:]
        if ids:
            row[-len(ids) :] = ids
    return features
