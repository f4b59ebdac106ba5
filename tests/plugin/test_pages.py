"""The pages for authors: their code is the example's or a built-in plugin's, and they leave nothing out."""

from __future__ import annotations

import dataclasses
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

import pbxapi.plugin
import pbxapi.plugin.dialling
from pbxapi.config import Config
from pbxapi.plugin import Effect, Operation, Plugin, Resource, Rows
from pbxapi.plugin.loader import load_plugins

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "plugins"
PAGES = sorted(path for path in DOCS.glob("*.md") if path.name not in ("reference.md", "tutorial.md"))
EXAMPLE = DOCS / "example" / "pbxapi_callbacks"
BLOCK = re.compile(r"^```(\w+) ?([^\n]*)\n(.*?)^```$", re.M | re.S)


def blocks(page: Path) -> Iterator[tuple[str, str, str]]:
    """The language, the rest of the line, and the text of each block of code."""
    for found in BLOCK.finditer(page.read_text("utf-8")):
        yield found[1], found[2], found[3]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_of_a_page_is_code_that_runs(page: Path) -> None:
    for language, place, text in blocks(page):
        if place == "run":
            assert language == "python"
            exec(compile(text, f"{page.name}", "exec"), {"__name__": page.stem})
            continue
        assert place, f"{page.name} has code from nowhere:\n{text}"
        source = (ROOT / place).read_text("utf-8")
        for run in re.split(r"^\.\.\.\n", text, flags=re.M):
            assert run in source, f"{page.name}: this is not in {place}:\n{run}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_leads_nowhere_that_is_not_there(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_page_can_be_found_and_is_short() -> None:
    contents = (DOCS / "README.md").read_text("utf-8")
    for page in PAGES:
        assert page.name == "README.md" or f"]({page.name})" in contents
        assert len(page.read_text("utf-8").splitlines()) < 100


def spoken_of(name: str, text: str) -> bool:
    return re.search(rf"`[^`\n]*\b{re.escape(name)}\b[^`\n]*`", text) is not None


@pytest.mark.parametrize("kind", [Plugin, Resource, Operation, Rows])
def test_everything_that_can_be_declared_has_its_words_on_a_page(kind: type[Any]) -> None:
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    missing = [field.name for field in dataclasses.fields(kind) if not spoken_of(field.name, text)]
    assert missing == []


def test_every_effect_and_every_part_of_the_fence_has_its_words_on_a_page() -> None:
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    names = [kind.__name__ for kind in get_args(Effect)] + [
        n for n in pbxapi.plugin.dialling.__all__ if n.islower()
    ]
    assert [name for name in names if not spoken_of(name, text)] == []


def sources() -> str:
    paths = [*(ROOT / "plugins").rglob("*.py"), *EXAMPLE.rglob("*.py")]
    return "\n".join(path.read_text("utf-8") for path in paths)


def test_every_extension_point_is_used_by_a_plugin_here_or_by_the_example() -> None:
    registry = load_plugins(Config(database_url="postgresql://", plugins_path=(EXAMPLE,)), {})
    plugins = [loaded.plugin for loaded in registry.plugins if loaded.plugin]
    resources = [resource for plugin in plugins for resource in plugin.resources]
    operations = [operation for resource in resources for operation in resource.all_operations()]
    rows = [operation.rows for operation in operations if operation.rows] + [r.rows for r in resources]
    unused = []
    for kind, all_of_it in ((Plugin, plugins), (Resource, resources), (Operation, operations), (Rows, rows)):
        for field in dataclasses.fields(kind):
            default = field.default_factory() if callable(field.default_factory) else field.default
            # A plugin for the next version of the contract will be the first to say another range.
            if field.name != "api" and all(getattr(one, field.name) == default for one in all_of_it):
                unused.append(f"{kind.__name__}.{field.name}")
    assert unused == []
    assert {"GET", "POST", "PUT", "PATCH", "DELETE"} == {m for operation in operations for m in operation.methods}
    assert {"collection", "item"} == {operation.on for operation in operations}
    assert any(job.every for plugin in plugins for job in plugin.jobs.values())
    assert any(job.every is None for plugin in plugins for job in plugin.jobs.values())
    assert list((EXAMPLE / "migrations").glob("*.sql"))


def test_every_effect_and_every_field_is_used_by_a_plugin_here_or_by_the_example() -> None:
    text = sources()
    kinds = [kind.__name__ for kind in get_args(Effect)]
    assert len(kinds) > 10
    fields = ["Text", "TrueFalse", "Digits", "Emails", "Link", "Nested", "TimeZone"]
    wanted = [*kinds, *fields, "clear_cache", "call.later(", "run.tell(", "call.ask("]
    # `clear_cache` makes a ClearCache.
    assert [name for name in wanted if name != "ClearCache" and name not in text] == []


def test_plugins_import_the_contract_and_nothing_else_of_the_product() -> None:
    imported = set(re.findall(r"^(?:from|import) (pbxapi[\w.]*)", textwrap.dedent(sources()), re.M))
    allowed = {"pbxapi.plugin", "pbxapi.plugin.dialling", "pbxapi.xml"}
    own = {name for name in imported if name.startswith(("pbxapi_plugins.", "pbxapi_callbacks"))}
    # What the product's management and its view of live calls share with the rest of it is promised to nobody.
    unpromised = {f"pbxapi.plugin.{name}" for name in ("calls", "events", "imports", "keys")}
    assert imported - own == allowed | unpromised
