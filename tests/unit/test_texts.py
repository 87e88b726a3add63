"""Tests of the characters that a text may hold, and of the repair of a text with other characters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from incidents.domain import texts

any_text = st.text(st.characters(exclude_categories=[])) | st.text(
    st.sampled_from(
        "a \u00a0\u0928\u200b\u200c\u200d\u202e\ufffd\u3164\u845b\U000e0100\U0001f3f4\U000e0067\U000e007f"
        "\U0001f468\U0001fae9\u0378\x00\n\t\x85\ud800"
    )
)


@pytest.mark.parametrize(
    "text",
    [
        "Lost badge", "M\u00fcnchen", "\u65e5\u672c\u8a9e\u3000\u7a7a\u767d", "a\u00a0b", "e\u0301",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\u0915\u094d\u200d\u0937", "\U0001f469\u200d\U0001f4bb", "\U0001f3f3\ufe0f\u200d\U0001f308", "\U0001fae9",
        "\ue000", "-", "\u20ac",
        " padded ",
        "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f to be repaired",
        "\u845b\U000e0100\u57ce", "\u2764\ufe0f",
    ],
)  # fmt: skip
def test_texts_that_people_write_in_any_script_are_accepted(text: str) -> None:
    assert texts.line_fault(text) is None
    assert texts.repair_line(text) == text


@pytest.mark.parametrize(
    ("text", "fault", "repaired"),
    [
        ("a\x00b", "control character U+0000, as character 2", "ab"),
        ("a\x1b[31mb", "control character U+001B", "a[31mb"),
        ("a\x9bb", "control character U+009B", "ab"),
        ("one\r\ntwo\tthree", "control character U+000D", "one two three"),
        ("one\u2028two", "U+2028", "one two"),
        ("a\u200bb", "invisible or unassigned character U+200B", "ab"),
        ("\ufeffa", "U+FEFF", "a"),
        ("a\u202eb", "U+202E", "ab"),
        ("a\u2066b", "U+2066", "ab"),
        ("a\u00adb", "U+00AD", "ab"),
        ("a\u200db", "U+200D", "ab"),
        ("\u0928\u200d", "U+200D", "\u0928"),
        ("\u0928\u200d\u200d\u0928", "U+200D", "\u0928\u0928"),
        ("a\U000e0041", "U+E0041", "a"),
        ("a\u0378", "U+0378", "a"),
        ("a\uffff", "U+FFFF", "a"),
        ("a\ud800", "U+D800", "a"),
        ("M\ufffdnchen", "U+FFFD", "M?nchen"),
        ("", "must not be blank", ""),
        (" \t ", "U+0009", ""),
        ("   ", "must not be blank", ""),
        ("\u00a0\u3000", "must not be blank", ""),
        ("\u3164", "U+3164", ""),
        ("\u2800\ufe0f", "U+2800", ""),
        ("ad\u3164min", "invisible or unassigned character U+3164, as character 3", "admin"),
        ("a\u034fb", "U+034F", "ab"),
        ("a\u17b4b", "U+17B4", "ab"),
        ("a\U000e0100", "U+E0100", "a"),
        ("\u3164\u200d\u0928", "U+3164", "\u0928"),
        ("\u3164\U000e0100b", "U+3164", "b"),
        ("\U0001f3f4\U000e0067", "U+E0067", "\U0001f3f4"),
        ("\U0001f3f4a\U000e0067\U000e007f", "U+E0067", "\U0001f3f4a"),
        ("\u200b", "U+200B", ""),
    ],
)
def test_a_refused_text_of_one_line_is_named_and_can_be_repaired(text: str, fault: str, repaired: str) -> None:
    assert fault in (texts.line_fault(text) or "")
    assert texts.repair_line(text) == repaired


@pytest.mark.parametrize(
    ("text", "fault", "repaired"),
    [
        ("one\r\n\ttwo\u2028\u200f\u200b", None, "one\r\n\ttwo\u2028\u200f\u200b"),
        ("", None, ""),
        ("a\x00b\n", "U+0000", "ab\n"),
        ("a\x0cb", "U+000C", "ab"),
        ("a\x1b[0m", "U+001B", "a[0m"),
        ("a\x85b", "U+0085", "ab"),
        ("M\ufffdnchen\n", "not valid UTF-8", "M?nchen\n"),
    ],
)
def test_a_text_of_several_lines_holds_line_ends_and_tabs_only(text: str, fault: str | None, repaired: str) -> None:
    assert (fault or "") in (texts.paragraphs_fault(text) or "")
    assert (fault is None) == (texts.paragraphs_fault(text) is None)
    assert texts.repair_paragraphs(text) == repaired


@given(any_text)
def test_a_repaired_text_is_accepted_or_empty_and_never_longer(text: str) -> None:
    line, paragraphs = texts.repair_line(text), texts.repair_paragraphs(text)

    assert line == "" or texts.line_fault(line) is None
    assert texts.paragraphs_fault(paragraphs) is None
    assert len(line) <= len(text)
    assert len(paragraphs) <= len(text)
    assert (line == text) == (texts.line_fault(text) is None or text == "")
    assert texts.line_fault(text, set(text)) in (None, "must not be blank")
