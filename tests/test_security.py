"""docs/security.md names the test that holds each point: they are all there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAMED = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", (ROOT / "docs/security.md").read_text("utf-8"))))


def test_each_of_owasps_ten_points_names_tests() -> None:
    text = (ROOT / "docs/security.md").read_text("utf-8")
    points = re.split(r"^## (\d+)\. ", text, flags=re.M)
    assert points[1::2] == [str(number) for number in range(1, 11)]
    assert all("::test_" in body for body in points[2::2])


def test_every_test_that_the_document_names_is_there() -> None:
    assert len(NAMED) > 80
    there = {file: (ROOT / file).read_text("utf-8") for file, _ in NAMED}
    assert [(file, name) for file, name in NAMED if not re.search(rf"^def {name}\(", there[file], re.M)] == []
