"""Tests that show which texts count as equal in a search for words."""

import pytest
from incidents.edges import parameters

from tests.support.incidents import FULL


@pytest.mark.parametrize(
    ("title", "words", "is_found"),
    [
        ("Cafe\u0301 down", "caf\u00e9", True),
        ("Caf\u00e9 down", "CAFE\u0301", True),
        ("Caf\u00e9 down", "cafe", False),
        ("STRASSE", "stra\u00dfe", True),
        ("\ub2e4\uc6b4", "\u1103\u1161\u110b\u116e\u11ab", True),
        ("\u0390", "\u03aa\u0301", True),
        ("down", "down up", False),
    ],
)
def test_a_word_is_found_in_any_case_and_any_encoding_of_its_accents(title: str, words: str, is_found: bool) -> None:
    filters = parameters.list_request({"q": [words]}).filters
    incident = FULL | {"title": title, "incident_number": "IR-1"}

    assert filters.has_words(incident) is is_found  # type: ignore[arg-type]
