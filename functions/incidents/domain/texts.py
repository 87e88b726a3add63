"""The characters of texts: which characters a field may hold, and the repair of texts from findings and exports.

A text of one line holds no control characters (Unicode category Cc), no invisible format characters (Cf, such as
zero-width spaces and bidirectional controls), no line or paragraph separators (Zl, Zp), no surrogates (Cs) and no
unassigned characters (Cn), and it is not blank. It also holds no invisible letters or marks, such as the Hangul
fillers. But the following characters are accepted:

- U+200C and U+200D between two characters beyond ASCII, because Persian, Indic scripts and emoji need them
- the tags of a flag, such as Scotland's
- a variation selector after an ideograph
- the characters that Unicode reserves for future emoji

A text of several lines holds no control characters except tab, line feed and carriage return.

Neither kind of text holds U+FFFD, which replaces a character that was lost before the text reached this service.
"""

import re
from collections.abc import Callable, Set
from unicodedata import category

REPLACEMENT = "\ufffd"
REPLACED = "must not hold U+FFFD, which stands for a character that was not valid UTF-8; send the text as UTF-8"
UNTITLED = "(untitled)"
"""The title that a repair gives to an incident with a blank title."""

Rule = Callable[[str], Callable[[int], bool]]
"""A function that takes a text, and returns a function that says whether the character at a place is refused."""

_REFUSED = frozenset({"Cc", "Cf", "Cs", "Cn", "Zl", "Zp"})
_WITHOUT_INK = frozenset({"Cc", "Cf", "Cs", "Zs", "Zl", "Zp", "Mn", "Mc", "Me"})
_FILLERS = "\u115f\u1160\u2800\u3164\uffa0"  # these letters and this symbol are invisible
_UNSEEN = re.compile(
    f"[{_FILLERS}\u034f\u17b4\u17b5\U000e0100-\U000e01ef]"
)  # these characters are invisible, but str.isprintable() accepts them
_FLAG = re.compile("\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f")  # UTS #51: a black flag and tags
_JOINERS = "\u200c\u200d"
_DEPENDENT = re.compile(f"[{_JOINERS}\U000e0100-\U000e01ef]")  # these are accepted only next to certain characters
_ENDS = "".join(chr(plane << 16 | end) for plane in range(17) for end in (0xFFFE, 0xFFFF))
_NONCHARACTER = re.compile(f"[\ufdd0-\ufdef{_ENDS}]")
_FOR_EMOJI = range(0x1F000, 0x1FFFE)  # UTS #51; a newer Unicode than Python's may assign these characters
_LINE_ENDS = re.compile("[\t-\r\x1c-\x1f\x85\u2028\u2029]+")


def line_fault(text: str, allowed: Set[str] = frozenset()) -> str | None:
    """Return the rule that a text of one line breaks, or None.

    ``allowed`` are further characters that the text may hold.
    """
    return _first_fault(text, _refused_in_line, allowed) or ("must not be blank" if _is_blank(text) else None)


def paragraphs_fault(text: str, allowed: Set[str] = frozenset()) -> str | None:
    """Return the rule that a text of several lines breaks, or None. ``allowed`` is as in ``line_fault``."""
    return _first_fault(text, _refused_in_paragraphs, allowed)


def undecided(text: str) -> frozenset[str]:
    """Return the characters of a text about which a newer version of Unicode may decide otherwise.

    The result has the unassigned characters of the text, except the 66 noncharacters, which stay unassigned in every
    version. If the text has an unassigned character, the result also has the text's joiners and variation selectors,
    because they are accepted or refused by their neighbors.
    """
    if text.isprintable():
        return frozenset()
    unassigned = {letter for letter in text if category(letter) == "Cn" and not _NONCHARACTER.match(letter)}
    return frozenset(unassigned and unassigned | set(_DEPENDENT.findall(text)))


def repair_line(text: str, kept: Set[str] = frozenset()) -> str:
    """Return a text of one line without its refused characters (see ``line_fault``); "" if nothing visible is left.

    Line ends and tabs become a space, and U+FFFD becomes a question mark. Other refused characters are removed, except
    the characters in ``kept``.
    """
    if line_fault(text, kept) is None:
        return text
    text = _LINE_ENDS.sub(" ", text).replace(REPLACEMENT, "?")
    while _first_fault(text, _refused_in_line, kept):  # a removal can leave a joiner without its neighbor
        text = _without_refused(text, _refused_in_line, kept)
    text = text.strip()
    return "" if _is_blank(text) else text


def repair_paragraphs(text: str) -> str:
    """Return a text of several lines without control characters, and with a question mark for each U+FFFD."""
    if paragraphs_fault(text) is None:
        return text
    return _without_refused(text.replace(REPLACEMENT, "?"), _refused_in_paragraphs)


def _without_refused(text: str, rule: Rule, kept: Set[str] = frozenset()) -> str:
    is_refused = rule(text)
    return "".join(letter for place, letter in enumerate(text) if letter in kept or not is_refused(place))


def _first_fault(text: str, rule: Rule, allowed: Set[str]) -> str | None:
    if text.isprintable() and REPLACEMENT not in text and not _UNSEEN.search(text):  # nearly every text
        return None
    is_refused = rule(text)
    for place, letter in enumerate(text):
        if is_refused(place) and letter not in allowed:
            if letter == REPLACEMENT:
                return REPLACED
            kind = "control" if category(letter) == "Cc" else "invisible or unassigned"
            return f"must not hold the {kind} character U+{ord(letter):04X}, as character {place + 1}"
    return None


def _refused_in_line(text: str) -> Callable[[int], bool]:
    # The flags are searched once for a text. A search for each character would take quadratic time.
    in_flags = {place for flag in _FLAG.finditer(text) for place in range(flag.start() + 1, flag.end())}

    def is_refused(place: int) -> bool:
        letter = text[place]
        if _UNSEEN.match(letter):
            return not (letter >= "\U000e0100" and place > 0 and category(text[place - 1]) == "Lo")
        if letter.isprintable():
            return letter == REPLACEMENT
        kind = category(letter)
        if "\U000e0020" <= letter <= "\U000e007f":
            return place not in in_flags
        if letter in _JOINERS and 0 < place < len(text) - 1:
            around = text[place - 1], text[place + 1]
            return not all(neighbor > "\x7f" and category(neighbor)[0] not in "CZ" for neighbor in around)
        return kind in _REFUSED and not (kind == "Cn" and ord(letter) in _FOR_EMOJI)

    return is_refused


def _refused_in_paragraphs(text: str) -> Callable[[int], bool]:
    def is_refused(place: int) -> bool:
        letter = text[place]
        if letter.isprintable():
            return letter == REPLACEMENT
        return category(letter) in ("Cc", "Cs") and letter not in "\t\n\r"

    return is_refused


def _is_blank(text: str) -> bool:
    return all(letter in _FILLERS or category(letter) in _WITHOUT_INK for letter in text)
