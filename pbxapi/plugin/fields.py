"""Fields of a resource's schema: what a value may be, and how it is spelled in answers.

FusionPBX stores nearly everything as text, and the contract speaks text: flags are ``"true"`` and ``"false"``,
numbers are strings of digits. A field refuses what the database, the event socket or a file name could not hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Literal
from uuid import UUID

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


def may_link(schema: Schema) -> Iterator[str]:
    """Names of the fields that can hold a link."""
    for name, field in schema.load_fields.items():
        if isinstance(field, Link | fields.List | fields.Nested):
            yield name


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


_SHAPES_MOST = 100
"""Of so many different sets of fields a schema is made, in one import."""


class InputError(Exception):
    """What is wrong with an input: ``errors`` holds (field, message) in the order of the declaration."""

    def __init__(self, errors: list[tuple[str, str]]) -> None:
        super().__init__(errors[0][1])
        self.errors = errors


def load(schema: Schema, data: Mapping[str, Any], *, partial: bool, ignore_unknown: bool) -> dict[str, Any]:
    """Validate an input.

    Args:
        partial: an update: only what was sent, no defaults.
        ignore_unknown: leave fields that the schema does not know out, instead of refusing them.

    Raises:
        InputError: with every fault.
    """
    unknown: Unknown = "exclude" if ignore_unknown else "raise"
    token = _unknown.set(unknown)
    try:
        return dict(schema.load(data, partial=partial, unknown=unknown))
    except ValidationError as error:
        raise InputError(list(_flatten(error.messages, schema, data))) from None
    finally:
        _unknown.reset(token)


def load_many(schema: Schema, many: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any] | InputError]:
    """As `load` for new records: each, or what is wrong with it.

    Most fields of most records are not sent: of those only the defaults are looked at, and once for all.
    """
    declared = schema.load_fields
    defaults = {name: field.load_default for name, field in declared.items() if field.load_default is not missing}
    required = {name for name, field in declared.items() if field.required}
    # What a schema does beside its fields wants the whole record.
    plain = not any(schema._hooks.values()) and all(field.data_key in (None, n) for n, field in declared.items())
    of_sent: dict[frozenset[str], Schema] = {}
    for data in many:
        sent = frozenset(data)
        if plain and required <= sent <= declared.keys() and len(of_sent) < _SHAPES_MOST:
            if sent not in of_sent:
                of_sent[sent] = type(schema)(only=sent)
            with suppress(ValidationError):  # which the whole schema says better
                loaded = of_sent[sent].load(data)
                yield {n: d() if callable(d) else d for n, d in defaults.items() if n not in sent} | loaded
                continue
        try:
            yield load(schema, data, partial=False, ignore_unknown=False)
        except InputError as error:
            yield error


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
    """A record with every field that can be written, empty."""
    return {
        name: [] if isinstance(field, fields.List) or getattr(field, "many", False) else ""
        for name, field in schema.load_fields.items()
        if field.load_default is missing
    }
