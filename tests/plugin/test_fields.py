"""Fields against nasty values: what gets through can be stored, shown and handed to the switch."""

from __future__ import annotations

import json
from typing import Any, Literal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError, validates_schema

from pbxapi.plugin import Digits, Emails, Link, Nested, Record, Text, TrueFalse, fields
from pbxapi.plugin.fields import InputError, blank, links_in, load

LINK = "550e8400-e29b-41d4-a716-446655440000"


class Line(Record):
    number = Digits(required=True, high=99)
    name = Text()
    box_uuid = Link("v_voicemails", "voicemail_uuid")


class Everything(Record):
    uuid = fields.UUID(dump_only=True)
    name = Text(label="Name", required=True)
    number = Text(pattern=r"[0-9*#]{1,8}", expected="digits, * or #", load_default="")
    text = Text(max=20, load_default="")
    lines_of_text = Text(lines=True, load_default="")
    dialled = Text(variables=True, load_default="")
    secret = Text(secret=True, load_default="")
    count = Digits(low=1, high=100, load_default="5")
    any_count = Digits(low=-5, load_default="")
    enabled = TrueFalse(load_default="true")
    maybe = TrueFalse(blank=True, load_default="")
    box = Link("v_voicemails", "voicemail_uuid", load_default="")
    mail = Emails(most=2, load_default="")
    lines = Nested(Line, many=True, most=3)
    line = Nested(Line)
    copies = fields.List(Link("v_voicemails", "voicemail_uuid"))


SCHEMA = Everything()


def one(field: str, value: Any) -> Any:
    """What becomes of a value, sent alone in an update."""
    return load(SCHEMA, {field: value}, partial=True, ignore_unknown=False)[field]


def faults(body: Any, *, partial: bool = False, ignore_unknown: bool = False) -> list[tuple[str, str]]:
    with pytest.raises(InputError) as caught:
        load(SCHEMA, body, partial=partial, ignore_unknown=ignore_unknown)
    return caught.value.errors


def refused(field: str, value: Any) -> str:
    """The message to a value that is refused."""
    ((place, message),) = faults({field: value}, partial=True)
    assert place == field
    return message


CONTROLS = ["\0", "a\0b", "a\nb", "a\r\nb", "tab\t", "\x1b[31m", "\x7f", "\u0085", "\u2028", "\u2029", "\x0b"]


@pytest.mark.parametrize("text", CONTROLS)
@pytest.mark.parametrize("field", ["name", "number", "text", "dialled", "secret", "count", "mail"])
def test_no_line_break_or_other_control_character_gets_into_a_line(field: str, text: str) -> None:
    refused(field, text)
    refused(field, f"1{text}")


def test_lines_may_break_where_a_field_is_for_them_and_hold_nothing_worse() -> None:
    assert one("lines_of_text", "one\r\n\ttwo\n") == "one\r\n\ttwo\n"
    for text in ("\0", "\x1b", "\x7f", "\x08"):
        refused("lines_of_text", text)


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
def test_half_a_character_is_refused(text: str) -> None:
    for field in ("text", "lines_of_text", "secret", "dialled"):
        refused(field, text)


@pytest.mark.parametrize("value", [[], {}, ["x"], {"x": "y"}, True, False, [[[]]]])
@pytest.mark.parametrize("field", ["name", "number", "text", "lines_of_text", "secret", "count", "mail"])
def test_what_is_no_text_is_refused(field: str, value: Any) -> None:
    assert "must" in refused(field, value)


@pytest.mark.parametrize(
    ("value", "text"),
    [(5, "5"), (0, "0"), (-7, "-7"), (1.5, "1.5"), (10**18, "1" + "0" * 18), ("", ""), (None, "")],
)
def test_numbers_become_text_and_null_the_empty_text(value: Any, text: str) -> None:
    assert one("text", value) == text


@pytest.mark.parametrize("text", ["Zoë", "电话", "👩‍👩‍👧", "a'b\"c\\d", "<b>&amp;</b>", "%s %(x)s", "../..", " "])
def test_a_text_stays_as_it_is(text: str) -> None:
    assert one("text", text) == text


def test_a_text_has_a_length_in_characters() -> None:
    assert one("text", "ü" * 20) == "ü" * 20
    assert "20 characters" in refused("text", "x" * 21)
    assert "255" in refused("name", "x" * 256)


@pytest.mark.parametrize("text", ["${domain_name}", "$${x}", "a${system(reboot)}", "${"])
def test_the_switch_expands_nothing_that_a_caller_wrote(text: str) -> None:
    for field in ("name", "text", "lines_of_text"):
        assert "variable" in refused(field, text)
    assert one("dialled", text) == text
    assert one("secret", text) == text


@pytest.mark.parametrize("text", ["12a", "1 2", "123456789", "١٢", "1\u200b", "#*-"])
def test_a_pattern_is_for_the_whole_text(text: str) -> None:
    assert refused("number", text) == "Number must be digits, * or #"
    assert one("number", "*97#") == "*97#"
    assert one("number", "") == ""


@pytest.mark.parametrize("value", ["", None])
def test_what_is_required_is_not_empty_in_an_update_either(value: Any) -> None:
    assert refused("name", value) == "Name is required"
    assert faults({"name": value})[0] == ("name", "Name is required")
    assert faults({})[0] == ("name", "Name is required")
    assert load(SCHEMA, {}, partial=True, ignore_unknown=False) == {}


@pytest.mark.parametrize(
    ("value", "text"),
    [("7", "7"), (7, "7"), ("007", "7"), ("100", "100"), ("", ""), (None, ""), ("+7", None), ("0", None)],
)
def test_digits_are_a_whole_number_within_bounds(value: Any, text: str | None) -> None:
    if text is None:
        assert refused("count", value) == "Count must be a whole number from 1 to 100"
    else:
        assert one("count", value) == text


@pytest.mark.parametrize(
    "value",
    [
        "101",
        "-1",
        "7.0",
        7.5,
        "1e1",
        "0x10",
        "７",
        "seven",
        " 7",
        "7 ",
        "1_0",
        "9" * 40,
        10**30,
        "--7",
        "-",
        "\u00b2",
    ],
)
def test_other_digits_are_refused(value: Any) -> None:
    refused("count", value)


def test_digits_may_be_negative_where_they_may() -> None:
    assert one("any_count", "-5") == "-5"
    assert one("any_count", "-0") == "0"
    refused("any_count", "-6")


@pytest.mark.parametrize(
    ("value", "flag"), [(True, "true"), (False, "false"), ("true", "true"), ("TRUE", "true"), ("fAlSe", "false")]
)
def test_a_flag_is_true_or_false(value: Any, flag: str) -> None:
    assert one("enabled", value) == flag
    assert one("maybe", value) == flag


@pytest.mark.parametrize(
    "value", [1, 0, "1", "yes", "on", "t", " true", "true\n", [], {}, [True], 1.0, "ｔｒｕｅ", "null"]
)
def test_nothing_else_is_a_flag(value: Any) -> None:
    assert refused("enabled", value) == 'Enabled must be "true" or "false"'
    refused("maybe", value)


@pytest.mark.parametrize("value", ["", None])
def test_a_flag_is_empty_only_where_it_may_be(value: Any) -> None:
    assert one("maybe", value) == ""
    refused("enabled", value)


def test_a_link_is_a_uuid_or_nothing() -> None:
    assert one("box", LINK) == LINK
    assert one("box", LINK.upper()) == LINK
    assert one("box", "") == ""
    assert one("box", None) == ""


@pytest.mark.parametrize(
    "value", ["1", LINK[:-1], LINK + "0", f"{LINK}\n", "'; --", 5, 1.5, True, [LINK], {"uuid": LINK}, "\0" * 36]
)
def test_what_is_no_uuid_is_no_link(value: Any) -> None:
    assert refused("box", value) == "Box must be a uuid"


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("a@b.example", "a@b.example"),
        ("a@b.example, c@d.example", "a@b.example,c@d.example"),
        ("", ""),
        ("a+b@c", "a+b@c"),
    ],
)
def test_addresses_are_kept_without_blanks(text: str, stored: str) -> None:
    assert one("mail", text) == stored


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "@b",
        "a@",
        "a@b;c@d",
        "a@b,c@d,e@f",
        "a@b,",
        "`id`@b",
        "a@$(id)",
        "a b@c'",
        "-x@b",
        "a@b\\",
        "a@-b",
        "a|b@c",
    ],
)
def test_what_a_shell_could_read_is_no_address(text: str) -> None:
    refused("mail", text)


def test_a_list_of_records_has_its_faults_named_by_place() -> None:
    body = {"lines": [{"number": "1"}, {"number": "x", "name": "a\nb"}, {}]}
    assert [place for place, _ in faults(body, partial=True)] == [
        "lines.1.number",
        "lines.1.name",
        "lines.2.number",
    ]


def test_what_is_required_in_a_record_within_is_required_in_an_update_too() -> None:
    assert faults({"line": {"name": "x"}}, partial=True) == [("line.number", "Number is required")]


@pytest.mark.parametrize("value", ["x", 5, None, True, {}, {"0": {}}, [5], ["x"], [None], [[]], [[{}]]])
def test_what_is_no_list_of_records_is_refused(value: Any) -> None:
    places = [place for place, _ in faults({"lines": value}, partial=True)]
    assert all(place.split(".")[0] == "lines" for place in places)


@pytest.mark.parametrize("value", ["x", 5, None, True, []])
def test_what_is_no_record_is_refused(value: Any) -> None:
    assert [place for place, _ in faults({"line": value}, partial=True)] == ["line"]


def test_a_list_of_records_has_an_end() -> None:
    assert len(one("lines", [{"number": "1"}] * 3)) == 3
    assert "more than 3" in refused("lines", [{"number": "1"}] * 4)


def test_unknown_fields_are_refused_or_left_out_at_every_depth() -> None:
    body = {"name": "x", "colour": 1, "line": {"number": "1", "taste": 2}, "lines": [{"number": "1", "smell": 3}]}
    assert [place for place, _ in faults(body)] == ["lines.0.smell", "line.taste", "colour"]
    found = load(SCHEMA, body, partial=False, ignore_unknown=True)
    assert found["line"] == {"number": "1"}
    assert found["lines"] == [{"number": "1"}]
    assert "colour" not in found


def test_what_is_only_answered_is_not_taken() -> None:
    assert [place for place, _ in faults({"name": "x", "uuid": LINK})] == ["uuid"]
    assert "uuid" not in load(SCHEMA, {"name": "x", "uuid": LINK}, partial=False, ignore_unknown=True)


def test_all_faults_are_told_in_the_order_of_the_declaration() -> None:
    body = {"zebra": 1, "enabled": 5, "apple": 2, "text": ["x"], "count": "x"}
    assert [place for place, _ in faults(body)] == ["name", "text", "count", "enabled", "zebra", "apple"]


def test_defaults_are_for_new_records_only() -> None:
    new = load(SCHEMA, {"name": "x"}, partial=False, ignore_unknown=False)
    assert (new["count"], new["enabled"], new["number"]) == ("5", "true", "")
    assert load(SCHEMA, {"name": "x"}, partial=True, ignore_unknown=False) == {"name": "x"}
    assert blank(SCHEMA) == {"name": "", "lines": [], "line": "", "copies": []}


def test_secrets_are_found_at_every_depth() -> None:
    class Inner(Record):
        pin = Text(secret=True)

    class Outer(Record):
        password = Text(secret=True)
        name = Text()
        inner = Nested(Inner, many=True)

    assert Outer().secrets() == {"password", "pin"}


def test_links_are_found_at_every_depth_with_their_places() -> None:
    record = {
        "box": LINK,
        "lines": [{"number": "1"}, {"number": "2", "box_uuid": LINK}],
        "line": {"number": "3", "box_uuid": LINK},
        "copies": ["", LINK],
        "name": LINK,
    }
    assert [place for place, _link, _uuid in links_in(SCHEMA, record)] == [
        "box",
        "lines.1.box_uuid",
        "line.box_uuid",
        "copies.1",
    ]
    assert list(links_in(SCHEMA, {"box": "", "lines": [], "line": "", "copies": ""})) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.sampled_from([*SCHEMA.fields, "number"]), inner, max_size=4)
    ),
    max_leaves=12,
)
BODIES = st.dictionaries(st.sampled_from([*SCHEMA.fields]) | st.text(), JSON, max_size=6)


@settings(max_examples=300, derandomize=True, database=None, deadline=None)
@given(body=BODIES, partial=st.booleans(), ignore_unknown=st.booleans())
def test_whatever_is_sent_is_either_told_off_or_can_be_stored(
    body: dict[str, Any], partial: bool, ignore_unknown: bool
) -> None:
    found: dict[str, Any] = {}
    told = [("", "nothing is wrong")]
    try:
        found = load(SCHEMA, body, partial=partial, ignore_unknown=ignore_unknown)
    except InputError as error:
        told = error.errors
    assert told
    assert all(message for _, message in told)

    def storable(value: Any) -> None:
        if isinstance(value, dict):
            for item in value.values():
                storable(item)
        elif isinstance(value, list):
            for item in value:
                storable(item)
        else:
            assert isinstance(value, str | UUID)
            assert "\0" not in str(value).encode().decode()

    storable(found)
    json.dumps(found, default=str)


class Made(Record):
    name = Text(required=True)
    flag = TrueFalse(load_default="true")
    tags = fields.List(Text(), load_default=list)
    number = Digits(high=9)


class Whole(Made):
    @validates_schema
    def check(self, data: dict[str, Any], **kwargs: Any) -> None:
        if data.get("flag", "") == data.get("number"):
            raise ValidationError("flag and number are the same", "flag")


@pytest.mark.parametrize("schema", [Made(), Whole()])
@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("unknown", ["raise", "exclude"])
def test_an_input_is_loaded_as_marshmallow_itself_would(
    schema: Record, partial: bool, unknown: Literal["raise", "exclude"]
) -> None:
    inputs: list[dict[str, Any]] = [
        {"name": "a"},
        {"name": "b", "flag": False, "number": 7, "tags": ["x"]},
        {"flag": "true"},
        {"name": ""},
        {"name": None},
        {"name": "c", "number": "10", "colour": "red"},
        {},
    ]

    def ours(sent: dict[str, Any]) -> Any:
        try:
            return load(schema, sent, partial=partial, ignore_unknown=unknown == "exclude")
        except InputError as error:
            return {field for field, _ in error.errors}

    def its_own(sent: dict[str, Any]) -> Any:
        try:
            return schema.load(sent, partial=partial, unknown=unknown)
        except ValidationError as error:
            return set(error.messages)

    found = [ours(sent) for sent in inputs]
    assert found == [its_own(sent) for sent in inputs]
    assert {type(loaded) for loaded in found} == {dict, set}
    first, second = ours({"name": "a"}), ours({"name": "a"})
    assert first is not second
    first.setdefault("tags", []).append("x")
    assert second.get("tags", []) == [], "a default of one record is not that of another"


def test_faults_are_told_in_the_order_of_the_declaration_whatever_was_sent() -> None:
    with pytest.raises(InputError) as caught:
        load(Made(), {"number": "10", "flag": "maybe"}, partial=False, ignore_unknown=False)
    assert [field for field, _ in caught.value.errors] == ["name", "flag", "number"]
