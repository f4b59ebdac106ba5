from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import settings, strategies

GOLDEN = Path(__file__).resolve().parents[2].parent / "shared" / "facts" / "golden"

bounded = settings(max_examples=200, derandomize=True, deadline=None)

_HOSTILE = (
    "<include>",
    "</include>",
    "<?xml?>",
    "X-PRE-PROCESS",
    '<x-pre-process cmd="exec" data="id"/>',
    "X-Pre-Process",
    "$${default_password}",
    "$$${a}",
    "${caller_id_name}",
    "<!--#",
    "-->",
    "]]>",
    "&amp;",
    "&#10;",
    "\n",
    "\r\n",
    "\t",
    '"',
    "'",
    "</extension>",
)


def texts() -> strategies.SearchStrategy[str]:
    """Any text, and text in which what the switch's preprocessor looks for is likely."""
    anything = strategies.text(max_size=20)
    return strategies.lists(anything | strategies.sampled_from(_HOSTILE), max_size=4).map("".join)


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Any]:
    """Pairs of input and output recorded from FusionPBX itself, where they lie beside the repository."""

    def read(name: str) -> Any:
        if not (GOLDEN / name).exists():
            pytest.skip(f"FusionPBX's recorded pairs are not here: no {name} beside the repository")
        return json.loads((GOLDEN / name).read_text())

    return read


@pytest.fixture(scope="session")
def tree() -> Callable[[str], Any]:
    """XML as nested tuples, in which white space within tags and ``continue=""`` for false do not matter.

    An action without an application, which FusionPBX writes for a queue without a timeout action, is left out.
    """

    def shape(element: Any) -> Any:
        attributes = dict(element.attrib)
        if element.tag == "extension" and not attributes.get("continue"):
            attributes["continue"] = "false"
        children = [child for child in element if child.get("application") != ""]
        return element.tag, attributes, (element.text or "").strip(), [shape(child) for child in children]

    return lambda xml: shape(fromstring(xml))


@pytest.fixture(scope="session")
def preprocessed() -> Callable[[str], str]:
    """What FreeSWITCH's preprocessor leaves of a file: our own model of src/switch_xml.c, preprocess()."""

    def run(content: str) -> str:
        kept = []
        for line in re.findall(r"[^\r\n]*[\r\n]|[^\r\n]+$", content):
            if "<include>" in line or "</include>" in line or "<?" in line:
                continue
            expanded = re.sub(r"\$\$\{.*?\}", "expanded", line)
            if "x-pre-process" in expanded.lower() or "<!--#" in expanded:
                continue
            kept.append(expanded)
        return "".join(kept)

    return run
