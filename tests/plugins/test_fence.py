"""The fence between tenants, rule by rule: what an action may make the switch do (docs/decisions/fence.md)."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from pbxapi.plugin.fence import APPLICATIONS, Beyond, Fence, Reference

DOMAIN = "pbx.example.com"
OTHER = "second.example.com"
GATEWAY = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"


def fence(**settings: object) -> Fence:
    return Fence(DOMAIN, ["/var/lib/freeswitch/recordings"], **settings)  # type: ignore[arg-type]


ALLOWED = [
    ("answer", ""),
    ("sleep", "1000"),
    ("hangup", "USER_BUSY"),
    ("transfer", f"101 XML {DOMAIN}"),
    ("transfer", f"101 XML {DOMAIN.upper()}"),
    ("transfer", "101 XML ${domain_name}"),
    ("transfer", "$1 XML ${context}"),
    ("transfer", "*99101"),
    ("transfer", f"-bleg *99${{digits}} XML public@{DOMAIN}"),
    ("transfer", f"101 XML {DOMAIN}.public"),
    ("execute_extension", "conf_enter_number  XML conf-xfer@${domain_name}"),
    ("bridge", f"user/101@{DOMAIN}"),
    ("bridge", "user/${destination_number}@${domain_name}"),
    ("bridge", f"{{leg_timeout=20,ignore_early_media=true}}[x=101@{DOMAIN}]user/101@{DOMAIN}|user/102@{DOMAIN}"),
    ("bridge", f"sofia/gateway/{GATEWAY}/9$1,loopback/101/{DOMAIN}"),
    ("bridge", f"${{sofia_contact(*/101@{DOMAIN})}}"),
    ("bridge", "error/user_busy"),
    ("voicemail", f"default {DOMAIN} 101"),
    ("voicemail", "check auth default ${domain_name}"),
    ("playback", "ivr/ivr-hold_connect_call.wav"),
    ("playback", "{loops=-1}tone_stream://%(251,0,1004)"),
    ("playback", "${hold_music}"),
    ("playback", "local_stream://default"),
    ("playback", f"/var/lib/freeswitch/recordings/{DOMAIN}/welcome.wav"),
    ("playback", "${recordings_dir}/${domain_name}/archive/${strftime(%Y)}/${uuid}.wav"),
    ("playback", "phrase:voicemail_enter_pass:#"),
    ("record_session", "${record_path}/${record_name}"),
    ("record", "/tmp/${domain_name}-call_screen-${uuid}.${record_ext} 7 200 2"),
    ("conference", "$1@${domain_name}@default+flags{mute}"),
    ("conference", f"3001-{DOMAIN}@default+1234"),
    ("conference", f"sales-room@{DOMAIN}"),
    ("valet_park", f"park@{DOMAIN} *5901"),
    ("fifo", "${destination_number}@${domain_name} in"),
    ("callcenter", f"800@{DOMAIN}"),
    ("limit", "hash ${domain_name} outbound 5 !USER_BUSY"),
    ("limit", f"hash ${{domain_name}} outbound 5 900 XML {DOMAIN}"),
    ("hash", "insert/${domain_name}-last_dial/${caller_id_number}/${destination_number}"),
    ("read", "2 11 'tone_stream://%(10000,0,350,440)' target_num 30000 #"),
    ("play_and_get_digits", rf"2 5 3 7000 # phrase:enter NONE digits \d+ 5000 '101 XML {DOMAIN}'"),
    ("bind_meta_app", "1 b s execute_extension::dx XML ${context}"),
    ("bind_digit_action", "local,*1,exec:execute_extension,dx XML ${context},${bind_target},self"),
    ("lua", "app.lua voicemail"),
    ("lua", "app.lua speed_dial $1"),
    ("lua", "pin_number.lua"),
    ("lua", "streamfile.lua welcome.wav"),
    ("set", "hangup_after_bridge=true"),
    ("set", "effective_caller_id_name=${outbound_caller_id_name}"),
    ("set", "domain_name=${domain_name}"),
    ("set", f"presence_id=101@{DOMAIN}"),
    ("set", "ringback=%(2000,4000,440,480)"),
    ("set", "sip_h_X-API-Key=whatever"),
    ("set", "call_direction=outbound"),
    ("set", "toll_allow=domestic,international"),
    ("set", "accountcode=${user_data ${destination_number}@${domain_name} var accountcode}"),
    ("set", r"x=${regex(${destination_number}|^\+?1?(\d{10})$|%1)}"),
    ("set", "x=${y}-${z}.$1 $2"),
    ("set", "api_result=${cond(${regex(${caller_id_number}|^1)} == true ? yes : no)}"),
    ("set", "call_timeout=${user_data ${destination_number}@${domain_name} var call_timeout}"),
    ("set", f"transfer_after_bridge=101:XML:{DOMAIN}"),
    ("set", "record_path=${recordings_dir}/${domain_name}/archive/${strftime(%Y)}/${strftime(%b)}"),
    ("export", "nolocal:effective_caller_id_number=5550100"),
    ("multiset", "a=1 b=2"),
    ("unset", "call_timeout"),
]  # fmt: skip

REFUSED = [
    # Applications that reach outside the call.
    *[(name, "x") for name in (
        "system", "bgsystem", "spawn", "javascript", "python", "socket", "curl", "eavesdrop", "intercept",
        "set_global", "set_profile_var", "event", "SYSTEM", "Set", "", " set", "originate", "att_xfer", "set_user",
        "three_way", "userspy", "speak", "sched_broadcast")],
    # Another tenant's context, or one that nobody can read from the text.
    ("transfer", f"900 XML {OTHER}"),
    ("transfer", "900 XML public"),
    ("transfer", "900 XML global"),
    ("transfer", "900 XML ${other}"),
    ("transfer", f"900 XML x{DOMAIN}"),
    ("transfer", f"900 XML {DOMAIN}@{OTHER}"),
    ("transfer", "'set:api_hangup_hook=system x,hangup' inline"),
    ("transfer", "900 inline"),
    ("transfer", "900 LUA x"),
    ("transfer", "${anything}"),
    ("transfer", f"101 XML {DOMAIN} more"),
    ("transfer", ""),
    ("execute_extension", f"900 XML {OTHER}"),
    ("sched_transfer", f"+10 900 XML {OTHER}"),
    ("limit", f"hash x y 0 900 XML {OTHER}"),
    ("play_and_get_digits", rf"2 5 3 7000 # a.wav b.wav digits \d+ 5000 '900 XML {OTHER}'"),
    # Another tenant's phones, trunks, boxes, rooms.
    ("bridge", f"user/900@{OTHER}"),
    ("bridge", f"user/101@{DOMAIN},user/900@{OTHER}"),
    ("bridge", f"[a=b]user/101@{DOMAIN}:_:[a=b]user/900@{OTHER}"),
    ("bridge", "user/900"),
    ("bridge", "user/${x}@${domain_name}"),
    ("bridge", f"sofia/internal/900%{OTHER}"),
    ("bridge", "sofia/external/900@192.0.2.1"),
    ("bridge", "sofia/gateway/carrier/900"),
    ("bridge", f"sofia/gateway/{GATEWAY}/900;fs_path=sip:192.0.2.1"),
    ("bridge", "sofia/gateway/${g}/900"),
    ("bridge", f"loopback/900/{OTHER}"),
    ("bridge", "loopback/app=lua:~os.execute('x')"),
    ("bridge", f"${{sofia_contact(*/900@{OTHER})}}"),
    ("bridge", "${sofia_contact(*/900)}"),
    ("bridge", "${dial}"),
    ("bridge", f"{{api_on_answer=system x}}user/101@{DOMAIN}"),
    ("bridge", f"{{^^;a=b;execute_on_answer=lua x}}user/101@{DOMAIN}"),
    ("bridge", f"[sip_route_uri=sip:192.0.2.1]user/101@{DOMAIN}"),
    ("bridge", f"<api_on_answer=x>user/101@{DOMAIN}"),
    ("bridge", "verto.rtc/900"),
    ("voicemail", f"default {OTHER} 900"),
    ("voicemail", f"check default {OTHER}"),
    ("voicemail", "default"),
    ("conference", f"900@{OTHER}@default"),
    ("conference", f"900-{OTHER}@default"),
    ("conference", "room@default"),
    ("conference", f"bridge:room@default:user/900@{OTHER}"),
    ("callcenter", f"800@{OTHER}"),
    ("valet_park", f"park@{OTHER} *5901"),
    ("fifo", f"900@{OTHER} out"),
    ("pickup", f"sales@{OTHER}"),
    ("ivr", "demo_ivr"),
    ("hash", f"insert/{OTHER}-last_dial/1/2"),
    # Files of the host, and of others.
    ("playback", "/etc/passwd"),
    ("playback", f"/var/lib/freeswitch/recordings/{OTHER}/private.wav"),
    ("playback", f"/var/lib/freeswitch/recordings/{DOMAIN}/../{OTHER}/private.wav"),
    ("playback", "../x.wav"),
    ("playback", "shell_stream://rm -rf /"),
    ("playback", "http://192.0.2.1/x.wav"),
    ("playback", "tone_stream://path=/etc/passwd"),
    ("playback", "file_string://ivr/x.wav!/etc/passwd"),
    ("playback", "{api_on_answer=x}ivr/x.wav"),
    ("playback", "${x}"),
    ("record", "/etc/cron.d/x"),
    ("record_session", "${sounds_dir}/x.wav"),
    ("record_session", f"${{recordings_dir}}/{OTHER}/x.wav"),
    ("mkdir", "/etc/x"),
    # Scripts.
    ("lua", "evil.lua"),
    ("lua", "/tmp/evil.lua"),
    ("lua", "~os.execute('id')"),
    ("lua", "app.lua"),
    ("lua", "app.lua ../evil"),
    ("lua", "app.lua xml_handler"),
    ("lua", "app.lua voicemail;x"),
    ("lua", "page.lua"),
    ("lua", "recordings.lua"),
    ("lua", "pin_number.lua x"),
    ("lua", "streamfile.lua x' or 1=1 --"),
    ("lua", "streamfile.lua ../x.wav"),
    # Variables that the switch runs, or by which a script finds a record.
    *[("set", f"{name}=lua x.lua") for name in (
        "api_hangup_hook", "API_Hangup_Hook", "nolocal:api_hangup_hook", "_nolocal_api_hangup_hook",
        "api_hangup_hook[0]", "exec_after_bridge_app", "execute_on_answer", "execute_on_media_2", "api_on_answer",
        "api_after_bridge", "record_post_process_exec_api", "bridge_pre_execute_bleg_app", "sip_execute_on_image",
        "group_confirm_key", "transfer_on_fail", "sip_route_uri", "sip_invite_req_uri", "sip_gateway",
        "recordings_dir", "nibble_account", "disable_system_api_commands", "sip_auth_username")],
    ("set", "recording_filename=x.wav;id"),
    ("set", "call_direction=outbound,api_on_answer=system id"),
    ("set", "toll_allow=${sip_h_X-Anything}"),
    ("set", "auto_answer=api_on_answer=system id"),
    ("set", "extension_queue=${x}"),
    ("set", "wakeup_destination=${x}"),
    ("set", "accountcode=$1"),
    ("set", "sip_h_X-intercept_uuid=x"),
    ("hash", f"insert/{DOMAIN}.other-last_dial/1/2"),
    ("export", "nolocal:api_on_answer=x"),
    ("bridge_export", "execute_on_answer=x"),
    ("multiset", "^^;a=b;api_hangup_hook=x"),
    ("multiset", "a=b api_hangup_hook=x"),
    ("push", "execute_on_answer=x"),
    ("set", f"domain_name={OTHER}"),
    ("unset", "domain_name"),
    ("set", f"transfer_context={OTHER}"),
    ("set", "force_transfer_dialplan=inline"),
    ("set", f"transfer_after_bridge=900:XML:{OTHER}"),
    ("set", "destination_number=1,user/900"),
    ("set", f"voicemail_callback_context={OTHER}"),
    ("set", "ring_group_uuid=${x}"),
    ("set", "${x}=1"),
    ("set", "group_confirm_key=exec"),
    ("set", "record_path=/etc"),
    ("set", "call_screen_file=ivr/ivr-welcome.wav"),
    ("set", "hold_music=/etc/passwd"),
    ("set", "ringback=shell_stream://x"),
    ("read", "1 2 a.wav api_hangup_hook 1000 #"),
    ("play_and_get_digits", "1 2 3 4 # a.wav b.wav domain_name x"),
    # Commands that an expansion runs.
    ("set", "x=${system(id)}"),
    ("log", "INFO ${bgapi(system id)}"),
    ("set", "x=${lua x.lua}"),
    ("set", "x=${expand(system id)}"),
    ("set", "x=${regex(${system(id)}|x)}"),
    ("set", "x=${${y}(id)}"),
    ("set", f"x=${{user_data(900@{OTHER} param password)}}"),
    ("set", "x=${user_data(900 param password)}"),
    ("set", f"x=${{user_exists id 900 {OTHER}}}"),
    ("set", f"x=${{hash(select/{OTHER}-last_dial/1)}}"),
    ("set", "x=${hash(insert/${domain_name}-x/1/2)}"),
    ("set", "x=" + "${regex(" * 20 + "1" + ")}" * 20),
    ("answer", "${system(id)}"),
    ("set", "x=${url_decode(%24{system(id)})}"),
    ("set", "x=${strftime(${y})}"),
    # What becomes a command only while it is expanded, which the switch does to a variable's value again.
    ("set", "x=$"),
    ("set", "x=${y}{system(id)}"),
    ("set", "x=$1{system(id)}"),
    ("set", "x=${y}${z}"),
    ("set", "x=${y}$1"),
    ("set", r"x=$\'{system(id)}"),
    ("set", r"x=\${y}"),
    ("set", r"x=$\'${y}"),
    ("set", "x=${regex(${y}|^(.)-(.*)$|%1%2)}"),
    ("set", "x=${cond(1 == 1 ? ${y}${z} : a)}"),
    ("export", "nolocal:x={system(id)}"),
    ("hash", "insert/${domain_name}-x/1/${y}{system(id)}"),
    ("log", "INFO $1$2"),
    ("playback", "$1$2"),
    ("transfer", f"$$1 XML {DOMAIN}"),
    ("bridge", f"{{x=${{y}}${{z}}}}user/101@{DOMAIN}"),
    ("bind_meta_app", "1 b s log::INFO ${y}${z}"),
    # What a key runs later.
    ("bind_meta_app", "1 b s system::id"),
    ("bind_meta_app", f"1 b s transfer::900 XML {OTHER}"),
    ("bind_digit_action", "local,*1,exec:system,id"),
    ("bind_digit_action", "local,*1,exec[i]:lua,~x,self"),
    ("bind_digit_action", "local,*1,api:system,id"),
    ("bind_digit_action", "local,*1,api:uuid_record,${x} start /etc/x"),
    ("bind_meta_app", "1 b s " + "bind_meta_app::1 b s " * 3 + "answer::"),
    ("tone_detect", "fax 1100 r +3000 system id"),
]  # fmt: skip


@pytest.mark.parametrize(("application", "data"), ALLOWED)
def test_what_stays_in_the_domain_is_let_through(application: str, data: str) -> None:
    fence().check(application, data)


@pytest.mark.parametrize(("application", "data"), REFUSED)
def test_what_reaches_beyond_is_refused(application: str, data: str) -> None:
    with pytest.raises(Beyond):
        fence().check(application, data)


@pytest.mark.parametrize("field", ["destination_number", "${toll_allow}", "${user_exists}", "${x}-${y}", ""])
def test_a_condition_looks_at_fields_and_variables(field: str) -> None:
    fence().check_field(field)


@pytest.mark.parametrize("field", ["${system(id)}", "${x}${y}", "${x}{y}", "$x", r"\${x}"])
def test_a_condition_cannot_make_a_command_for_its_actions(field: str) -> None:
    with pytest.raises(Beyond):
        fence().check_field(field)


def test_records_that_an_action_names_are_left_to_the_database() -> None:
    guard = fence()
    guard.check("bridge", f"sofia/gateway/{GATEWAY.upper()}/900")
    guard.check("ivr", GATEWAY)
    guard.check("set", f"ring_group_uuid={GATEWAY}")
    guard.check("playback", f"phrase:{GATEWAY}")
    assert guard.references == {
        Reference("v_gateways", "gateway_uuid", GATEWAY, True),
        Reference("v_ivr_menus", "ivr_menu_uuid", GATEWAY),
        Reference("v_ring_groups", "ring_group_uuid", GATEWAY),
        Reference("v_phrases", "phrase_uuid", GATEWAY),
    }


def test_names_that_may_be_other_tenants_are_left_to_the_database_and_ones_own_is_not() -> None:
    guard = fence()
    guard.check("set", f"presence_id=900@Second.Example.com and 1@{DOMAIN} and 900@tenant")
    assert guard.hosts == {"second.example.com", "tenant"}


def test_the_operators_list_lets_an_application_through_with_any_data() -> None:
    allowed = fence(allowed=frozenset({"lua"}))
    allowed.check("lua", "anything.lua")
    with pytest.raises(Beyond):
        allowed.check("system", "id")


def test_an_application_that_is_not_allowed_is_told_from_data_that_is_not() -> None:
    with pytest.raises(Beyond) as refused:
        fence().check("system", "id")
    assert refused.value.application
    with pytest.raises(Beyond) as refused:
        fence().check("transfer", f"900 XML {OTHER}")
    assert not refused.value.application


@pytest.mark.parametrize("data", ["a", "a ", "${", "a.", "{a=b}", "@", "${regex(", ",", "[", "a=b ", "/a", "!"])
def test_no_data_takes_long_to_judge(data: str) -> None:
    started = time.perf_counter()
    for application in sorted(APPLICATIONS):
        with suppress(Beyond):
            fence().check(application, data * (8192 // len(data)))
    assert time.perf_counter() - started < 5.0


def test_data_that_is_too_long_to_judge_is_refused() -> None:
    with pytest.raises(Beyond):
        fence().check("log", "INFO " + "a" * 8192)
