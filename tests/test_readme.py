"""What README.md tells a newcomer to type, typed word for word."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)


def section(title: str) -> str:
    return README.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def steps() -> list[tuple[str, str]]:
    """The commands of the tour, each with what it is said to print."""
    blocks = BLOCK.findall(section("Five minutes with curl"))
    assert [kind for kind, _ in blocks] == ["sh", ""] * (len(blocks) // 2)
    return [(commands, printed) for (_, commands), (_, printed) in zip(blocks[::2], blocks[1::2], strict=True)]


def as_pattern(printed: str) -> str:
    """What is said to be printed; ``...`` stands for anything."""
    return ".*".join(re.escape(part) for part in printed.strip().split("..."))


@pytest.mark.skipif(shutil.which("curl") is None, reason="the tour is made with curl, which is not here")
def test_the_tour_goes_as_it_is_told(
    start_sandbox: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_sandbox(tmp_path / ".sandbox")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    between = "-- the next step --"
    script = f"\necho; echo '{between}'\n".join(commands for commands, _ in steps())
    shell = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    printed = shell.stdout.replace("\r\n", "\n").split(between)
    for (commands, expected), found in zip(steps(), printed, strict=False):
        assert re.fullmatch(as_pattern(expected), found.strip(), re.S), f"{commands}\nprinted\n{found}"
    assert (shell.returncode, shell.stderr) == (0, "")
    assert len(printed) == len(steps())


def test_the_two_commands_stand_at_the_top() -> None:
    kind, commands = BLOCK.search(README).groups()  # type: ignore[union-attr]
    assert kind == "sh"
    assert [line.split("#")[0].strip() for line in commands.splitlines()] == ["make run", "make test"]
    assert README.index("make run") < README.index("\n## ")
    targets = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.M)
    assert {"run", "test"} <= set(targets)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_no_link_leads_nowhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#]+)", (ROOT / page).read_text("utf-8"))
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def test_the_map_of_the_house_names_what_is_there() -> None:
    places = re.findall(r"^\| `([^`<]+)", (ROOT / "CONTRIBUTING.md").read_text("utf-8"), re.M)
    assert len(places) > 10
    assert [place for place in places if not (ROOT / place).exists()] == []
