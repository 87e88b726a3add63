"""Read JSON files that an operator names."""

from pathlib import Path
from typing import Any

from incidents.domain import event_json

from ..console import StepFailed, clean, require_regular
from . import json_lines

LARGEST = 2**20  # the most characters of a file; an event of EventBridge has fewer
LEVELS = 500  # Python's json module can read about 1,000 nested levels


def text_of(file: Path) -> str:
    """Return the text of a JSON file. Raises StepFailed if the file cannot be read, or is too large."""
    require_regular(file)
    try:
        with file.open(encoding="utf-8-sig") as content:
            text = content.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise StepFailed(f"{file} cannot be read.", f"  {error}", "Name a JSON file in UTF-8.") from None
    if len(text) > LARGEST:
        raise StepFailed(f"{file} is too large.", "", "Name a file with at most 1 MB.")
    return text


def json_of(file: Path, text: str) -> Any:
    """Return the JSON value of a file's text. Raises StepFailed with the number of a wrong line.

    A name that occurs twice in an object is an error, because JSON would take the last of the two.
    """
    try:
        value = event_json.loads(text)
        repeated = json_lines.repeated_name(text)
    except RecursionError:
        line = json_lines.deep_line(text, LEVELS)
        detail = f"  line {line}: this line is inside more than {LEVELS} lists and objects"
        raise StepFailed(f"{file} cannot be read as JSON.", detail, "Correct the file.") from None
    except ValueError as error:
        raise StepFailed(f"{file} cannot be read as JSON.", f"  {error}", "Correct the file.") from None
    if repeated is not None:
        line, name = repeated
        detail = f"  line {line}: the name {clean(name)} occurs twice in one object"
        raise StepFailed(f"{file} cannot be read as JSON.", detail, "Remove one of the two members.")
    return value
