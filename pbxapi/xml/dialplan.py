"""Dialplans: one ``<extension>`` from FusionPBX's rows of details, and what a given one holds.

FreeSWITCH sees only v_dialplans.dialplan_xml; v_dialplan_details are the form of FusionPBX's editor. The rules
by which details become XML are FusionPBX's (app/dialplans/resources/classes/dialplan.php), in our own code,
with two differences: values are escaped, and ``continue`` is "true" or "false".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID
from xml.etree.ElementTree import Element as Parsed
from xml.etree.ElementTree import ParseError

from defusedxml import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

from pbxapi.xml.text import Element, InvalidValue, check, is_true, plain

TIME_TYPES = (
    "year",
    "yday",
    "mon",
    "mday",
    "week",
    "mweek",
    "wday",
    "hour",
    "minute",
    "minute-of-day",
    "time-of-day",
    "date-time",
)
"""Types of a condition that are attributes of their own in FreeSWITCH (switch_xml_std_datetime_check)."""

_RANKS = {"condition": 0, "regex": 1, "action": 2, "anti-action": 3}
_CHILDREN = {
    "extension": {"condition"},
    "condition": {"condition", "regex", "action", "anti-action", "expression"},
    "regex": {"expression"},
    "action": set(),
    "anti-action": set(),
    "expression": set(),
}
_WITH_TEXT = {"action", "anti-action", "expression"}
_DEEPEST = 20
_CALL = re.compile(r"\$\{([^ (}]*)([ (]?)")


@dataclass(frozen=True, slots=True)
class Detail:
    """One row of v_dialplan_details.

    Args:
        tag: ``condition``, ``regex``, ``action`` or ``anti-action``.
        type: the field that a condition looks at, or the application of an action.
        data: the condition's expression, or the application's data.
        break_: when a condition ends the search: ``on-true``, ``on-false``, ``always``, ``never`` or "".
        inline: "true" where an action runs while the dialplan is still searched, else "" or "false".
        group: rows of one group stand together; groups follow by number.
        order: within a group, among rows of the same tag.
        enabled: rows that are not are kept for the editor and left out of the XML.
    """

    tag: str
    type: str
    data: str = ""
    break_: str = ""
    inline: str = ""
    group: int = 0
    order: int = 0
    enabled: bool = True

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Detail:
        """The detail of a row that has FusionPBX's column names; a missing or NULL ``_enabled`` is true."""
        value = {name: row.get(f"dialplan_detail_{name}") for name in _COLUMNS}
        return cls(
            tag=plain(value["tag"]),
            type=plain(value["type"]),
            data=plain(value["data"]),
            break_=plain(value["break"]),
            inline=plain(value["inline"]),
            group=int(value["group"] or 0),
            order=int(value["order"] or 0),
            enabled=value["enabled"] is None or is_true(value["enabled"]),
        )

    def as_row(self) -> dict[str, Any]:
        """The columns ``dialplan_detail_tag``, ``_type``, ``_data``, ``_break``, ... of the detail."""
        values = (
            self.tag,
            self.type,
            self.data,
            self.break_,
            self.inline,
            self.group,
            self.order,
            self.enabled,
        )
        return {f"dialplan_detail_{name}": value for name, value in zip(_COLUMNS, values, strict=True)}


_COLUMNS = ("tag", "type", "data", "break", "inline", "group", "order", "enabled")


def exactly(number: str) -> str:
    """The regular expression that matches this number and nothing else: ``*72`` is ``^\\*72$``."""
    return "^" + re.sub(r"([\\.*+?()\[\]{}|^$])", r"\\\1", number) + "$"


def is_public(context: str) -> bool:
    """Whether calls from outside arrive in the context: ``public``, ``public@...`` or ``....public``."""
    return context == "public" or context.startswith("public@") or context.endswith(".public")


def inbound_marks(domain_uuid: UUID | str | None, domain_name: str | None) -> list[Detail]:
    """The actions that mark a call from outside as inbound and as this domain's."""
    marks = [Detail("action", "export", "call_direction=inbound", inline="true")]
    if domain_uuid:
        marks.append(Detail("action", "set", f"domain_uuid={domain_uuid}", inline="true"))
    if domain_name:
        marks.append(Detail("action", "set", f"domain_name={domain_name}", inline="true"))
    return marks


def from_details(
    name: str,
    details: Iterable[Detail],
    *,
    uuid: UUID | str,
    context: str,
    continue_: bool,
    domain_uuid: UUID | str | None,
    domain_name: str | None,
) -> str:
    """The ``<extension>`` that FreeSWITCH gets for these details.

    - Enabled rows, by group, then conditions before regexes, actions and anti-actions, then by order.
    - A condition that another one follows is closed; the last one of a group takes its actions.
    - Conditions on time that follow one another become attributes of one ``<condition>``, with the ``break``
      of the last of them.
    - A condition of type ``regex`` stays open for the group's regexes (and for conditions that follow it).
    - ``$$`` in data is ``$``.
    - In a public context the first action of each group is preceded by `inbound_marks`, unless they are there.

    Args:
        name: of the dialplan.
        uuid: dialplan_uuid.
        context: dialplan_context.
        continue_: whether FreeSWITCH goes on to the next dialplan after this one matched.
        domain_uuid: of the owner, None for a dialplan of all domains.
        domain_name: of the owner.

    Raises:
        InvalidValue: a value that XML cannot hold, an unknown tag, a regex without a condition of type
            ``regex`` before it, two of these in one group, or the same time attribute twice in one condition;
            the key is ``details.<position>.dialplan_detail_<column>``, or ``dialplan_name``.
    """
    check(name, "dialplan_name")
    rows = [(index, detail) for index, detail in enumerate(details) if detail.enabled]
    for index, detail in rows:
        if detail.tag not in _RANKS:
            raise InvalidValue(_key(index, "tag"), "must be condition, regex, action or anti-action")
        for column in ("type", "data", "break_", "inline"):
            check(getattr(detail, column), _key(index, column.rstrip("_")))
    rows.sort(key=lambda row: (row[1].group, _RANKS[row[1].tag], row[1].order))
    marks = inbound_marks(domain_uuid, domain_name) if is_public(context) else []
    extension = Element(
        "extension", {"name": name, "continue": "true" if continue_ else "false", "uuid": str(uuid)}
    )
    for _, group in groupby(rows, key=lambda row: row[1].group):
        extension.children += _group(list(group), marks)
    return extension.render()


def _key(index: int, column: str) -> str:
    return f"details.{index}.dialplan_detail_{column}"


def _group(rows: list[tuple[int, Detail]], marks: list[Detail]) -> list[Element]:
    top: list[Element] = []
    siblings = top
    last: Element | None = None
    choice: Element | None = None
    merging = False
    for place, (index, detail) in enumerate(rows):
        data = detail.data.replace("$$", "$")
        breaks = {"break": detail.break_} if detail.break_ else {}
        if detail.tag == "condition" and detail.type in TIME_TYPES and merging and last:
            if detail.type in last.attributes:
                raise InvalidValue(
                    _key(index, "type"), f"a second {detail.type} in one condition would not be looked at"
                )
            last.attributes.pop("break", None)
            last.attributes |= {detail.type: data} | breaks
        elif detail.tag == "condition":
            merging = detail.type in TIME_TYPES
            if merging:
                last = Element("condition", {detail.type: data} | breaks)
            elif detail.type == "regex":
                if choice:
                    raise InvalidValue(_key(index, "type"), "a group can have one condition of type regex")
                last = choice = Element("condition", {"regex": data} | breaks)
            else:
                last = Element("condition", {"field": detail.type, "expression": data} | breaks)
            siblings.append(last)
            if last is choice:
                siblings = choice.children
        elif detail.tag == "regex":
            if not choice:
                raise InvalidValue(_key(index, "tag"), "a regex needs a condition of type regex in the same group")
            looks_at = (
                {detail.type: data} if detail.type in TIME_TYPES else {"field": detail.type, "expression": data}
            )
            choice.children.append(Element("regex", looks_at | breaks))
            last = choice
        else:
            actions = last.children if last else top
            if detail.tag == "action":
                if [(row.type, row.data) for _, row in rows[place : place + len(marks)]] != [
                    (mark.type, mark.data) for mark in marks
                ]:
                    actions += [_action(mark, mark.data) for mark in marks]
                marks = []
            actions.append(_action(detail, data))
    return top


def _action(detail: Detail, data: str) -> Element:
    inline = {"inline": detail.inline} if detail.inline else {}
    return Element(detail.tag, {"application": detail.type, "data": data} | inline)


def parse(xml: str) -> str:
    """Check a dialplan that somebody wrote, and write it anew so that FreeSWITCH reads what was checked.

    Taken: exactly one ``<extension>`` of conditions, regexes, actions, anti-actions and expressions, nested
    as mod_dialplan_xml reads them, with any attributes; name and uuid stay as they are. Comments and
    processing instructions go. Text is kept where FreeSWITCH reads it (an action's data, an expression).

    Raises:
        InvalidValue: it is not well-formed, has a document type or entities of its own, or holds anything
            else; the key is ``dialplan_xml``.
    """
    try:
        return _tree(xml).render()
    except InvalidValue as fault:
        raise InvalidValue("dialplan_xml", fault.reason) from None


def attributes(xml: str) -> dict[str, str]:
    """The attributes of a given dialplan's ``<extension>``.

    Raises:
        InvalidValue: as `parse`.
    """
    try:
        return _tree(xml).attributes
    except InvalidValue as fault:
        raise InvalidValue("dialplan_xml", fault.reason) from None


def relabelled(xml: str, *, name: str, continue_: bool, uuid: UUID | str) -> str:
    """A given dialplan under another name; what it does stays.

    Args:
        name, continue_, uuid: as for `from_details`.

    Raises:
        InvalidValue: as `parse`; with the key ``dialplan_name`` where XML cannot hold the name.
    """
    check(name, "dialplan_name")
    try:
        extension = _tree(xml)
    except InvalidValue as fault:
        raise InvalidValue("dialplan_xml", fault.reason) from None
    extension.attributes |= {"name": name, "continue": "true" if continue_ else "false", "uuid": str(uuid)}
    return extension.render()


def _tree(xml: str) -> Element:
    check(xml)
    try:
        root: Parsed = fromstring(xml.strip(), forbid_dtd=True)
    except ParseError as fault:
        line, column = fault.position
        raise InvalidValue(
            "", f"is not well-formed XML with one root element (line {line}, column {column})"
        ) from None
    except DefusedXmlException:
        raise InvalidValue("", "must not have a document type or entities of its own") from None
    if root.tag != "extension":
        raise InvalidValue("", "must be one <extension>")
    return _element(root, 1)


def _element(parsed: Parsed, depth: int) -> Element:
    if depth > _DEEPEST:
        raise InvalidValue("", f"is nested deeper than {_DEEPEST} levels")
    tag = parsed.tag
    texts = [parsed.text, *(child.tail for child in parsed)]
    text = "".join(part for part in texts if part)
    if text.strip() and tag not in _WITH_TEXT:
        raise InvalidValue("", f"<{tag}> cannot hold text")
    for child in parsed:
        if child.tag not in _CHILDREN[tag]:
            raise InvalidValue("", f"<{tag}> cannot hold <{child.tag}>")
    return Element(
        tag,
        dict(parsed.attrib),
        [_element(child, depth + 1) for child in parsed],
        text if text.strip() else "",
    )


def actions(source: str | Iterable[Detail]) -> Iterator[tuple[str, str]]:
    """What a dialplan can run: (application, data) of every action and anti-action, nested ones too.

    Args:
        source: XML as for `parse`, or details, of which the disabled ones count too.

    Raises:
        InvalidValue: the XML is none that `parse` takes.
    """
    if isinstance(source, str):
        for element in _walk(_tree(source)):
            if element.tag in ("action", "anti-action"):
                # FreeSWITCH takes the text for the data where there is any.
                data = element.text or element.attributes.get("data", "")
                yield element.attributes.get("application", ""), data
    else:
        for detail in source:
            if detail.tag in ("action", "anti-action"):
                yield detail.type, detail.data


def api_calls(source: str | Iterable[Detail]) -> Iterator[str]:
    """Names of the API commands that a dialplan runs by expansion: ``${system(...)}`` is ``system``.

    FreeSWITCH expands ``${name arguments}`` and ``${name(arguments)}`` in expressions, fields and data by
    running the command (switch_channel_expand_variables_check), so a list of allowed applications alone
    does not say what a dialplan can do. A name that is itself built by expansion comes as it stands, with
    its braces, and so can be on no list.

    Args:
        source: XML as for `parse`, or details, of which the disabled ones count too.

    Raises:
        InvalidValue: the XML is none that `parse` takes.
    """
    for text in texts(source):
        for name, call in _CALL.findall(text):
            if call or "{" in name:
                yield name


def texts(source: str | Iterable[Detail]) -> Iterator[str]:
    """Every text of a dialplan that FreeSWITCH expands or compares: fields, expressions, applications, data.

    Args:
        source: XML as for `parse`, or details, of which the disabled ones count too.

    Raises:
        InvalidValue: the XML is none that `parse` takes.
    """
    if isinstance(source, str):
        for element in _walk(_tree(source)):
            yield from (*element.attributes.values(), element.text)
    else:
        for detail in source:
            yield from (detail.type, detail.data)


def looked_at(xml: str) -> Iterator[str]:
    """The fields of a dialplan's conditions and regexes, which FreeSWITCH expands and compares.

    Raises:
        InvalidValue: the XML is none that `parse` takes.
    """
    for element in _walk(_tree(xml)):
        if element.tag in ("condition", "regex"):
            yield element.attributes.get("field", "")


def _walk(element: Element) -> Iterator[Element]:
    yield element
    for child in element.children:
        yield from _walk(child)
