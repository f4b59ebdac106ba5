"""Writes reference.md anew from the docstrings: ``python docs/plugins/reference.py``."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pbxapi.conformance
import pbxapi.plugin
import pbxapi.plugin.dialling
import pbxapi.testing
import pbxapi.xml
from pbxapi import PLUGIN_API

REFERENCE = Path(__file__).with_suffix(".md")


def text_of(found: Any) -> str:
    return inspect.cleandoc(found.__doc__ or "").replace("``", "`")


def entry(name: str, found: Any) -> str:
    kind = "class" if inspect.isclass(found) else "function"
    lines = [f"### {name}", "", f"*{kind}*", "", "```text", text_of(found), "```", ""]
    for own, member in sorted(vars(found).items()) if inspect.isclass(found) else ():
        function = member.fget if isinstance(member, property) else member
        if not own.startswith("_") and inspect.isfunction(function) and function.__doc__:
            first = re.split(r"(?<=[.])\s", text_of(function), maxsplit=1)[0]
            lines += [f"- `{own}`: {first}".replace("\n", " ")]
    return "\n".join(lines).rstrip() + "\n"


def section(module: ModuleType, names: list[str]) -> str:
    found = {name: getattr(module, name) for name in names}
    ours = {n: f for n, f in found.items() if getattr(f, "__module__", "").startswith("pbxapi") and f.__doc__}
    return f"## {module.__name__}\n\n" + "\n".join(entry(name, ours[name]) for name in sorted(ours))


def reference() -> str:
    """The whole page."""
    sections = (
        (pbxapi.plugin, pbxapi.plugin.__all__),
        (pbxapi.plugin.dialling, pbxapi.plugin.dialling.__all__),
        (pbxapi.xml, pbxapi.xml.__all__),
        (pbxapi.testing, ["Client", "Pbx", "Refused", "Reply", "run_jobs"]),
        (pbxapi.conformance, ["Kind", "Suite"]),
    )
    made = f"# Reference\n\nMade from the docstrings of version {PLUGIN_API} of the contract.\n\n"
    return made + "\n".join(section(module, list(names)) for module, names in sections)


if __name__ == "__main__":
    REFERENCE.write_text(reference(), "utf-8")
