"""Measures the bytes of a deployment: the folder, and the zip file to upload, with zip's best compression."""

import io
import zipfile
from pathlib import Path
from typing import Any

from tests.benchmarks.artifacts import FLOOR, OURS, Subject


def measure(subjects: list[Subject]) -> dict[str, Any]:
    """Return the bytes of each subject's package, as built and with byte code."""
    return {
        subject.name: {form: of(place) for form, place in _forms(subject).items()}
        for subject in subjects
        if subject.name != FLOOR
    }


def of(folder: Path) -> dict[str, int]:
    """Return the bytes of a folder, unzipped and zipped."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in files:
            archive.write(path, path.relative_to(folder))
    return {"unzipped": sum(path.stat().st_size for path in files), "zipped": packed.tell()}


def _forms(subject: Subject) -> dict[str, Path]:
    if subject.name == OURS:
        return {"with byte code": subject.compiled}
    return {"as built": subject.as_built, "with byte code": subject.compiled}
