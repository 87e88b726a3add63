"""Read amounts as people write them: with a currency, with thousands in groups, with a decimal point or comma."""

import re
from functools import cache
from typing import Literal

Mark = Literal[".", ","]

AMBIGUOUS = "may be thousands or decimals"
WRONG_UNIT = (
    "is in {}, but the field is in US dollars, not in thousands or millions; to keep the text, remove the column from "
    "[columns]: it then goes where `rest` says"
)
_DOLLARS = re.compile(r"(?:US\s?\$|USD|\$|(?:US[- ]?)?dollars?\b)", re.IGNORECASE)
_PLAIN = re.compile(r"-?[0-9]+")
_DECIMALS = re.compile(r"[0-9]+")
_BY_COMMAS = re.compile(r"-?[1-9][0-9]{0,2}(?:,[0-9]{3})+")
_BY_POINTS = re.compile(r"-?[1-9][0-9]{0,2}(?:\.[0-9]{3})+")
_STRANGE = re.compile(r"[^0-9.,\-]")
# Signs and words of other units than the US dollar. Thousands of dollars are another unit, too.
_OTHER_SIGN = re.compile(
    r"(?:(?:\A|[\W\d_])(?:[tkm]|tsd|mio|mrd|mln)\.?\s?)?[€£¥₹₽₺₩₪฿₫₴₦]|(?:\A|[\W\d_])(?!us\$)[a-z]{1,2}\$",
    re.IGNORECASE,
)
_OTHER_WORDS = frozenset({
    "eur", "euro", "euros", "teur", "keur", "gbp", "pfund", "pounds", "chf", "tchf", "sfr", "fr", "franken", "jpy",
    "yen", "cny", "rmb", "inr", "aud", "cad", "nzd", "sek", "nok", "dkk", "kr", "pln", "zł", "czk", "kč", "huf",
    "ft", "ron", "bgn", "try", "rub", "brl", "mxn", "zar", "sgd", "hkd", "krw", "ils", "aed", "thb", "idr", "myr",
    "php", "vnd", "uah", "rsd", "isk", "sar", "qar", "kwd", "egp", "mad", "ngn", "kes", "clp", "ars", "pen", "twd",
    "gel", "tusd", "kusd", "musd", "meur", "kchf", "tsd", "tausend", "thousand", "thousands", "mio", "mill", "mln",
    "million", "millions", "millionen", "mrd", "mia", "milliarden", "billion", "billions", "bn", "milliers", "miles",
    "millones",
})  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+")
_NO_CENTS = re.compile(r"([0-9][.,])[-\u2013\u2014]{1,2}\Z")  # as in 25,-
_SPACES = str.maketrans("", "", " \u00a0\u202f'\u2019_")


def parse(text: str, decimal: Mark | None) -> str:
    """Return an amount as a JSON number. Raises ValueError, whose text describes the fault.

    ``decimal`` decides about an amount with two possible meanings, such as ``48.250``.
    """
    if other := other_unit(text):
        raise ValueError(WRONG_UNIT.format(other))
    digits = _digits(text)
    if _STRANGE.search(digits):
        raise ValueError(f"must be an amount in USD, not {text!r}")
    meanings = readings(digits)
    if not meanings:
        raise ValueError(f"must be a number such as 48250.50, not {text!r}")
    if len(set(meanings.values())) == 1:
        return next(iter(meanings.values()))
    if decimal is None:
        raise ValueError(f"{AMBIGUOUS}: {text!r}; pass --decimal with the mark before the decimals")
    return meanings[decimal]


@cache
def unit_of_column(name: str) -> str | None:
    """Return the part of a column's name that shows another unit than US dollars."""
    return other_unit(name)


def other_unit(text: str) -> str | None:
    """Return the part of an amount, a column's name or a number format that shows another unit than US dollars."""
    if sign := _OTHER_SIGN.search(text):
        return sign[0].strip(" _([-/0123456789")
    return next((word for word in _WORD.findall(text) if word.casefold() in _OTHER_WORDS), None)


def _digits(text: str) -> str:
    digits = _NO_CENTS.sub(r"\g<1>00", _DOLLARS.sub("", text, count=1).translate(_SPACES))
    return f"-{digits[:-1]}" if digits[:1].isdigit() and digits.endswith("-") else digits


def is_dollars(text: str) -> bool:
    """Return whether a text shows US dollars, and no other unit."""
    return _DOLLARS.search(text) is not None and other_unit(text) is None


def is_currency(text: str) -> bool:
    """Return whether a text is the name or the sign of a currency or a unit, such as ``EUR`` or ``T€``."""
    return len(unit(text) or "") == len(text.strip(" .")) > 0


def unit(text: str) -> str | None:
    """Return the part of a text that shows a unit, such as US dollars."""
    return other_unit(text) or ((dollars := _DOLLARS.search(text)) and dollars[0]) or None


def readings(text: str) -> dict[Mark, str]:
    """Return the JSON numbers that a text can mean, by decimal mark.

    A text without a decimal mark is in the result with both marks.
    """
    marks: tuple[Mark, Mark] = (".", ",")
    meanings: dict[Mark, str] = {}
    for decimal, group in zip(marks, reversed(marks), strict=True):
        whole, mark, part = text.partition(decimal)
        grouped = _BY_COMMAS.fullmatch(whole) if group == "," else _BY_POINTS.fullmatch(whole)
        if (grouped or _PLAIN.fullmatch(whole)) and (not mark or _DECIMALS.fullmatch(part)):
            sign, number = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
            number = number.replace(group, "").lstrip("0") or "0"
            meanings[decimal] = f"{sign}{number}{'.' + part if mark else ''}"
    return meanings


def readings_of(text: str) -> dict[Mark, str]:
    """Return the JSON numbers that an amount can mean, by decimal mark. The amount may have a currency and spaces."""
    return readings(_digits(text))


def is_ambiguous(text: str) -> bool:
    """Return whether a text means different amounts with a decimal point and with a decimal comma."""
    return len(set(readings_of(text).values())) > 1
