"""The lists of an incident in a payload: their items, their limits, and the operators of a patch that edit a list."""

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, model_validator
from pydantic import Tag as Form

from . import model
from .errors import InvalidIncident, Violation

OPERATORS = ("add", "remove")
"""The operators of a patch on a list."""


# Text is never converted to a number, nor a number to text. A function uses only one of the models.
STRICT = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


def _each_once(ids: list[str]) -> list[str]:
    if len(set(ids)) != len(ids):
        first: dict[str, int] = {}
        repeat = next(place for place, identifier in enumerate(ids) if first.setdefault(identifier, place) != place)
        raise ValueError(f"must name each id once; item {repeat} repeats item {first[ids[repeat]]}, counted from 0")
    return ids


def _at_most_different(tags: list[str]) -> list[str]:
    if (different := len(set(tags))) > model.TAGS:
        raise ValueError(f"must have at most {model.TAGS} different items, not {different}")
    return tags


Id = Annotated[str, Field(min_length=1, max_length=model.ID_CHARACTERS)]
Ids = Annotated[list[Id], Field(max_length=model.LIST_IDS), AfterValidator(_each_once)]
Tag = Annotated[str, Field(min_length=1, max_length=model.TAG_CHARACTERS)]
Tags = Annotated[list[Tag], AfterValidator(_at_most_different)]


class _ListOperators(BaseModel):
    @model_validator(mode="after")
    def _unambiguous(self) -> Self:
        add, remove = (getattr(self, operator) for operator in OPERATORS)
        if not self.model_fields_set:
            raise ValueError(f"must be a list, or an object with {' or '.join(OPERATORS)}, or both")
        removed = {*remove}
        if (both := next((place for place, item in enumerate(add) if item in removed), None)) is not None:
            raise ValueError(f"must not add and remove the same item; item {both} of add, counted from 0, is in remove")
        return self


class IdOperators(_ListOperators):
    """The ids to add to a list and to remove from it. An id counts once, even if it is repeated."""

    model_config = STRICT

    add: Annotated[list[Id], Field(max_length=model.LIST_IDS)] = []
    remove: Annotated[list[Id], Field(max_length=model.LIST_IDS)] = []


class TagOperators(_ListOperators):
    """The tags to add and to remove. A tag counts once, even if it is repeated."""

    model_config = STRICT

    add: Annotated[list[Tag], Field(max_length=model.LIST_IDS)] = []
    remove: Annotated[list[Tag], Field(max_length=model.LIST_IDS)] = []


def _form(value: object) -> str:
    return "operators" if isinstance(value, dict | BaseModel) else "list"


PatchedIds = Annotated[
    Annotated[Ids, Form("list")] | Annotated[IdOperators, Form("operators")],
    Discriminator(_form),
]
PatchedTags = Annotated[
    Annotated[Tags, Form("list")] | Annotated[TagOperators, Form("operators")],
    Discriminator(_form),
]


def edited(field: str, stored: list[str], add: Sequence[str] = (), remove: Sequence[str] = ()) -> list[str]:
    """Return a stored list without the removed items, and with the added items at its end.

    Raises InvalidIncident if the list would be too long.
    """
    removed = {*remove}
    kept = [item for item in stored if item not in removed]
    held = {*kept}
    added = [item for item in dict.fromkeys(add) if item not in held]
    most = model.TAGS if field == "tags" else model.LIST_IDS
    if added and (different := len(held) + len(added)) > most:
        rule = f"must have at most {most} different items, not {different}"
        raise InvalidIncident([Violation(f"/{field}", rule)])
    return kept + added


def without_form(location: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """Return an error's location without the form of a list in a patch, which pydantic adds after the field's name."""
    has_form = len(location) > 1 and location[0] in model.LISTS and isinstance(location[1], str)
    return (location[0], *location[2:]) if has_form else location
