"""A phone's provisioning files, rendered from templates.

A template is a Jinja2 file in the folder of a vendor. Its name is that of the file it makes, with ``{mac}``
(small letters), ``{MAC}`` (capitals) and ``{model}`` for the phone's own, and ``.j2`` behind: a folder says by
itself what a vendor's phones ask for. Its first line says what a value must be made safe for:
``{# format: xml #}`` or ``{# format: lines #}``. The operator's folder may replace any of ours, for a whole vendor
or for one model, and bring further vendors: docs/provisioning.md.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring
from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from pbxapi.xml import escape

from .vendors import NO_ADDRESS, family, model, model_name

OWN = Path(__file__).parent / "templates"

_ENDING = ".j2"
_FORMAT = re.compile(r"\{#-?\s*format:\s*(\w+)\s*-?#\}")
_PLACES = re.compile(r"\{(\w*)\}")
_ADDRESS = re.compile(r"[0-9a-f]{12}")
_BREAKS = re.compile("[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")


class TemplateFault(Exception):
    """A template that makes no file; says which, where and why, and never a value."""


@dataclass(frozen=True)
class _Phone:
    """What names a phone's files."""

    family: str
    model: str
    places: Mapping[str, str]

    @classmethod
    def of(cls, device: Mapping[str, Any]) -> _Phone:
        address = str(device["device_address"]).lower()
        places = {"mac": address, "MAC": address.upper(), "model": model_name(device)}
        return cls(family(device), model(device), places)


class Templates:
    """Ours, and those of a folder of the operator's, which win.

    Args:
        folder: the operator's, or None.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._loader = _Loader([root for root in (folder, OWN) if root is not None])
        self._formats = {name: _environment(self._loader, safe) for name, safe in _SAFE.items()}

    def names(self, device: Mapping[str, Any]) -> set[str]:
        """Names of the files that a device has while it is enabled; empty where there is no template for it.

        Raises:
            TemplateFault: the operator's folder is not there.
        """
        return {name for name, _ in self._found(device)}

    def render(self, device: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, str]:
        """The files of a device: name -> text.

        Args:
            values: what the templates see.

        Raises:
            TemplateFault: a template is wrong, or a value cannot stand in its file.
        """
        return {name: self._render(template, values) for name, template in self._found(device)}

    def _found(self, device: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Name of a file and path of its template below a root; the nearest template of a name wins."""
        if not has_address(device):
            return
        phone = _Phone.of(device)
        if not phone.family:
            return
        if self._folder is not None and not self._folder.is_dir():
            raise TemplateFault(f"the folder of templates {self._folder} is not there")
        found: dict[str, str] = {}
        for root, place in ((OWN, phone.family), (self._folder, phone.family), (self._folder, _below(phone))):
            if root is not None and place:
                for path in sorted((root / place).glob(f"*{_ENDING}")):
                    found[path.name.removesuffix(_ENDING)] = f"{place}/{path.name}"
        for pattern, template in found.items():
            places = _PLACES.findall(pattern)
            # One without the address in its name is there to be included.
            if {"mac", "MAC"}.intersection(places) and all(phone.places.get(place) for place in places):
                yield _PLACES.sub(lambda place: phone.places[place[1]], pattern), template

    def _render(self, path: str, values: Mapping[str, Any]) -> str:
        try:
            source = self._loader.get_source(self._formats["xml"], path)[0]
            declared = _FORMAT.match(source)
            if declared is None or declared[1] not in self._formats:
                raise TemplateFault(f"{path}: the first line must be {{# format: xml #}} or {{# format: lines #}}")
            text = self._formats[declared[1]].get_template(path).render(values).lstrip("\n")
            if declared[1] == "xml":
                fromstring(text.encode())
        except TemplateFault:
            raise
        except TemplateNotFound as error:
            raise TemplateFault(f"{self._place(error, path)}: there is no template {error.name}") from None
        except TemplateSyntaxError as error:
            raise TemplateFault(f"{error.name or path}, line {error.lineno}: {error.message}") from None
        except TemplateError as error:
            raise TemplateFault(f"{self._place(error, path)}: {error.message or type(error).__name__}") from None
        except ParseError as error:
            raise TemplateFault(f"{path}: what it makes is no XML: {error}") from None
        except DefusedXmlException:
            raise TemplateFault(f"{path}: what it makes declares entities") from None
        except _Unsafe as error:
            raise TemplateFault(f"{self._place(error, path)}: {error}") from None
        except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError) as error:
            # Of these the words may hold a value, which may be a secret.
            raise TemplateFault(f"{self._place(error, path)}: {type(error).__name__}") from None
        return text if text.endswith("\n") else text + "\n"

    def _place(self, error: BaseException, path: str) -> str:
        """The template, be it one that was included, and the line at which an error came up."""
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            for root in map(Path, self._loader.searchpath):
                if (file := Path(frame.filename)).is_relative_to(root):
                    return f"{file.relative_to(root)}, line {frame.lineno}"
        return path


@lru_cache(maxsize=8)
def templates(folder: Path | None) -> Templates:
    """The templates with the operator's folder; read anew when a file changes."""
    return Templates(folder)


def has_address(device: Mapping[str, Any]) -> bool:
    """Whether files can be named after the device's address."""
    address = str(device["device_address"]).lower()
    return bool(_ADDRESS.fullmatch(address)) and address != NO_ADDRESS


def _below(phone: _Phone) -> str:
    return f"{phone.family}/{phone.model}" if phone.model else ""


class _Loader(FileSystemLoader):
    """Notices too that a template came to stand before the one that was read."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        source, path, fresh = super().get_source(environment, template)
        return source, path, lambda: fresh() and self._first(template) == Path(path)

    def _first(self, template: str) -> Path | None:
        places = (Path(root) / template for root in self.searchpath)
        return next((place for place in places if place.is_file()), None)


class _Unsafe(ValueError):
    pass


def _in_xml(value: Any) -> Markup:
    if isinstance(value, Markup):
        return value
    try:
        return Markup(escape(str(value)))
    except ValueError as error:
        raise _Unsafe(str(error)) from None


def _in_lines(value: Any) -> Markup:
    if not isinstance(value, Markup) and _BREAKS.search(str(value)):
        raise _Unsafe("a value holds a line break or another control character")
    return value if isinstance(value, Markup) else Markup(str(value))


_MARKING = ("e", "escape", "forceescape", "safe", "tojson", "urlize", "xmlattr")
"""Filters of Jinja2 whose result counts as safe, which in these formats it is not."""

_SAFE = {"xml": _in_xml, "lines": _in_lines}
"""Formats, each with what makes a value safe in it. What a macro or a block made is safe already."""


def _environment(loader: FileSystemLoader, safe: Callable[[Any], Markup]) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        loader=loader,
        autoescape=True,
        finalize=safe,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    for name in _MARKING:
        del environment.filters[name]
    return environment
