"""Errors of the subscribers: helpful sentences that survive pickling."""

from __future__ import annotations

import pickle

import pytest

from subscribers import ImportRefused, ImportReport, Refusal, UnknownList

MANY = [f"list-{number}" for number in range(12)]


@pytest.mark.parametrize(
    ("slug", "known", "sentence"),
    [
        ("news", [], "there is no list 'news': none exists yet; add one first"),
        ("newz", ["news", "jobs"], "there is no list 'newz': did you mean 'news'?"),
        ("x", ["news", "jobs"], "there is no list 'x': there are news, jobs"),
        (
            "?",
            MANY,
            f"there is no list '?': there are {', '.join(MANY[:10])} and others",
        ),
    ],
)
def test_an_unknown_list_names_what_there_is(slug, known, sentence):
    error = UnknownList(slug, known=known)
    assert str(error) == sentence
    assert str(pickle.loads(pickle.dumps(error))) == sentence


@pytest.mark.parametrize(
    ("refused", "words"), [(1, "1 row was refused"), (7, "7 rows were refused")]
)
def test_a_refused_import_names_the_first_row(refused, words):
    report = ImportReport(refused=refused, refusals=[Refusal(3, "is empty")])
    error = pickle.loads(pickle.dumps(ImportRefused(report)))
    assert words in str(error)
    assert "line 3 (is empty)" in str(error)
    assert error.report == report
