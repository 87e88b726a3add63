"""Opens pages in Chromium."""

import shutil
import subprocess
from pathlib import Path

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def browse(url: str, folder: Path, *options: str) -> tuple[str, str]:
    """Return the HTML of a page after its scripts have run, and the lines of the browser's console."""
    if BROWSER is None:
        pytest.skip("Chromium is not installed (Debian: apt install chromium)")
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
         f"--user-data-dir={folder}", "--enable-logging=stderr", "--virtual-time-budget=20000", "--dump-dom",
         *options, url],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
