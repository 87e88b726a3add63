"""Tests of the number of items in one page of a list."""

import json

import pytest
from incidents.domain import wire_form


@pytest.mark.parametrize("character", ["x", '"', "\x7f", "é", "\u2028", "🔐"])
@pytest.mark.parametrize("characters", [30_000, 400_000])
def test_a_page_of_any_characters_stays_within_lambda_s_limit(character: str, characters: int) -> None:
    documents = [json.dumps(character * characters, ensure_ascii=False)] * 20
    positions = [str(n) for n in range(20)]

    carried, position = wire_form.cut(documents, positions, "the end")

    within = [n for n in range(1, 21) if n * len(json.dumps(documents[0])) <= wire_form.PAGE_BYTES]
    assert len(carried) == max(within, default=1)  # a single document is sent alone, however large it is
    assert position == ("the end" if len(carried) == 20 else positions[len(carried) - 1])
