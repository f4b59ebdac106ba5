from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbxapi.xml import applications
from pbxapi.xml.applications import (
    call_center_queue_dialplan,
    call_flow_dialplan,
    conference_center_dialplan,
    conference_dialplan,
    fax_dialplan,
    ivr_menu_dialplan,
    ring_group_dialplan,
)
from pbxapi.xml.text import InvalidValue

from .conftest import bounded, texts

DOMAIN = "tenant.example"
UUID = "9c2f2d4e-0a55-4b5b-9d41-6a4f7c9d0f10"
BUILDERS = {
    "ring_groups": (ring_group_dialplan, {}),
    "ivr_menus": (ivr_menu_dialplan, {}),
    "call_flows": (call_flow_dialplan, {}),
    "conferences": (conference_dialplan, {"domain_name": "pbx.example.com"}),
    "conference_centers": (conference_center_dialplan, {}),
    "fax": (fax_dialplan, {"domain_name": "pbx.example.com", "storage": "<switch/storage>"}),
    "call_center_queues": (
        call_center_queue_dialplan,
        {"domain_name": "pbx.example.com", "sounds": "<switch/sounds>"},
    ),
}


def conditions(tree, xml):
    """(expression, break, [(application, data, inline)]) of each condition."""
    made = tree(xml)
    assert made[0] == "extension"
    assert made[1]["continue"] == "false"
    assert made[1]["uuid"] == UUID
    return [
        (
            element[1]["expression"],
            element[1].get("break", ""),
            [(action[1]["application"], action[1]["data"], action[1].get("inline", "")) for action in element[3]],
        )
        for element in made[3]
        if element[1]["field"] == "destination_number"
    ]


def test_the_dialplans_are_those_that_fusionpbx_made(golden, tree):
    seen = set()
    for case in golden("more_resources.json")["dialplans"]:
        if case["dialplan_xml"] is None:
            continue
        # Placeholders of folders stand unescaped in the record.
        wanted = re.sub("<(switch/[a-z]+)>", r"&lt;\1&gt;", case["dialplan_xml"])
        builder, arguments = BUILDERS[case["resource"]]
        assert tree(builder(case["input"]["row"], **arguments)) == tree(wanted), case["resource"]
        seen.add(case["resource"])
    assert seen == set(BUILDERS)


def test_a_ring_group_rings_by_its_uuid(tree):
    row = {
        "ring_group_uuid": "rg",
        "ring_group_name": "Sales & <co>",
        "ring_group_extension": "*760",
        "dialplan_uuid": UUID,
    }
    xml = ring_group_dialplan(row)
    assert tree(xml)[1]["name"] == "Sales & <co>"
    run = [
        ("set", "ring_group_uuid=rg", ""),
        ("set", "record_stereo=true", ""),
        ("lua", "app.lua ring_groups", ""),
    ]
    assert conditions(tree, xml) == [(r"^\*760$", "", [("ring_ready", "", ""), *run])]
    assert conditions(tree, ring_group_dialplan(row, ring_ready=False)) == [(r"^\*760$", "", run)]


MENU = {"ivr_menu_uuid": "m", "ivr_menu_name": "n", "ivr_menu_extension": "700", "dialplan_uuid": UUID}


def test_a_plain_menu_answers_waits_and_runs(tree):
    assert conditions(tree, ivr_menu_dialplan(MENU)) == [
        (
            "^700$",
            "",
            [
                ("ring_ready", "", ""),
                ("answer", "", ""),
                ("sleep", "1000", ""),
                ("set", "hangup_after_bridge=true", ""),
                ("set", "ivr_menu_uuid=m", ""),
                ("ivr", "m", ""),
            ],
        )
    ]


def test_a_full_menu_sets_ringback_language_prefix_and_exit(tree):
    row = MENU | {
        "ivr_menu_ringback": "${us-ring}",
        "ivr_menu_language": "de",
        "ivr_menu_dialect": "at",
        "ivr_menu_voice": "anna",
        "ivr_menu_cid_prefix": "M",
        "ivr_menu_exit_app": "transfer",
        "ivr_menu_exit_data": "1 XML d",
    }
    ((_, _, made),) = conditions(tree, ivr_menu_dialplan(row, answer=False))
    assert made == [
        ("ring_ready", "", ""),
        ("sleep", "1000", ""),
        ("set", "hangup_after_bridge=true", ""),
        ("set", "ringback=${us-ring}", ""),
        ("set", "sound_prefix=$${sounds_dir}/de/at/anna", "true"),
        ("set", "default_language=de", "true"),
        ("set", "default_dialect=at", "true"),
        ("set", "default_voice=anna", "true"),
        ("set", "transfer_ringback=${us-ring}", ""),
        ("set", "ivr_menu_uuid=m", ""),
        ("set", "caller_id_name=M#${caller_id_name}", ""),
        ("set", "effective_caller_id_name=${caller_id_name}", ""),
        ("ivr", "m", ""),
        ("transfer", "1 XML d", ""),
    ]
    ((_, _, script),) = conditions(tree, ivr_menu_dialplan(row, application="lua"))
    assert script[-2:] == [("lua", "ivr_menu.lua", ""), ("transfer", "1 XML d", "")]
    assert not [action for action in script if action[0] == "ivr" or "caller_id_name" in action[1]]


@pytest.mark.parametrize(
    ("code", "expression"),
    [("*30", r"^(?:flow\+)?\*30$"), ("flow+*31", r"^flow\+\*31$"), ("+4", r"^(?:flow\+)?\+4$")],
)
def test_a_call_flow_is_switched_by_its_code_and_reached_by_its_number(code, expression, tree):
    row = {
        "call_flow_uuid": "f",
        "call_flow_extension": "*7",
        "call_flow_feature_code": code,
        "dialplan_uuid": UUID,
    }
    run = [("set", "call_flow_uuid=f", ""), ("lua", "call_flow.lua", "")]
    switch = [("answer", "", ""), ("sleep", "200", ""), ("set", "feature_code=true", ""), *run]
    assert conditions(tree, call_flow_dialplan(row)) == [(expression, "on-true", switch), (r"^\*7$", "", run)]
    del row["call_flow_feature_code"]
    assert conditions(tree, call_flow_dialplan(row)) == [(r"^\*7$", "", run)]


def test_a_conference_has_its_pin_and_flags_in_the_room(tree):
    row = {
        "conference_uuid": "c",
        "conference_extension": "3000",
        "conference_profile": "wide",
        "conference_pin_number": "1234",
        "conference_flags": "mute|deaf",
        "dialplan_uuid": UUID,
    }
    ((_, _, made),) = conditions(tree, conference_dialplan(row, domain_name=DOMAIN))
    assert made[1:] == [
        ("set", "conference_uuid=c", "true"),
        ("set", "conference_extension=3000", "true"),
        ("conference", "3000@tenant.example@wide+1234+flags{'mute|deaf'}", ""),
    ]


@pytest.mark.parametrize(("length", "behind"), [(None, False), (1, False), (2, True), (3, True), (4, False)])
def test_a_short_pin_can_be_dialled_behind_the_number_of_a_conference_center(length, behind, tree):
    row = {
        "conference_center_extension": "3500",
        "conference_center_pin_length": length,
        "dialplan_uuid": UUID,
    }
    run = ("lua", "app.lua conference_center", "")
    *first, last = conditions(tree, conference_center_dialplan(row))
    assert last == ("^3500$", "", [run])
    assert first == (
        [
            (
                rf"^(3500)(\d{{{length}}})$",
                "on-true",
                [("set", "destination_number=$1", ""), ("set", "pin_number=$2", ""), run],
            )
        ]
        if behind
        else []
    )


def test_a_fax_goes_into_the_inbox_of_its_extension(tree):
    row = {
        "fax_uuid": "x",
        "fax_extension": "7651",
        "fax_destination_number": "2085550100",
        "fax_prefix": "p-",
        "dialplan_uuid": UUID,
    }
    ((expression, _, made),) = conditions(
        tree,
        fax_dialplan(
            row,
            domain_name=DOMAIN,
            storage="/storage",
            variables=["inbound:a=1", "outbound:b=2", "c=3"],
            last_fax="f",
        ),
    )
    assert expression == "^2085550100$"
    assert made == [
        ("answer", "", ""),
        ("set", "fax_uuid=x", ""),
        ("set", "api_hangup_hook=lua app/fax/resources/scripts/hangup_rx.lua", ""),
        ("set", "a=1", ""),
        ("set", "c=3", ""),
        ("set", "last_fax=f", ""),
        ("rxfax", "/storage/fax/tenant.example/7651/inbox/p-${last_fax}.tif", ""),
        ("hangup", "", ""),
    ]
    row["fax_destination_number"] = None
    assert conditions(tree, fax_dialplan(row, domain_name=DOMAIN, storage=""))[0][0] == "^7651$"


EXPORTED = "${cc_export_vars},call_center_queue_uuid,sip_h_Alert-Info,sound_prefix"
QUEUE = {"call_center_queue_uuid": "q", "queue_extension": "800", "dialplan_uuid": UUID}


def queue(tree, change=None, **rest):
    return conditions(
        tree, call_center_queue_dialplan(QUEUE | (change or {}), domain_name=DOMAIN, sounds="/s", **rest)
    )


def test_a_plain_queue_answers_and_queues(tree):
    assert queue(tree) == [
        ("^([^#]+#)(.*)$", "never", [("set", "caller_id_name=$2", "")]),
        (
            r"^(callcenter\+)?800$",
            "",
            [
                ("answer", "", ""),
                ("set", "sound_prefix=/s/en/us/callie", ""),
                ("set", "call_center_queue_uuid=q", ""),
                ("set", "queue_extension=800", ""),
                (
                    "set",
                    f"cc_export_vars={EXPORTED},hold_music",
                    "",
                ),
                ("set", "hangup_after_bridge=true", ""),
                ("callcenter", "800@tenant.example", ""),
            ],
        ),
    ]


def test_a_full_queue_has_limit_score_greeting_prefix_keys_and_timeout(tree):
    made = queue(
        tree,
        {
            "queue_limit": "5",
            "queue_language": "de",
            "queue_dialect": "at",
            "queue_voice": "anna",
            "queue_time_base_score_sec": 30,
            "queue_cid_prefix": "Q",
            "queue_cc_exit_keys": "9",
            "queue_timeout_action": "playback:tone_stream://x",
        },
        greeting="/g.wav",
        export_variables=[],
    )
    assert made[0] == (
        r"^(callcenter\+)?800$",
        "on-false",
        [("limit", "hash inbound ${destination_number} 5 !NORMAL_CIRCUIT_CONGESTION", "")],
    )
    assert made[2][2][1] == ("set", "sound_prefix=/s/de/at/anna", "")
    assert made[2][2][4:] == [
        ("set", f"cc_export_vars={EXPORTED}", ""),
        ("set", "hangup_after_bridge=true", ""),
        ("set", "cc_base_score=30", ""),
        ("sleep", "1000", ""),
        ("playback", "/g.wav", ""),
        ("set", "effective_caller_id_name=Q#${caller_id_name}", ""),
        ("set", "cc_exit_keys=9", ""),
        ("callcenter", "800@tenant.example", ""),
        ("playback", "tone_stream://x", ""),
    ]


@pytest.mark.parametrize(
    ("greeting", "action"),
    [
        ("phrase:abc", ("phrase", "abc", "")),
        ("say:en number 5", ("say", "en number 5", "")),
        ("tone_stream://%(1,2,3)", ("playback", "tone_stream://%(1,2,3)", "")),
    ],
)
def test_a_greeting_of_a_queue_can_be_a_phrase_speech_or_tones(greeting, action, tree):
    assert queue(tree, greeting=greeting)[1][2][-2] == action


@pytest.mark.parametrize("nothing", [None, "", ":"])
def test_no_timeout_action_writes_no_action(nothing, tree):
    assert queue(tree, {"queue_timeout_action": nothing})[-1][2][-1][0] == "callcenter"


def test_a_value_that_cannot_be_written_is_refused_with_its_column():
    with pytest.raises(InvalidValue) as refused:
        ring_group_dialplan({"ring_group_name": "\x00", "ring_group_extension": "1"})
    assert refused.value.key == "ring_group_name"


COLUMNS = {
    "ring_groups": ("ring_group_name", "ring_group_extension", "ring_group_uuid"),
    "ivr_menus": (
        "ivr_menu_name",
        "ivr_menu_extension",
        "ivr_menu_ringback",
        "ivr_menu_exit_app",
        "ivr_menu_exit_data",
    ),
    "call_flows": ("call_flow_name", "call_flow_extension", "call_flow_feature_code"),
    "conferences": ("conference_name", "conference_extension", "conference_profile", "conference_flags"),
    "conference_centers": ("conference_center_name", "conference_center_extension"),
    "fax": ("fax_name", "fax_extension", "fax_prefix"),
    "call_center_queues": ("queue_name", "queue_extension", "queue_cid_prefix", "queue_timeout_action"),
}


@bounded
@given(st.data())
def test_whatever_row_is_accepted_reaches_the_switch_whole(tree, preprocessed, data):
    resource = data.draw(st.sampled_from(sorted(COLUMNS)))
    builder, arguments = BUILDERS[resource]
    row = {column: data.draw(texts()) for column in COLUMNS[resource]} | {"dialplan_uuid": UUID}
    try:
        xml = builder(row, **arguments)
    except InvalidValue:
        return
    assert tree(preprocessed(xml)) == tree(xml)
    assert tree(xml)[1]["name"] == row[COLUMNS[resource][0]]


def test_every_builder_is_held_to_these_promises():
    builders = {name for name in vars(applications) if name.endswith("_dialplan")}
    assert builders == {builder.__name__ for builder, _ in BUILDERS.values()}
