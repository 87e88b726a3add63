"""Reads the repository's documents: the README, the pages under docs, and their code blocks, links and headings."""

import re
from pathlib import Path

from tests.support.templates import CHECKOUT

DOCS = CHECKOUT / "docs"
README = (CHECKOUT / "README.md").read_text()
PAGES = {path.relative_to(DOCS).as_posix(): path.read_text() for path in sorted(DOCS.rglob("*.md"))}
"""The text of each page under docs, by its path in docs, such as ``api.md`` or ``runbooks/alarms.md``."""

_FENCED = re.compile(r"^(```|~~~).*?^\1 *$", flags=re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\[\]]*\])*\]\(<?([^)\s>]+)>?(?: \"[^\"]*\")?\)")


def blocks(text: str, language: str) -> list[str]:
    """Return the code blocks of one language in a document, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def files() -> list[Path]:
    """Return every Markdown file of the repository.

    Files that builds and installs leave behind are not included.
    """
    folders = [CHECKOUT / name for name in ("docs", "client", "functions", "infra", "tests", ".github")]
    found = [*CHECKOUT.glob("*.md"), *(path for folder in folders for path in folder.rglob("*.md"))]
    return sorted(path for path in found if not {".venv", "node_modules", "build"} & set(path.parts))


def links(text: str) -> list[str]:
    """Return the targets of the links and pictures outside code blocks."""
    return _LINK.findall(re.sub(r"`[^`\n]*`", "``", _FENCED.sub("", text)))


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a document.

    If a heading is repeated, its anchor ends in -1, -2 and so on.
    """
    found: set[str] = set()
    for title in re.findall(r"^#{1,6} +(.+?) *#*$", _FENCED.sub("", text), flags=re.MULTILINE):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)  # GitHub uses only the text of a link
        anchor = re.sub(r"[^\w -]", "", shown.lower()).replace(" ", "-")
        found.add(next(name for name in (anchor, *(f"{anchor}-{n}" for n in range(1, 100))) if name not in found))
    return found


def broken_links(path: Path) -> list[str]:
    """Return the relative links of a file that do not lead to an existing file and heading."""
    broken = []
    for target in links(path.read_text()):
        if re.match(r"[a-z][a-z+.-]*:", target):  # the link leads to another site or is a mail address
            continue
        name, _, anchor = target.partition("#")
        file = path.parent / name if name else path
        if not file.exists() or (anchor and (file.suffix != ".md" or anchor not in anchors(file.read_text()))):
            broken.append(target)
    return broken
