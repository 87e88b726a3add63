"""Counts the steps of a regular expression on a text, with a backtracking matcher like Python's.

Python does not report the steps of a match, and the time of a match depends on the machine. Python's own parser reads
the pattern. This module translates the parsed pattern to a small program, and runs the program with a stack of
alternatives. The result is the number of instructions. This number differs from the number of Python's own steps, but
grows with the text in the same way.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from re import _constants as sre, _parser as parser  # isort: skip

Test = Callable[[str], bool]
TEST, SPLIT, JUMP, AT, LOOK, MATCH = "test", "split", "jump", "at", "look", "match"
Instruction = tuple[str, Any, Any]
"""One of the six words, and its two arguments. An argument that the word does not need is None."""

_LETTERS = [
    *map(chr, (*range(0x61, 0x7B), *range(0x30, 0x3A), *range(0x09, 0x3200), *range(0xE0000, 0xE0200))),
    "\U0001f3f4",
]
STEPS_MAX = 300_000  # the most steps of a linear match, for the tried lengths


class Pattern:
    """A compiled pattern whose matches are counted."""

    def __init__(self, pattern: re.Pattern[str], branch: int = 0) -> None:
        """Compile a pattern. ``branch`` is the index of the alternative from which ``sample`` is built."""
        self.pattern, self._branch = pattern, branch
        self.flags = pattern.flags
        self.tests: list[Test] = []
        self.sample: list[str] = []  # the parts of one text that the pattern matches
        tree = parser.parse(pattern.pattern, pattern.flags)
        self._program: list[Instruction] = []  # does not change after the constructor
        self._add(tree, with_sample=True)
        self._program.append((MATCH, None, None))

    def steps(self, text: str, how: str) -> int:
        """Return the steps of a method on a text: fullmatch, match, search, or findall for all other methods."""
        count, place = 0, 0
        while True:
            taken, end = self._run(self._program, text, place, whole=how == "fullmatch")
            count += taken
            if how in ("fullmatch", "match") or place >= len(text) or (how == "search" and end is not None):
                return count
            place = max(end, place + 1) if end is not None else place + 1
            if count > STEPS_MAX:
                return count

    def matches(self, text: str) -> bool:
        """Return whether the complete text matches."""
        return self._run(self._program, text, 0, whole=True)[1] is not None

    def alphabet(self) -> list[str]:
        """Return one character for each set of characters that this pattern cannot tell from each other."""
        classes: dict[tuple[bool, ...], str] = {}
        for letter in (
            *map(chr, range(0x09, 0x7F)),
            "\x85",
            "\u00e9",
            "\u2028",
            "\U0001f3f4",
            "\U000e0041",
            "\U000e007f",
        ):
            classes.setdefault(tuple(test(letter) for test in self.tests), letter)
        return list(classes.values())

    def _run(self, program: list[Instruction], text: str, start: int, *, whole: bool) -> tuple[int, int | None]:
        """Return the steps of one attempt at ``start``, and the end of the match or None."""
        stack, count, length = [(0, start)], 0, len(text)
        while stack:
            at, place = stack.pop()
            while True:
                count += 1
                what, one, other = program[at]
                if what is TEST:
                    if place >= length or not one(text[place]):
                        break
                    at += 1
                    place += 1
                elif what is SPLIT:
                    stack.append((at + other, place))
                    at += one
                elif what is JUMP:
                    at += one
                elif what is AT:
                    if not _is_at(one, text, place):
                        break
                    at += 1
                elif what is LOOK:
                    taken, end = self._run(one, text, place, whole=False)
                    count += taken
                    if (end is not None) is not other:
                        break
                    at += 1
                elif whole and place < length:
                    break
                else:
                    return count, place
            if count > STEPS_MAX:
                return count, None
        return count, None

    def _add(self, tree: Any, *, with_sample: bool) -> None:
        for code, argument in tree:
            if code in (sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN):
                self._add_test(self._test(code, argument), with_sample=with_sample)
            elif code is sre.SUBPATTERN:
                self._add(argument[-1], with_sample=with_sample)
            elif code in (sre.MAX_REPEAT, sre.MIN_REPEAT):
                self._add_repeat(code is sre.MAX_REPEAT, *argument, with_sample=with_sample)
            elif code is sre.BRANCH:
                self._add_branches(argument[1], with_sample=with_sample)
            elif code is sre.AT:
                self._program.append((AT, argument, None))
            elif code in (sre.ASSERT, sre.ASSERT_NOT):
                assert argument[0] == 1, "a look behind is not supported"
                outer, self._program = self._program, []
                self._add(argument[1], with_sample=False)
                inner, self._program = [*self._program, (MATCH, None, None)], outer
                self._program.append((LOOK, inner, code is sre.ASSERT))
            else:
                raise NotImplementedError(f"{code} in a pattern")

    def _add_test(self, test: Test, *, with_sample: bool) -> None:
        self.tests.append(test)
        self._program.append((TEST, test, None))
        if with_sample:
            self.sample.append("/" if test("/") and test("\x01") else next(filter(test, _LETTERS), ""))

    def _add_repeat(self, greedy: bool, least: int, most: int, tree: Any, *, with_sample: bool) -> None:
        for _ in range(least):
            self._add(tree, with_sample=with_sample)
        endless, splits = most == sre.MAXREPEAT, []
        for n in range(1 if endless else most - least):
            splits.append(len(self._program))
            self._program.append((JUMP, 0, None))  # the code below replaces this instruction
            self._add(tree, with_sample=with_sample and not least and n == 0)
        if endless:
            self._program.append((JUMP, splits[0] - len(self._program), None))
        for split in splits:
            over = len(self._program) - split
            self._program[split] = (SPLIT, 1, over) if greedy else (SPLIT, over, 1)

    def _add_branches(self, branches: Any, *, with_sample: bool) -> None:
        jumps = []
        for n, branch in enumerate(branches):
            split = len(self._program)
            if n < len(branches) - 1:
                self._program.append((SPLIT, 1, 0))
            self._add(branch, with_sample=with_sample and n == min(self._branch, len(branches) - 1))
            if n < len(branches) - 1:
                jumps.append(len(self._program))
                self._program.append((JUMP, 0, None))
                self._program[split] = (SPLIT, 1, len(self._program) - split)
        for jump in jumps:
            self._program[jump] = (JUMP, len(self._program) - jump, None)

    def _test(self, code: Any, argument: Any) -> Test:
        folded = bool(self.flags & re.IGNORECASE)
        if code is sre.ANY:
            return (lambda _: True) if self.flags & re.DOTALL else (lambda letter: letter != "\n")
        if code in (sre.LITERAL, sre.NOT_LITERAL):
            wanted, is_it = chr(argument), code is sre.LITERAL
            if not folded:
                return wanted.__eq__ if is_it else wanted.__ne__
            return cache(lambda letter: (letter.lower() == wanted.lower()) is is_it)
        negated = argument[0][0] is sre.NEGATE
        members = [_member(code, value, self.flags) for code, value in argument[negated:]]
        return cache(
            lambda letter: (
                any(test(form) for test in members for form in ({letter, letter.swapcase()} if folded else {letter}))
                is not negated
            )
        )


def _member(code: Any, argument: Any, flags: int) -> Test:
    if code is sre.LITERAL:
        return lambda letter: ord(letter) == argument
    if code is sre.RANGE:
        return lambda letter: len(letter) == 1 and argument[0] <= ord(letter) <= argument[1]
    class_ = {
        sre.CATEGORY_DIGIT: r"\d", sre.CATEGORY_NOT_DIGIT: r"\D", sre.CATEGORY_SPACE: r"\s",
        sre.CATEGORY_NOT_SPACE: r"\S", sre.CATEGORY_WORD: r"\w", sre.CATEGORY_NOT_WORD: r"\W",
    }[argument]  # fmt: skip
    compiled = re.compile(class_, flags & re.ASCII)
    return lambda letter: compiled.fullmatch(letter) is not None


def _is_at(where: Any, text: str, place: int) -> bool:
    def is_word(at: int) -> bool:
        return 0 <= at < len(text) and (text[at] == "_" or unicodedata.category(text[at])[0] in "LN")

    if where in (sre.AT_BEGINNING, sre.AT_BEGINNING_STRING):
        return place == 0
    if where in (sre.AT_END, sre.AT_END_STRING):
        return place == len(text) or (where is sre.AT_END and text[place:] == "\n")
    boundary = is_word(place - 1) != is_word(place)
    return boundary is (where is sre.AT_BOUNDARY)


def hostile_texts(pattern: Pattern) -> Iterator[Callable[[int], str]]:
    """Yield functions that return a text of a given length.

    A text is the start of a match, then a repeated word, then an end that does not match.
    """
    letters = pattern.alphabet()
    pairs = letters if len(letters) <= 8 else letters[-3:]
    words = {*letters, *(one + other for one in pairs for other in pairs if one != other)}
    starts = {""}
    for branch in range(3):
        sample = "".join(Pattern(pattern.pattern, branch).sample)
        starts.update(sample[:end] for end in range(1, len(sample) + 1))
        words |= {sample, sample[-2:], sample[1:]} - {""}
    for start in sorted(starts)[:: 1 + len(starts) // 40]:
        for word in sorted(words):
            for end in ("", "\n", "\x01"):
                yield lambda n, start=start, word=word, end=end: start + word * (n // len(word)) + end  # type: ignore[misc]
