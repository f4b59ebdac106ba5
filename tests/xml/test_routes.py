from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxapi.xml.dialplan import Detail, from_details
from pbxapi.xml.routes import (
    EMERGENCY,
    abbreviation,
    inbound_route,
    outbound_route,
    read_time_condition,
    time_condition,
)
from pbxapi.xml.text import InvalidValue

from .conftest import bounded

GATEWAY = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
TRANSFER = {"app": "transfer", "data": "101 XML d"}
CLOSED = {"app": "transfer", "data": "*99101 XML d"}


def short(details):
    """(tag, type, data) with a mark for inline and for switched off."""
    return [
        (detail.tag, detail.type, detail.data)
        + (("inline",) if detail.inline else ())
        + (() if detail.enabled else ("off",))
        for detail in details
    ]


def xml_of(details):
    return from_details(
        "t", details, uuid="u", context="d.example", continue_=False, domain_uuid="x", domain_name="d.example"
    )


def one(name, value):
    """The data of a time condition with this time alone."""
    details = time_condition("700", [{name: value, "actions": [TRANSFER]}])
    return next((detail.type, detail.data) for detail in details if detail.break_ == "never")


def test_an_inbound_route_is_a_condition_and_its_actions():
    details = inbound_route("5550100", [("transfer", "101 XML d"), ("hangup", "")])
    assert short(details) == [
        ("condition", "destination_number", "^(5550100)$"),
        ("action", "transfer", "101 XML d"),
        ("action", "hangup", ""),
    ]
    assert [(detail.group, detail.order) for detail in details] == [(0, 0), (0, 10), (0, 20)]


@pytest.mark.parametrize(
    ("number", "expression"),
    [
        ("+15550100", r"^(\+15550100)$"),
        ("*72", r"^(\*72)$"),
        (r"^\+?1?(555\d+)$", r"^\+?1?(555\d+)$"),
        ("(.*)", "(.*)"),
    ],
)
def test_an_inbound_number_is_matched_whole_and_an_expression_stays(number, expression):
    assert inbound_route(number, [("hangup", "")])[0].data == expression


def test_an_inbound_limit_and_an_answer_come_before_the_actions():
    assert short(inbound_route("1", [("ivr", "x")], limit=5))[1:] == [
        ("action", "limit", "hash ${domain_name} inbound 5 !USER_BUSY"),
        ("action", "answer", ""),
        ("action", "ivr", "x"),
    ]


@pytest.mark.parametrize(("arguments", "key"), [(("", [("hangup", "")]), "number"), (("1", []), "actions")])
def test_an_inbound_route_needs_a_number_and_an_action(arguments, key):
    with pytest.raises(InvalidValue) as refused:
        inbound_route(*arguments)
    assert refused.value.key == key


def test_an_outbound_route_is_two_dialplans():
    direction, bridge = outbound_route(r"^(\d{10})$", [(GATEWAY, "acme")])
    assert (direction.name, direction.order, direction.continue_) == ("call_direction-outbound.10d", 22, True)
    assert (bridge.name, bridge.order, bridge.continue_) == ("acme.10d", 300, False)
    assert short(direction.details) == [
        ("condition", "${user_exists}", "false"),
        ("condition", "${call_direction}", "^$"),
        ("condition", "destination_number", r"^(\d{10})$"),
        ("action", "export", "call_direction=outbound", "inline"),
    ]
    assert short(bridge.details) == [
        ("condition", "${user_exists}", "false"),
        ("condition", "destination_number", r"^(\d{10})$"),
        ("action", "set", "sip_h_accountcode=${accountcode}", "off"),
        ("action", "export", "call_direction=outbound", "inline"),
        ("action", "unset", "call_timeout"),
        ("action", "set", "hangup_after_bridge=true"),
        ("action", "set", "effective_caller_id_name=${outbound_caller_id_name}"),
        ("action", "set", "effective_caller_id_number=${outbound_caller_id_number}"),
        ("action", "set", "inherit_codec=true"),
        ("action", "set", "ignore_display_updates=true"),
        ("action", "set", "callee_id_number=$1"),
        (
            "action",
            "set",
            "continue_on_fail=1,2,3,6,18,21,27,28,31,34,38,41,42,44,58,88,111,403,501,602,607,809",
        ),
        ("action", "set", "limit_max=", "off"),
        ("action", "limit", "hash ${domain_name} outbound ${limit_max} !USER_BUSY", "off"),
        ("action", "set", "pin_number=", "off"),
        ("action", "lua", "pin_number.lua", "off"),
        ("action", "bridge", f"sofia/gateway/{GATEWAY}/$1"),
    ]
    assert [detail.order for detail in bridge.details] == [10 * n for n in range(1, 18)]
    assert {detail.group for detail in bridge.details} == {0}


def test_the_options_of_an_outbound_route_are_where_fusionpbx_has_them():
    _, bridge = outbound_route(
        r"^9(\d{7})$",
        [(GATEWAY, "acme"), ("other", "b")],
        prefix_number="0049",
        toll_allow="local",
        limit=3,
        accountcode="c",
        pin_number="database",
        order=100,
    )
    rows = short(bridge.details)
    assert (bridge.name, bridge.order) == ("acme.9.7d", 100)
    assert rows[1] == ("condition", "${toll_allow}", "local")
    assert rows[3] == ("action", "set", "sip_h_accountcode=c")
    assert rows[-9:] == [
        rows[-9],
        ("action", "set", "limit_max=3"),
        ("action", "limit", "hash ${domain_name} outbound ${limit_max} !USER_BUSY"),
        ("action", "set", "outbound_prefix=9"),
        ("action", "set", "pin_number=database"),
        ("action", "lua", "pin_number.lua"),
        ("action", "set", "provider_prefix=0049"),
        ("action", "bridge", f"sofia/gateway/{GATEWAY}/0049$1"),
        ("action", "bridge", "sofia/gateway/other/0049$1"),
    ]


def test_an_emergency_call_carries_the_emergency_caller_id():
    direction, bridge = outbound_route(EMERGENCY, [(GATEWAY, "acme")], description="help")
    assert (direction.name, bridge.name) == ("call_direction-outbound", "acme.911")
    rows = short(bridge.details)
    assert ("action", "set", "effective_caller_id_name=${emergency_caller_id_name}") in rows
    assert ("action", "set", "effective_caller_id_number=${emergency_caller_id_number}") in rows
    assert ("action", "set", "call_date=${strftime(%d-%b-%Y %r)}", "off") in rows
    assert ("action", "lua", "app.lua emergency 1", "off") in rows


def test_988_dials_the_crisis_line():
    _, bridge = outbound_route("(^988$)", [(GATEWAY, "acme")], prefix_number="1")
    assert bridge.details[-1].data == f"sofia/gateway/{GATEWAY}/118002738255"


@pytest.mark.parametrize(
    ("expression", "name"),
    [
        (r"^(\d{7})$", "7d"),
        (r"^\+?(\d{11})$", "11d"),
        (r"^(011\d{9,17})$", "011.9-17d"),
        (r"^9(\d{12,20})$", "9.12-20"),
        ("^(411)$", "411"),
        (r"^(My Own\d+)$", "my_ownd"),
    ],
)
def test_expressions_have_short_names(expression, name):
    assert abbreviation(expression) == name


@pytest.mark.parametrize(
    ("change", "key"),
    [({"expression": ""}, "expression"), ({"gateways": []}, "gateways"), ({"pin_number": "12a"}, "pin_number")],
)
def test_an_outbound_route_that_cannot_work_is_refused(change, key):
    with pytest.raises(InvalidValue) as refused:
        outbound_route(**({"expression": "^(1)$", "gateways": [(GATEWAY, "a")]} | change))
    assert refused.value.key == key


def test_a_time_condition_has_the_groups_of_fusionpbx(tree):
    details = time_condition(
        "700",
        [
            {"wday": "mon-fri", "time-of-day": "09:00-17:00", "actions": [TRANSFER]},
            {"mon": "12", "mday": "25", "preset": "christmas", "actions": [CLOSED]},
        ],
        [CLOSED],
        "America/Boise",
    )
    dialled = ("condition", "destination_number", "^700$")
    assert [(detail.group, *row) for detail, row in zip(details, short(details), strict=True)] == [
        (0, *dialled),
        (0, "action", "set", "timezone=America/Boise", "inline"),
        (500, *dialled),
        (500, "condition", "wday", "2-6"),
        (500, "condition", "minute-of-day", "541-1020"),
        (500, "action", "transfer", "101 XML d"),
        (510, *dialled),
        (510, "condition", "mon", "12"),
        (510, "condition", "mday", "25"),
        (510, "action", "set", "preset=christmas", "inline"),
        (510, "action", "transfer", "*99101 XML d"),
        (999, *dialled),
        (999, "action", "transfer", "*99101 XML d"),
    ]
    assert [detail.order for detail in details] == [10, 20, 10, 20, 30, 40, 10, 20, 30, 40, 50, 10, 20]
    shown = [element[1] for element in tree(xml_of(details))[3]]
    number = {"field": "destination_number", "expression": "^700$"}
    assert shown == [
        number,
        number,
        {"wday": "2-6", "minute-of-day": "541-1020", "break": "never"},
        number,
        {"mon": "12", "mday": "25", "break": "never"},
        number,
    ]


@pytest.mark.parametrize(
    ("name", "value", "data"),
    [
        ("wday", "sun", "1"),
        ("wday", "Monday - Friday", "2-6"),
        ("wday", "7", "7"),
        ("wday", "fri-mon", "6,7,1,2"),
        ("wday", "mon,wed,fri", "2,4,6"),
        ("wday", "mon,tue,wed", "2-4"),
        ("wday", "wed,mon,tue", "2-4"),
        ("hour", 9, "9"),
        ("hour", "9-17", "9-17"),
        ("hour", "22-5", "22,23,0,1,2,3,4,5"),
        ("hour", "9-11,14-16", "9,10,11,14,15,16"),
        ("mon", "jan-mar", "1-3"),
        ("mon", "nov-feb", "11,12,1,2"),
        ("mday", "1,15", "1,15"),
        ("minute", "0-29", "0-29"),
        ("year", 2026, "2026"),
        ("year", "2026-2028", "2026-2028"),
        ("yday", "366", "366"),
        ("week", "53", "53"),
        ("mweek", "6", "6"),
        ("minute-of-day", "541-1020", "541-1020"),
        ("date-time", "2026-12-24 18:00~2026-12-26 23:59", "2026-12-24 18:00~2026-12-26 23:59"),
        ("date-time", "2026-12-24~2026-12-25", "2026-12-24 00:00~2026-12-25 23:59:59"),
        ("date-time", "2026-12-25", "2026-12-25 00:00~2026-12-25 23:59:59"),
        ("date-time", "2026-12-25T08:30:15~2026-12-25T09:00", "2026-12-25 08:30:15~2026-12-25 09:00"),
    ],
)
def test_words_become_what_the_switch_compares(name, value, data):
    assert one(name, value) == (name, data)


@pytest.mark.parametrize(
    ("value", "data"),
    [("09:00-17:00", "541-1020"), ("0:00-24:00", "1-1440"), ("9:05", "546"), ("23:59 - 24:00", "1440-1440")],
)
def test_a_time_of_day_is_counted_in_minutes_as_fusionpbx_does(value, data):
    assert one("time-of-day", value) == ("minute-of-day", data)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hour", "24"),
        ("hour", "-1"),
        ("hour", "nine"),
        ("hour", ""),
        ("hour", "9-"),
        ("hour", "9,,10"),
        ("hour", "９"),
        ("hour", True),
        ("hour", None),
        ("hour", 9.5),
        ("hour", [9]),
        ("wday", "0"),
        ("wday", "8"),
        ("wday", "jan"),
        ("mon", "13"),
        ("mday", "32"),
        ("year", "2027-2026"),
        ("minute-of-day", "1441"),
        ("minute-of-day", "1320-360"),
        ("minute-of-day", ",".join(str(n) for n in range(1, 1440, 2))),
        ("time-of-day", "22:00-06:00"),
        ("time-of-day", "09:00-09:00"),
        ("time-of-day", "24:00"),
        ("time-of-day", "09:60-10:00"),
        ("time-of-day", "25:00-26:00"),
        ("time-of-day", "08:00-24:01"),
        ("time-of-day", "9-17"),
        ("date-time", "2026-12-26~2026-12-24"),
        ("date-time", "2026-12-25 10:00"),
        ("date-time", "2026-02-30"),
        ("date-time", "2026-12-25 10:00+02:00~2026-12-26 10:00+02:00"),
        ("date-time", "tomorrow"),
        ("weekday", "mon"),
    ],
)
def test_a_time_that_cannot_be_is_refused_with_its_key(name, value):
    with pytest.raises(InvalidValue) as refused:
        one(name, value)
    assert refused.value.key == f"conditions.0.{name}"


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (("", [{"hour": 9, "actions": [TRANSFER]}]), "extension"),
        (("700", []), "conditions"),
        (("700", [{"actions": [TRANSFER]}]), "conditions.0"),
        (("700", ["x"]), "conditions.0"),
        (("700", [{"hour": 9}]), "conditions.0.actions"),
        (("700", [{"hour": 9, "actions": "hangup"}]), "conditions.0.actions"),
        (("700", [{"hour": 9, "actions": [{"data": "x"}]}]), "conditions.0.actions.0.app"),
        (("700", [], [{}]), "otherwise.0.app"),
        (
            ("700", [{"time-of-day": "9:00", "minute-of-day": 5, "actions": [TRANSFER]}]),
            "conditions.0.minute-of-day",
        ),
        (("700", [{"hour": 9, "actions": [TRANSFER]}] * 50), "conditions"),
    ],
)
def test_a_time_condition_that_cannot_work_is_refused_with_its_key(arguments, key):
    with pytest.raises(InvalidValue) as refused:
        time_condition(*arguments)
    assert refused.value.key == key


def test_as_many_conditions_as_there_are_groups_are_taken():
    details = time_condition("700", [{"hour": 9, "actions": [TRANSFER]}] * 49, [CLOSED])
    assert max(detail.group for detail in details if detail.group < 999) == 980


def test_a_time_condition_is_read_back_in_words():
    words = {
        "extension": "*700",
        "conditions": [
            {"wday": "mon-fri", "time-of-day": "09:00-17:00", "actions": [TRANSFER, CLOSED]},
            {"mon": "dec", "mday": "24-26", "preset": "christmas", "actions": [CLOSED]},
            {"date-time": "2026-12-24 18:00~2026-12-26 23:59", "actions": [CLOSED]},
        ],
        "otherwise": [CLOSED],
        "timezone": "America/Boise",
    }
    assert read_time_condition(time_condition(**words)) == words


def test_what_fusionpbx_editor_made_is_read_with_its_own_groups_and_number():
    details = [
        Detail("condition", "destination_number", "^*7$", group=505, order=10),
        Detail("condition", "minute-of-day", "541", break_="never", group=505, order=20),
        Detail("condition", "hour", "9", break_="never", group=505, order=30, enabled=False),
        Detail("action", "transfer", "1 XML d", group=505, order=40),
    ]
    assert read_time_condition(details) == {
        "extension": "*7",
        "conditions": [{"time-of-day": "09:00", "actions": [{"app": "transfer", "data": "1 XML d"}]}],
        "otherwise": [],
        "timezone": "",
    }


def changed(**rest):
    """A sound time condition with one more row."""
    return [*time_condition("700", [{"hour": 9, "actions": [TRANSFER]}], [CLOSED]), Detail(**rest)]


AFTER_OTHERWISE = [
    *time_condition("700", [], [CLOSED]),
    Detail("condition", "destination_number", "^700$", group=1000),
    Detail("condition", "hour", "9", break_="never", group=1000, order=10),
    Detail("action", "hangup", group=1000, order=20),
]


@pytest.mark.parametrize(
    "details",
    [
        [],
        [Detail("condition", "destination_number", "^700$")],
        [Detail("condition", "destination_number", "700"), Detail("action", "hangup")],
        inbound_route("700", [("hangup", "")]),
        AFTER_OTHERWISE,
        changed(tag="condition", type="caller_id_number", data="1", group=500, order=15),
        changed(tag="condition", type="wday", data="2-3,5", break_="on-true", group=500, order=15),
        changed(tag="condition", type="wday", data="9", break_="never", group=500, order=15),
        changed(tag="condition", type="mon", data="1-3,7", break_="never", group=500, order=15),
        changed(tag="condition", type="destination_number", data="^701$", group=700),
        changed(tag="condition", type="regex", data="all", group=700),
        changed(tag="anti-action", type="hangup", group=500, order=99),
        changed(tag="action", type="set", data="a=b", inline="true", group=500, order=99),
        changed(tag="action", type="hangup", group=700),
        changed(tag="condition", type="hour", data="1", break_="never", group=700),
    ],
)
def test_what_these_words_cannot_say_is_not_read(details):
    assert read_time_condition(details) is None


NUMBERS = {
    "mon": (1, 12),
    "mday": (1, 31),
    "wday": (1, 7),
    "hour": (0, 23),
    "minute": (0, 59),
    "mweek": (1, 6),
    "minute-of-day": (1, 1440),
}


def compared(expression, value, days):
    """Our own model of switch_number_cmp, and for days of the week of switch_dow_cmp."""
    if days:
        return any(
            int(first) <= value <= int(last or first)
            for first, _, last in (part.partition("-") for part in expression.split(","))
        )
    first, dash, last = expression.partition("-")
    if dash:
        return int(re.match("[0-9]+", first)[0]) <= value <= int(re.match("[0-9]+", last)[0])
    return value in [int(part) for part in expression.split(",")]


@bounded
@given(st.data())
def test_the_switch_matches_exactly_the_values_that_the_words_name(data):
    name = data.draw(st.sampled_from(sorted(set(NUMBERS) - {"minute-of-day"})))
    lowest, highest = NUMBERS[name]
    bound = st.integers(lowest, highest)
    ranges = data.draw(st.lists(st.tuples(bound, bound), min_size=1, max_size=4))
    words = ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)
    expression = one(name, words)[1]
    for value in range(lowest, highest + 1):
        meant = any(
            first <= value <= last if first <= last else value >= first or value <= last for first, last in ranges
        )
        assert compared(expression, value, name == "wday") == meant


@bounded
@given(st.data())
def test_reading_and_writing_a_time_condition_ends_where_it_began(data):
    times = {}
    for name in data.draw(st.lists(st.sampled_from(sorted(NUMBERS)), unique=True, min_size=1)):
        first, last = sorted(data.draw(st.tuples(*[st.integers(*NUMBERS[name])] * 2)))
        times[name] = f"{first}-{last}"
    details = time_condition("700", [{**times, "actions": [TRANSFER]}], [CLOSED])
    words = read_time_condition(details)
    assert words is not None
    assert time_condition(**words) == details
