"""What a gateway looks like."""

from pbxapi.plugin import Digits, Record, Text, TrueFalse

_ACCOUNT = {"pattern": r'[^\s<>"]+', "expected": "a name without blanks, quotes and angle brackets"}
_HOST = {
    "pattern": r"[0-9A-Za-z_.:;=@\[\]%+-]+",
    "expected": "a host, with a port and SIP parameters if need be",
}


class Gateway(Record):
    gateway_uuid = Text(dump_only=True, metadata={"format": "uuid"})
    gateway = Text(label="Gateway name", required=True)
    username = Text(load_default="", **_ACCOUNT)
    password = Text(secret=True, load_default="")
    proxy = Text(required=True, **_HOST)
    register = TrueFalse(load_default="false")
    profile = Text(
        max=64,
        pattern=r"[0-9A-Za-z_-][0-9A-Za-z_.-]*",
        expected="the name of a SIP profile",
        load_default="external",
    )
    enabled = TrueFalse(load_default="true")
    description = Text(max=1000, load_default="")
    registration_status = Text(
        dump_only=True, allow_none=True, metadata={"enum": ["running", "stopped", "error", None]}
    )
    registration_state = Text(dump_only=True, allow_none=True)
    auth_username = Text(load_default="", **_ACCOUNT)
    realm = Text(pattern=r'[^"\\]+', expected="a text without quotes and backslashes", load_default="")
    from_user = Text(load_default="", **_ACCOUNT)
    from_domain = Text(load_default="", **_HOST)
    register_proxy = Text(load_default="", **_HOST)
    outbound_proxy = Text(load_default="", **_HOST)
    expire_seconds = Digits(low=1, load_default="800")
    register_transport = Text(pattern="udp|tcp|tls", expected="udp, tcp or tls", load_default="")
    retry_seconds = Digits(low=1, load_default="30")
    extension = Text(
        max=64, pattern=r"[0-9A-Za-z*#+._@-]+", expected="a number, auto or auto_to_user", load_default=""
    )
    ping = Digits(low=1, high=65_535, load_default="")
    ping_min = Digits(high=65_535, load_default="")
    ping_max = Digits(high=65_535, load_default="")
    contact_in_ping = TrueFalse(blank=True, load_default="")
    context = Text(load_default="")
    hostname = Text(
        pattern=r"[0-9A-Za-z][0-9A-Za-z.-]*", expected="what the switch answers to `hostname`", load_default=""
    )
    distinct_to = TrueFalse(blank=True, load_default="")
    contact_params = Text(
        pattern=r"[0-9A-Za-z_.:;=,%+~-]+", expected="SIP parameters such as transport=tcp", load_default=""
    )
    caller_id_in_from = TrueFalse(blank=True, load_default="")
    supress_cng = TrueFalse(blank=True, load_default="")
    sip_cid_type = Text(pattern="none|pid|rpid", expected="none, pid or rpid", load_default="")
    extension_in_contact = TrueFalse(blank=True, load_default="")
    codec_prefs = Text(pattern=r"[0-9A-Za-z_.,@/ -]+", expected="codec names", load_default="")
    channels = Digits(high=65_535, load_default="0")
