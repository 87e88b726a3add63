"""Checks the client's types as a user does: mypy checks users' files with the installed client.

Run it with `uv run python -m tests.client.checked`. `.ci/run` runs it too.
"""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.templates import CHECKOUT

RIGHT = Path(__file__).with_name("uses_every_method.py")
WRONG = Path(__file__).with_name("uses_it_wrongly.txt")  # the other checks skip a file that does not end in .py
REVEALS = "from grc_client import Client\n\nreveal_type(Client().grc.incidents.get('inc_1').title)\n"


def main() -> None:
    with TemporaryDirectory() as made, ThreadPoolExecutor() as both:
        folder = Path(made)
        installed = both.submit(in_a_users_own_project, folder / "user")
        developed = both.submit(in_the_development_environment, folder / "developer")
        complaints = installed.result() + developed.result()
    if complaints:
        sys.exit("\n".join(complaints))
    sys.stdout.write("mypy accepts the right uses of the client and refuses the wrong ones.\n")


def in_a_users_own_project(folder: Path) -> list[str]:
    folder.mkdir()
    right, wrong = folder / RIGHT.name, folder / "wrong.py"
    shutil.copy(RIGHT, right)
    shutil.copy(WRONG, wrong)
    said = mypy(folder, right, wrong, MYPYPATH=str(wheel(folder)))
    wanted = {n: found[1] for n, line in enumerate(wrong.read_text().splitlines(), 1)
              if (found := re.search(r"  # (.+)$", line))}  # fmt: skip
    missed = [
        f"mypy does not report {complaint!r} at line {n} of {WRONG}:\n{said}"
        for n, complaint in wanted.items()
        if not re.search(rf"^wrong\.py:{n}: .*{re.escape(complaint)}", said, re.MULTILINE)
    ]
    others = [line for line in said.splitlines() if (found := re.match(r"wrong\.py:(\d+):", line)) is None
              or int(found[1]) not in wanted]  # fmt: skip
    few = [] if len(wanted) >= 12 else [f"{WRONG} has {len(wanted)} wrong lines, and should have 12 or more."]
    return missed + others + few


def in_the_development_environment(folder: Path) -> list[str]:
    folder.mkdir()
    file = folder / "reveals.py"
    file.write_text(REVEALS)
    said = mypy(folder, file)
    return [] if 'Revealed type is "str"' in said else [f"The development environment does not show types:\n{said}"]


def wheel(folder: Path) -> Path:
    """Build the client's wheel, and return the folder of the unpacked client, as a user installs it."""
    # The build uses a copy, because setuptools leaves its own folders next to the sources.
    shutil.copytree(CHECKOUT / "client", folder / "client")
    uv = os.environ.get("UV", "uv")
    subprocess.run([uv, "build", "--wheel", "-q", "--out-dir", folder, folder / "client"], check=True)
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def mypy(folder: Path, *files: Path, **more: str) -> str:
    """Return mypy's output for a user's files, in strict mode and without this project's settings."""
    names = [file.name for file in files]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", folder / "cache", *names],
        cwd=folder, env=os.environ | more, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


if __name__ == "__main__":
    main()
