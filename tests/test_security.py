"""docs/security.md names the test that holds each point: they are all there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", (ROOT / "docs/security.md").read_text("utf-8"))))


def test_the_tests_that_hold_the_traps_of_a_host_are_there() -> None:
    text = (ROOT / "docs/decisions/ops.md").read_text("utf-8")
    table = text.partition("\n## The fifteen traps")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| .* \| (.*) \|$", table, re.M)[1:]
    assert len(rows) == 15
    assert [row for row in rows if "test" not in row and "doctor: " not in row] == []
    source = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name in re.findall(r"`(test_\w+)`", table) if f"def {name}(" not in source] == []
    assert [file for file in re.findall(r"tests/[\w/]+\.py", table) if not (ROOT / file).exists()] == []


def test_each_of_owasps_ten_points_names_tests() -> None:
    text = (ROOT / "docs/security.md").read_text("utf-8")
    points = re.split(r"^## (\d+)\. ", text, flags=re.M)
    assert points[1::2] == [str(number) for number in range(1, 11)]
    assert all("::test_" in body for body in points[2::2])


def test_every_test_that_the_document_names_is_there() -> None:
    assert len(NAMED) > 80
    there = {file: (ROOT / file).read_text("utf-8") for file, _ in NAMED}
    assert [(file, name) for file, name in NAMED if not re.search(rf"^def {name}\(", there[file], re.M)] == []
