"""The reference for authors: made from the docstrings, and with everything that they import."""

from __future__ import annotations

import runpy
from pathlib import Path

import pbxapi.plugin

SCRIPT = Path(__file__).parents[2] / "docs" / "plugins" / "reference.py"


def test_everything_that_authors_import_is_told() -> None:
    made = runpy.run_path(str(SCRIPT))["reference"]()
    for name in pbxapi.plugin.__all__:
        found = getattr(pbxapi.plugin, name)
        if getattr(found, "__module__", "").startswith("pbxapi.") and callable(found):
            assert f"### {name}\n" in made, f"{name} has no docstring"


def test_the_page_is_what_the_docstrings_say_now() -> None:
    made = runpy.run_path(str(SCRIPT))["reference"]()
    assert SCRIPT.with_suffix(".md").read_text("utf-8") == made, "run: python docs/plugins/reference.py"
