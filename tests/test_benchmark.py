"""The benchmark's own arithmetic; what it measures is no test's business."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- measured -->", "<!-- end of measured -->"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The program; its modules lie beside it, as when it is started."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(ROOT / "tests" / "bench")
    import run

    yield run
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(ROOT / "tests" / "bench")):
            del sys.modules[name]


def measured(run: ModuleType, floor: list[float], product: list[float]) -> object:
    return run.Measure("of a test", values={"floor": floor, "product": product})


def test_a_ratio_is_the_median_of_the_rounds_and_not_of_all_values(run: ModuleType) -> None:
    """The machine slows down by ten during the run: within each round both are slow."""
    measure = run.Measure("", values={"floor": [100.0, 50.0, 10.0], "product": [80.0, 40.0, 8.0]})
    assert measure.ratio("product") == pytest.approx(0.8)


def test_variants_take_turns_and_every_second_round_goes_back(run: ModuleType) -> None:
    asked: list[str] = []
    variants = {name: lambda name=name: asked.append(name) or 1.0 for name in "abc"}
    measure = sys.modules["table"].rounds(run.Measure(""), 2, variants)
    assert "".join(asked) == "abccba"
    assert list(measure.values) == ["a", "b", "c"]


def test_the_short_form_fails_below_half_of_a_target_and_only_twice_in_a_row(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = measured(run, [100.0], [38.0]), measured(run, [100.0], [34.0])
    assert run._below_half(None, [good, good, good]) == []
    again = {name: lambda _: [bad] for name in run.QUICK}
    monkeypatch.setattr(run, "MEASURES", again)
    assert run._below_half(None, [good, good, bad]) == [
        "target 3: 0.34 and 0.34 of the floor, and half of the target is 0.35"
    ]
    monkeypatch.setattr(run, "MEASURES", {name: lambda _: [good] for name in run.QUICK})
    assert run._below_half(None, [bad, bad, bad]) == []


def test_a_page_keeps_what_was_written_by_hand(run: ModuleType, tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    run.write(page, "new")
    assert page.read_text() == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    page.write_text("no marks")
    with pytest.raises(ValueError, match="has no lines"):
        run.write(page, "new")
    assert page.read_text() == "no marks"


def test_the_page_has_a_place_for_the_table_and_names_every_module_of_a_measure(run: ModuleType) -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    assert all(mark in page for mark in (BEGIN, END))
    named = set(re.findall(r"`(\w+)\.py`", page))
    assert {measure.__module__ for measure in run.MEASURES.values()} <= named
