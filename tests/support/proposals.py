"""Propose a mapping for a file, and read the file by it."""

from pathlib import Path

from incidents_cli.operate.importing import mapping, suggesting
from incidents_cli.operate.importing.rows import Row, read
from incidents_cli.operate.importing.suggesting import Proposal


def of(file: Path, given: str | None = None, **answers: str) -> Proposal:
    return suggesting.suggest(file, {"zone": "UTC"} | answers, given)


def imported(file: Path, **answers: str) -> list[Row]:
    """Return the rows of a file, read by its proposed mapping, which must have no questions."""
    proposal = of(file, **answers)
    assert proposal.questions == []
    map_file = file.with_suffix(".toml")
    map_file.write_text(proposal.toml, "utf-8")
    return list(read(file, mapping.load(str(map_file))))
