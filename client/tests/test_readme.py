"""Tests that run the examples of the README as printed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("example", range(len(EXAMPLES)))
def test_an_example_works_as_pasted(example: int, tmp_path: Path) -> None:
    code = EXAMPLES[example]
    # The first example is five lines. The test removes its URL and token, so that the client uses the environment's.
    if example == 0:
        assert len(code.splitlines()) == 5
        code = code.replace('"https://api.example", token="eyJ..."', "")
    (tmp_path / "example.py").write_text(code)
    command = [sys.executable, "-W", "error", "example.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
