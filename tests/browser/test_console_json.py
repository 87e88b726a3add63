"""Tests that the console's code changes no digit and no order of a JSON text. They need node."""

import csv
import io
import json
import random
from decimal import Decimal
from typing import Any

from tests.browser.test_console_merge import node
from tests.support import sheets

NUMBERS = [
    "0", "-0", "7", "-12", "9007199254740991", "9007199254740993", "12345678901234567890", "1.0", "-0.0", "0.1",
    "0.30000000000000004", "123456789012345.6789", "1e16", "1E+2", "1e-7", "1e400", "100.10", "2.5e-324",
]  # fmt: skip
NAMES = ["a", "10", "9", "", "__proto__", "constructor", "#1", "'2", 'a "b"\\', "k:1,", "🚒", "text"]
TEXTS = ["", "a", "1.0", "#1.0", "'", '"', "\\", '\\\\" 1.0', "\u2028\x7f\u0001", '{"n": 1.0}', "🚒 é"]
NOT_JSON = [
    "", "01", "1.", ".5", "+1", "-", "1e", "1.0.0", "1-2", "- 1", "0x1", "NaN", "1 2", "1.0 1.0", "[1.0", "[1,]",
    '{"a" 1}', '{1.0: 1}', '"a', '"a\\"', "'a'", '"\t"', "1.0a", "tru", "[1e5.5]", '"\\x"', "1.0#", '1.0""',
]  # fmt: skip


class Literal(str):
    """The digits of a number in a JSON text."""


def drawn(rng: random.Random, levels: int) -> str:
    """Return a random JSON text, with spaces between its tokens."""
    space = rng.choice(["", " ", "\n\t"])
    kind = rng.random()
    if levels == 0 or kind < 0.4:
        return rng.choice([rng.choice(NUMBERS), number(rng), json.dumps(rng.choice(TEXTS)), "true", "false", "null"])
    count = rng.randint(0, 4)
    if kind < 0.6:
        return f"[{space}{f' ,{space}'.join(drawn(rng, levels - 1) for _ in range(count))}{space}]"
    names = [json.dumps(name, ensure_ascii=rng.random() < 0.5) for name in rng.sample(NAMES, count)]
    return f"{{{space}{f',{space}'.join(f'{name}{space}:{drawn(rng, levels - 1)}' for name in names)}{space}}}"


def number(rng: random.Random) -> str:
    whole = str(rng.choice([0, rng.randrange(10**3), rng.randrange(10**25)]))
    fraction = rng.choice(["", f".{rng.randrange(10**6):06d}", f".{rng.randrange(10**20)}"])
    return rng.choice(["", "-"]) + whole + fraction + rng.choice(["", "", f"e{rng.randint(-30, 30)}"])


def exact(text: str) -> Any:
    """Return the value of a JSON text with its digits and the order of its members."""
    return json.loads(text, parse_int=Literal, parse_float=Literal, object_pairs_hook=lambda pairs: ("object", pairs))


def test_a_json_text_that_is_read_and_written_keeps_all_digits_and_all_names_in_their_order() -> None:
    rng = random.Random(9)
    texts = [drawn(rng, 4) for _ in range(2000)]
    again = node("call.mjs", "json", given=[["written", {"call": ["parsed", text]}, *more]
                                            for text in texts for more in ([], ["  "])])  # fmt: skip
    rounded = 0
    for text, compact, spaced in zip(texts, again[::2], again[1::2], strict=True):
        assert exact(compact) == exact(spaced) == exact(text)
        rounded += any(Decimal(str(float(one))) != Decimal(one) for one in literals(exact(text)))
    assert rounded > 500, "the texts hardly have numbers that a double rounds"


def literals(value: Any) -> list[str]:
    if isinstance(value, Literal):
        return [value]
    parts = value if isinstance(value, list) else [one for _, one in value[1]] if isinstance(value, tuple) else []
    return [one for part in parts for one in literals(part)]


def test_the_written_text_has_a_line_for_each_member_only_if_it_is_for_people() -> None:
    given = '{"b": [1.0, [], {}], "10": {"a": -0.0}}'
    compact, spaced, sorted_ = node("call.mjs", "json", given=[
        ["written", {"call": ["parsed", given]}, *more] for more in ([], ["  "], ["", True])
    ])  # fmt: skip
    assert compact == given.replace(" ", "")
    assert spaced == '{\n  "b": [\n    1.0,\n    [],\n    {}\n  ],\n  "10": {\n    "a": -0.0\n  }\n}'
    assert sorted_ == '{"10":{"a":-0.0},"b":[1.0,[],{}]}'


def test_what_is_no_json_is_refused() -> None:
    held, said = {"a": 1}, {"wrong": "must be JSON, because its present value is"}
    read = node(
        "call.mjs", "fields", given=[["valueOf", "lessons_learned", f"[{text}]", held] for text in NOT_JSON[1:]]
    )
    assert read == [said] * len(read)


def test_a_patch_of_a_json_field_names_only_the_changed_members_and_their_digits() -> None:
    held = (
        '{"n": 12345678901234567890, "k": "v", "f": 1.0, "old": 2, "nul": null, "in": {"10": 1e400, "x": [null, 1.0]}}'
    )
    cases = {
        held.replace('"v"', '"w"'): '{"k":"w"}',
        held.replace("890,", "891,"): '{"n":12345678901234567891}',
        held.replace("1.0, ", "1, "): '{"f":1}',
        held.replace('"old": 2, ', ""): '{"old":null}',
        held.replace('"x": [null, 1.0]', '"x": [null, 1.00]'): '{"in":{"x":[null,1.00]}}',
        '{"nul": null, "new": {"__proto__": -0.0}}':
            '{"n":null,"k":null,"f":null,"old":null,"in":null,"new":{"__proto__":-0.0}}',
        "[12345678901234567890]": "[12345678901234567890]",
    }  # fmt: skip
    base: dict[str, Any] = {"call": ["parsed", f'{{"lessons_learned": {held}}}']}
    value: dict[str, Any] = {"call": ["parsed", held]}
    modules = ("json", "merge", "fields")
    patches = node("call.mjs", *modules, given=[
        ["written", {"call": ["patchOf", base, {
            "lessons_learned": {"value": {"call": ["valueOf", "lessons_learned", typed, value]}}}]}]
        for typed in cases
    ])  # fmt: skip
    assert patches == [f'{{"lessons_learned":{patch}}}' for patch in cases.values()]
    again, other, nulled, scalar = node("call.mjs", *modules, given=[
        ["pruned", base, {"lessons_learned": {"value": {"call": ["parsed", one]}}}]
        for one in (' {"k":"v",' + held[1:].replace('"k": "v", ', ""), held.replace("1.0, ", "1.00, "))
    ] + [
        ["valueOf", "lessons_learned", '{"k": null}', value],
        ["valueOf", "lessons_learned", "12345678901234567891", {"call": ["parsed", "12345678901234567890"]}],
    ])  # fmt: skip
    assert again == {}, "members in another order are no edit"
    assert other != {}
    assert nulled == {"wrong": "must not set a member to null, because the service removes such a member"}
    assert scalar == {"text": "12345678901234567891"}, "a number stays a number"


def test_two_texts_that_a_double_cannot_tell_apart_collide() -> None:
    base, theirs = (
        {"financial_impact": {"call": ["parsed", one]}} for one in ("123456789012345.6789", "123456789012345.67")
    )
    merged = node("call.mjs", "json", "merge", given=[["merge", base, theirs, {"financial_impact": {"value": 5}}]])
    assert [one["path"] for one in merged[0]["collisions"]] == ["financial_impact"]


def test_an_amount_is_shown_with_all_its_digits() -> None:
    amounts = ["0", "980", "0.5", "48250.5", "1000", "1000000000000000", "999999999999999.9999"]
    shown = node("call.mjs", "json", "texts", given=[["dollars", {"call": ["parsed", one]}] for one in amounts])
    assert shown == ["0 USD", "980 USD", "0.50 USD", "48,250.50 USD", "1,000 USD", "1,000,000,000,000,000 USD",
                     "999,999,999,999,999.9999 USD"]  # fmt: skip


def test_a_file_for_a_spreadsheet_has_exact_numbers_and_no_formula() -> None:
    texts = ["=1", "+1", "-1", "@a", " =1", *(f"{chr(ord(one) + 0xFEE0)}1" for one in "=+-@"), "a=1"]
    number = {"call": ["parsed", "-12345678901234567890.0"]}
    (text,) = node("call.mjs", "json", "csv", given=[["csv", [[*texts, number]]]])
    cells = [f"'{one}" for one in texts[:-1]] + ["a=1"]
    assert text == ",".join([*(f'"{one}"' for one in cells), "-12345678901234567890.0"]) + "\r\n"


def test_no_text_becomes_a_formula_whatever_a_spreadsheet_splits_at() -> None:
    rows = [[text, "b", text] for text in sheets.hostile_texts()]
    (text,) = node("call.mjs", "json", "csv", given=[["csv", rows]])
    sheets.must_have_no_formula(text)
    assert [row[1] for row in csv.reader(io.StringIO(text, newline=""))] == ["b"] * len(rows)
