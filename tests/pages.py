"""The contents of the project's pages: blocks of code and commands."""

import re
from typing import NamedTuple

from helpers import REPOSITORY
from markdown_it import MarkdownIt

PAGES = ["README.md", "CONTRIBUTING.md", "benchmarks/README.md"]
PAGES += sorted(path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / "docs").glob("*.md"))
SLURM = ("sacctmgr", "sbatch", "scancel", "scontrol", "sinfo", "squeue")
# What the reader of a page fills in, and an example of each.
PLACEHOLDERS = {
    "<where this repository is>": "repository",
    "<SLURM run ID>": "00000000-0000-0000-0000-000000000000",
}


class Command(NamedTuple):
    """A command as a page shows it, in a block of code or in a sentence."""

    page: str
    text: str
    in_block: bool

    @property
    def program(self) -> str:
        """Name of the program, without the folder of the virtual environment."""
        return self.text.split()[0].removeprefix(".venv/bin/")

    @property
    def line(self) -> str:
        """The command with examples in the place of what the reader fills in."""
        line = self.text
        for placeholder, text in PLACEHOLDERS.items():
            line = line.replace(placeholder, text)
        return line


def tokens(page: str) -> list:
    """The tokens of a page's Markdown, including those inside lines."""
    parsed = MarkdownIt().enable("table").parse((REPOSITORY / page).read_text(encoding="utf-8"))
    return [part for token in parsed for part in (token, *(token.children or []))]


def blocks(page: str, kind: str) -> list[str]:
    """The code blocks of one kind on a page. The fence names the kind; a fence without a name means `shell`."""
    found = [token for token in tokens(page) if token.type in ("fence", "code_block")]
    return [token.content for token in found if (token.info or "shell") == kind]


def spans(page: str) -> list[str]:
    """The pieces of code in the sentences of a page."""
    return [token.content for token in tokens(page) if token.type == "code_inline"]


def commands() -> list[Command]:
    """All commands, each once: those of the shell blocks, and whatever looks like one in a sentence."""
    found = {}
    for page in PAGES:
        for block in blocks(page, "shell"):
            for line in re.sub(r"\\\n *", "", block).splitlines():
                line = re.sub(r"(^|\s+)#.*", "", line)
                # A loop is one command. In other lines && separates commands.
                for text in [line] if line.startswith("for ") else line.split(" && "):
                    if text:
                        found.setdefault(text, Command(page, text, in_block=True))
    for page in PAGES:
        for text in spans(page):
            # A single word is the name of a program and no command.
            if " " in text:
                found.setdefault(text, Command(page, text, in_block=False))
    return list(found.values())
