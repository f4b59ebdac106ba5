"""Fields of a resource's schema: what a value may be, and how it is spelled in answers.

FusionPBX stores nearly everything as text, and the contract speaks text: flags are ``"true"`` and ``"false"``,
numbers are strings of digits. A field refuses what the database, the event socket or a file name could not hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Literal
from uuid import UUID
from weakref import WeakKeyDictionary

from marshmallow import RAISE, Schema, ValidationError, fields, missing, validate

from pbxapi.data.audit import REDACTED

__all__ = ["Digits", "Emails", "Link", "Nested", "Record", "Text", "TrueFalse", "fields", "load", "validate"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f\u0085\u2028\u2029]")
_CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")

Unknown = Literal["exclude", "raise"]

_unknown: ContextVar[Unknown] = ContextVar("unknown", default="raise")


class _Labelled(fields.Field[Any]):
    """A field whose messages name it: ``label`` is what a person calls it."""

    documented: Mapping[str, Any] = {}

    def __init__(self, *, label: str | None = None, secret: bool = False, **kwargs: Any) -> None:
        super().__init__(metadata={**self.documented, **(kwargs.pop("metadata", None) or {})}, **kwargs)
        self.label = label
        self.secret = secret

    def _bind_to_schema(self, field_name: str, parent: Any) -> None:
        super()._bind_to_schema(field_name, parent)
        if self.label is None:
            self.label = _label(field_name)
        required = f"{self.label} is required"
        self.error_messages = {**self.error_messages, "required": required, "null": required}


def _label(field_name: str) -> str:
    """What a person calls a field, where its declaration does not say."""
    words = field_name.replace("_", " ")
    return words[:1].upper() + words[1:]


class Text(_Labelled, fields.String):
    """A line of text. JSON numbers are taken and become text; null is the empty text.

    Args:
        max: characters at most.
        pattern: a regular expression that the whole value must match; empty text is let through.
        expected: what the pattern asks for, in words, for the message.
        lines: whether line breaks are allowed.
        variables: whether ``${...}`` is allowed, which FreeSWITCH would expand, functions included.
        label: what a person calls the field.
        secret: a password or the like: hidden in lists, logs, audit rows.
    """

    def __init__(
        self,
        *,
        max: int = 255,
        pattern: str | None = None,
        expected: str = "",
        lines: bool = False,
        variables: bool = False,
        **kwargs: Any,
    ) -> None:
        self.documented = {"maxLength": max}
        super().__init__(**kwargs)
        self._max = max
        self._pattern = re.compile(pattern) if pattern else None
        self._expected = expected
        self._forbidden = _CONTROL_BUT_LINES if lines else _CONTROL
        self._variables = variables or self.secret

    def deserialize(self, value: Any, attr: Any = None, data: Any = None, **kwargs: Any) -> Any:
        if value is None:
            value = ""
        if self.required and value == "":
            raise self.make_error("required")
        return super().deserialize(value, attr, data, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            raise ValidationError(f"{self.label} must be a string")
        if self.secret and value == REDACTED:
            raise ValidationError(f"{self.label} is hidden here: leave it out to keep what is stored")
        if self._forbidden.search(value) or _SURROGATE.search(value):
            raise ValidationError(f"{self.label} must not hold control characters")
        if "${" in value and not self._variables:
            raise ValidationError(f"{self.label} must not hold a variable of the switch")
        if len(value) > self._max:
            raise ValidationError(f"{self.label} must not be longer than {self._max} characters")
        if value and self._pattern and not self._pattern.fullmatch(value):
            raise ValidationError(f"{self.label} must be {self._expected or 'in the right format'}")
        return value


class Digits(Text):
    """A whole number, spelled as text.

    Args:
        low, high: bounds, both included.
    """

    def __init__(self, *, low: int = 0, high: int = 2_147_483_647, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._low = low
        self._high = high

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if text and not (re.fullmatch(r"-?[0-9]{1,18}", text) and self._low <= int(text) <= self._high):
            raise ValidationError(f"{self.label} must be a whole number from {self._low} to {self._high}")
        return str(int(text)) if text else text


EMAIL = r"[0-9A-Za-z_][0-9A-Za-z._%+=-]*@[0-9A-Za-z](?:[0-9A-Za-z.-]*[0-9A-Za-z])?"
"""An e-mail address of characters that mean nothing to a shell: FreeSWITCH hands it to one (switch_simple_email in
its switch_utils.c)."""


class Emails(Text):
    """E-mail addresses, separated by commas; blanks between them go, as FusionPBX does.

    Args:
        most: how many addresses there may be.
    """

    def __init__(self, *, most: int = 20, max: int = 1000, **kwargs: Any) -> None:
        expected = "an e-mail address" if most == 1 else f"up to {most} e-mail addresses, separated by commas"
        super().__init__(max=max, pattern=f"{EMAIL}(?:,{EMAIL}){{0,{most - 1}}}", expected=expected, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, str):
            value = value.replace(" ", "")
        return super()._deserialize(value, attr, data, **kwargs)


class TrueFalse(_Labelled, fields.String):
    """A flag: ``"true"`` or ``"false"``; JSON true and false are taken too, in any letter case.

    Args:
        blank: whether it may be empty (FusionPBX then leaves the choice to the switch).
    """

    def __init__(self, *, blank: bool = False, **kwargs: Any) -> None:
        self.documented = {"enum": ["true", "false", ""] if blank else ["true", "false"]}
        super().__init__(**kwargs)
        self._blank = blank

    def deserialize(self, value: Any, attr: Any = None, data: Any = None, **kwargs: Any) -> Any:
        if self._blank and value is None:
            return ""
        return super().deserialize(value, attr, data, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower()
        if self._blank and value == "":
            return ""
        raise ValidationError(f'{self.label} must be "true" or "false"')


class Link(_Labelled, fields.String):
    """The uuid of another record, which must be of the caller's domain; empty text unlinks.

    Args:
        table, column: where the record is.
        shared: whether one without a domain (shared by all) will do.
    """

    def __init__(self, table: str, column: str, *, shared: bool = False, **kwargs: Any) -> None:
        self.documented = {"pattern": "^([0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})?$"}
        super().__init__(**kwargs)
        self.table = table
        self.column = column
        self.shared = shared

    def deserialize(self, value: Any, attr: Any = None, data: Any = None, **kwargs: Any) -> Any:
        return super().deserialize("" if value is None else value, attr, data, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        if value == "":
            return ""
        try:
            return str(UUID(value))
        except (ValueError, AttributeError, TypeError):
            raise ValidationError(f"{self.label} must be a uuid") from None


class Nested(fields.Nested):
    """A record within a record. An update replaces it whole, so its required fields are required then too."""

    def __init__(self, nested: Any, *, most: int = 200, **kwargs: Any) -> None:
        super().__init__(nested, **kwargs)
        self._most = most

    def _bind_to_schema(self, field_name: str, parent: Any) -> None:
        super()._bind_to_schema(field_name, parent)
        label = _label(field_name)
        required, kind = f"{label} is required", f"{label} must be {'a list' if self.many else 'an object'}"
        null = required if self.required else kind
        self.error_messages = {**self.error_messages, "required": required, "null": null, "type": kind}

    def _deserialize(self, value: Any, attr: Any, data: Any, partial: Any = None, **kwargs: Any) -> Any:
        if self.many and isinstance(value, list) and len(value) > self._most:
            raise ValidationError(f"must not have more than {self._most} entries")
        return super()._deserialize(value, attr, data, partial=False, **kwargs)

    def _load(self, value: Any, partial: Any = None) -> Any:
        try:
            return self.schema.load(value, unknown=_unknown.get(), partial=False)
        except ValidationError as error:
            raise ValidationError(error.messages, valid_data=error.valid_data) from error


class Record(Schema):
    """Base of a resource's schema: its fields in the order of the contract.

    ``dump_only`` fields are answered and never taken; ``load_only`` ones are taken and never answered;
    ``load_default`` is what create stores when the field is not sent.
    """

    class Meta:
        unknown = RAISE

    def secrets(self) -> frozenset[str]:
        """Names of the secret fields, of nested records too."""
        found: set[str] = set()
        for name, field in self.fields.items():
            if getattr(field, "secret", False):
                found.add(name)
            if isinstance(field, fields.Nested) and isinstance(field.schema, Record):
                found |= field.schema.secrets()
        return frozenset(found)


def links_of(schema: Schema) -> Iterator[tuple[str, Link]]:
    """Every field of a schema that links, in lists and nested records too, with its name."""
    for name, field in schema.load_fields.items():
        inner = field.inner if isinstance(field, fields.List) else field
        if isinstance(inner, Link):
            yield name, inner
        elif isinstance(inner, fields.Nested):
            yield from ((f"{name}.{below}", link) for below, link in links_of(inner.schema))


def may_link(schema: Schema) -> Sequence[str]:
    """Names of the fields that can hold a link."""
    return _parts(schema).linking


def links_in(
    schema: Schema, record: Mapping[str, Any], names: Iterable[str] | None = None
) -> Iterator[tuple[str, Link, str]]:
    """Every link that a record holds, in lists and nested records too: its place, the field, the uuid.

    A place is such as ``lines.0.device_uuid``.

    Args:
        names: of the fields to look into; all when left out.
    """
    for name in may_link(schema) if names is None else names:
        yield from _links(schema.load_fields[name], record.get(name), name)


def _links(field: fields.Field[Any], value: Any, place: str) -> Iterator[tuple[str, Link, str]]:
    if not value:
        return
    if isinstance(field, Link):
        yield place, field, str(value)
    elif isinstance(field, fields.List):
        for number, item in enumerate(value):
            yield from _links(field.inner, item, f"{place}.{number}")
    elif isinstance(field, fields.Nested):
        for number, item in enumerate(value if field.many else [value]):
            part = f"{place}.{number}" if field.many else place
            for below, link, uuid in links_in(field.schema, item):
                yield f"{part}.{below}", link, uuid


class InputError(Exception):
    """What is wrong with an input: ``errors`` holds (field, message) in the order of the declaration."""

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        super().__init__(errors[0][1])
        self.errors = errors


def load(schema: Schema, data: Mapping[str, Any], *, partial: bool, ignore_unknown: bool) -> dict[str, Any]:
    """Validate an input.

    Args:
        schema: one that stays: what is found out about it is kept with it.
        partial: an update: only what was sent, no defaults.
        ignore_unknown: leave fields that the schema does not know out, instead of refusing them.

    Raises:
        InputError: with every fault.
    """
    unknown: Unknown = "exclude" if ignore_unknown else "raise"
    token = _unknown.set(unknown)
    try:
        return _parts(schema).load(schema, data, partial, unknown)
    except ValidationError as error:
        raise InputError(list(_flatten(error.messages, schema, data))) from None
    finally:
        _unknown.reset(token)


class _Parts:
    """What is found out about a schema once, and those parts of it that inputs are checked by.

    Of most fields, which are not sent, only the defaults count; a whole schema looks at each of them every time.

    Attributes:
        linking: the fields that can hold a link.
        empty: those without a default, and whether each is a list.
    """

    MOST = 100
    """Of so many different sets of fields there is a part."""

    def __init__(self, schema: Schema) -> None:
        declared = schema.load_fields
        self._names = frozenset(declared)
        self._required = {name for name, field in declared.items() if field.required}
        defaults = {n: f.load_default for n, f in declared.items() if f.load_default is not missing}
        self._defaults = {name: default for name, default in defaults.items() if not callable(default)}
        self._made = {name: default for name, default in defaults.items() if callable(default)}
        # What a schema does beside its fields wants the whole input.
        renamed = any(field.data_key not in (None, name) for name, field in declared.items())
        self._usable = not renamed and not any(schema._hooks.values())
        self._by_names: dict[frozenset[str], Schema] = {}
        self.linking = [n for n, f in declared.items() if isinstance(f, (Link, fields.List, fields.Nested))]
        lists = {n for n, f in declared.items() if isinstance(f, fields.List) or getattr(f, "many", False)}
        self.empty = {name: name in lists for name in declared if name not in defaults}

    def load(self, schema: Schema, data: Mapping[str, Any], partial: bool, unknown: Unknown) -> dict[str, Any]:
        """Raises ValidationError, in the words of the whole schema."""
        sent = self._names.intersection(data) if unknown == "exclude" else frozenset(data)
        if self._usable and sent <= self._names and (partial or self._required <= sent):
            part = self._part(schema, sent)
            with suppress(ValidationError):
                loaded = dict(part.load(data, partial=partial, unknown=unknown)) if sent else {}
                if partial:
                    return loaded
                return {**self._defaults, **{name: make() for name, make in self._made.items()}, **loaded}
        return dict(schema.load(data, partial=partial, unknown=unknown))

    def _part(self, schema: Schema, names: frozenset[str]) -> Schema:
        part = self._by_names.get(names)
        if part is None:
            part = type(schema)(only=names)
            if len(self._by_names) < self.MOST:
                self._by_names[names] = part
        return part


_known: WeakKeyDictionary[Schema, _Parts] = WeakKeyDictionary()


def _parts(schema: Schema) -> _Parts:
    parts = _known.get(schema)
    if parts is None:
        parts = _known[schema] = _Parts(schema)
    return parts


def _flatten(messages: Any, schema: Schema | None, data: Any, path: str = "") -> Iterable[tuple[str, str]]:
    if isinstance(messages, str):
        yield path.rstrip("."), messages
    elif isinstance(messages, list):
        for message in messages:
            yield from _flatten(message, None, None, path)
    elif isinstance(messages, Mapping):
        # In the order of the declaration; after that, what the schema does not know in the order it was sent.
        declared = schema.fields if schema else ()
        sent = data if isinstance(data, Mapping) else ()
        order = {name: place for place, name in enumerate(dict.fromkeys((*declared, *sent)))}
        last = len(order)
        for key in sorted(messages, key=lambda k: (order.get(k, last), k if isinstance(k, int) else 0)):
            below = None
            if schema is None or isinstance(key, int):
                below = schema
            elif isinstance(field := schema.fields.get(key), fields.Nested):
                below = field.schema
            name = "" if key == "_schema" else f"{key}."
            yield from _flatten(messages[key], below, _part(data, key), path + name)


def _part(data: Any, key: Any) -> Any:
    if isinstance(data, Mapping):
        return data.get(key)
    return data[key] if isinstance(data, list) and isinstance(key, int) else None


def blank(schema: Schema) -> dict[str, Any]:
    """A record with every field that can be written and has no default, empty."""
    return {name: [] if many else "" for name, many in _parts(schema).empty.items()}
