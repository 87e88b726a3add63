"""The size of the sized tests: shortened for every day and for CI, or in full with `pytest --full`."""

import os

FULL = os.environ.get("INCIDENTS_TESTS_FULL") == "1"  # --full sets it before any test module is loaded


def of(*, short: int, full: int) -> int:
    return full if FULL else short
