"""Users: who can log in to FusionPBX afterwards, who cannot, and whom the API leaves alone."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import bcrypt

from pbxapi.sandbox.sample import SECOND_DOMAIN, uuid_of
from pbxapi.testing import Client, Pbx

PASSWORD = "Secure-Passw0rd"


def logs_in(pbx: Pbx, username: str, password: str) -> bool:
    """What FusionPBX's login decides (its core/authentication/resources/classes/plugins/database.php)."""
    rows = pbx.rows(
        """
        select password, salt from v_users join v_domains using (domain_uuid)
         where domain_name = %(domain)s and (user_type = 'default' or user_type is null)
           and (lower(username) = lower(%(username)s) or lower(user_email) = lower(%(username)s))
           and (user_enabled or user_enabled is null)
        """,
        domain=pbx.domain,
        username=username,
    )
    if not rows:
        return False
    # Any other form PHP's password_needs_rehash would have hashed again at the next login.
    assert re.fullmatch(r"\$2y\$10\$[./0-9A-Za-z]{53}", rows[0]["password"])
    assert rows[0]["salt"] is None
    return bcrypt.checkpw(password.encode(), rows[0]["password"].encode())


def change_setting(pbx: Pbx, name: str, value: str) -> None:
    category, subcategory = name.split("/")
    changed = pbx.run(
        "update v_default_settings set default_setting_value = %(value)s, default_setting_enabled = true "
        "where default_setting_category = %(category)s and default_setting_subcategory = %(subcategory)s",
        category=category,
        subcategory=subcategory,
        value=value,
    )
    assert changed == 1


def add_group(pbx: Pbx, name: str, level: int, domain: str) -> None:
    pbx.run(
        "insert into v_groups (group_uuid, domain_uuid, group_name, group_level) "
        "values (%(uuid)s, %(domain)s, %(name)s, %(level)s)",
        uuid=uuid4(),
        domain=uuid_of("domain", domain),
        name=name,
        level=level,
    )


def test_a_new_user_logs_in_with_the_password_that_was_sent(pbx: Pbx, either_client: Client) -> None:
    either_client.create("users", username="msmith", password=PASSWORD, user_email="m.smith@example.com")
    assert logs_in(pbx, "msmith", PASSWORD)
    assert logs_in(pbx, "M.Smith@example.com", PASSWORD)
    assert not logs_in(pbx, "msmith", PASSWORD.lower())


def test_a_changed_password_ends_the_old_one_and_every_remembered_browser(pbx: Pbx, client: Client) -> None:
    made = client.create("users", username="msmith", password=PASSWORD)
    for user in (made, uuid_of("user", pbx.domain, "anna")):
        pbx.run(
            "insert into v_user_logs (user_log_uuid, user_uuid, remember_selector, remember_validator) "
            "values (%(uuid)s, %(user)s, %(uuid)s, 'hash')",
            uuid=uuid4(),
            user=user,
        )
    client.update("users", made, user_email="m@example.com")
    remembered = "select user_uuid from v_user_logs where remember_selector is not null"
    assert len(pbx.rows(remembered)) == 2
    client.update("users", made, password="Another-Passw0rd")
    assert not logs_in(pbx, "msmith", PASSWORD)
    assert logs_in(pbx, "msmith", "Another-Passw0rd")
    assert pbx.rows(remembered) == [{"user_uuid": uuid_of("user", pbx.domain, "anna")}]


def test_a_disabled_user_is_kept_out_and_forgotten_by_browsers(pbx: Pbx, client: Client) -> None:
    made = client.create("users", username="msmith", password=PASSWORD)
    pbx.run(
        "insert into v_user_logs (user_log_uuid, user_uuid, remember_selector) values (%(a)s, %(b)s, %(a)s)",
        a=uuid4(),
        b=made,
    )
    client.update("users", made, user_enabled="false")
    assert not logs_in(pbx, "msmith", PASSWORD)
    assert pbx.rows("select 1 from v_user_logs where remember_selector is not null") == []


def test_an_update_of_something_else_keeps_the_password_and_the_api_key(pbx: Pbx, client: Client) -> None:
    key = "k" * 32
    made = client.create("users", username="msmith", password=PASSWORD, api_key=key)
    client.update("users", made, user_email="m@example.com", user_status="Available")
    assert logs_in(pbx, "msmith", PASSWORD)
    assert pbx.rows("select api_key from v_users where user_uuid = %(u)s", u=made) == [{"api_key": key}]
    client.update("users", made, api_key="")
    assert pbx.rows("select api_key from v_users where user_uuid = %(u)s", u=made) == [{"api_key": None}]


def test_no_answer_change_or_audit_row_tells_a_secret(pbx: Pbx, either_client: Client) -> None:
    key = "a-very-long-api-key-of-a-user-0123456789"
    sent = {"username": "msmith", "password": PASSWORD, "api_key": key}
    replies = [either_client.call("users", "create", json=sent)]
    made = replies[0].data["user_uuid"]
    replies += [
        either_client.update("users", made, password="Another-Passw0rd", api_key=key[::-1]),
        either_client.call("users", "get", made),
        either_client.call("users", "list"),
        either_client.delete("users", made),
    ]
    kept = pbx.rows("select old::text, changed::text from pbxapi.change") + pbx.rows(
        "select transaction_old, transaction_new from v_database_transactions"
    )
    text = "".join(str(reply.body) for reply in replies) + str(kept)
    for secret in (PASSWORD, "Another-Passw0rd", key, key[::-1], "$2y$"):
        assert secret not in text
    assert not {"password", "salt", "api_key", "user_totp_secret"} & set(replies[2].data)


REFUSED_PASSWORDS: list[tuple[Any, str]] = [
    ("Short-1", "at least 12 characters"),
    ("No-Digit-In-Here", "a number"),
    ("ALL-UPPER-CASE-1", "a lower-case letter"),
    ("all-lower-case-1", "an upper-case letter"),
    ("Müller-" + "ü" * 40 + "1A", "longer than 72 bytes"),
    ("Line\nbreak-Passw0rd", "control characters"),
    ("", "required"),
    (None, "required"),
    (True, "string"),
    (["Secure-Passw0rd"], "string"),
    ("********", "hidden"),
]


def test_a_password_that_fusionpbx_would_refuse_is_refused(client: Client) -> None:
    made = client.create("users", username="msmith", password=PASSWORD)
    for password, what in REFUSED_PASSWORDS:
        for reply in (
            client.call("users", "create", json={"username": "other", "password": password}),
            client.call("users", "update", made, {"password": password}),
        ):
            assert reply.status == 400, password
            assert reply.error["field"] == "password"
            assert what in reply.error["message"]


def test_the_operators_password_rules_hold(pbx: Pbx, client: Client) -> None:
    change_setting(pbx, "users/password_special", "true")
    reply = client.call("users", "create", json={"username": "other", "password": "SecurePassw0rd"})
    assert reply.error["message"] == "Password must have a special character"
    change_setting(pbx, "users/password_length", "20")
    reply = client.call("users", "create", json={"username": "other", "password": PASSWORD})
    assert reply.error["message"] == "Password must have at least 20 characters"


def test_language_and_time_zone_are_the_users_own_settings(pbx: Pbx, either_client: Client) -> None:
    made = either_client.create(
        "users", username="msmith", password=PASSWORD, user_language="en", user_time_zone="America/Chicago"
    )
    settings = (
        "select user_setting_category as c, user_setting_subcategory as s, user_setting_name as n, "
        "user_setting_value as v, user_setting_enabled as e from v_user_settings "
        "where user_uuid = %(u)s order by s"
    )
    assert pbx.rows(settings, u=made) == [
        {"c": "domain", "s": "language", "n": "code", "v": "en", "e": True},
        {"c": "domain", "s": "time_zone", "n": "name", "v": "America/Chicago", "e": True},
    ]
    either_client.update("users", made, user_time_zone="Europe/Berlin", user_language="")
    assert [row["v"] for row in pbx.rows(settings, u=made)] == ["Europe/Berlin"]
    user = either_client.get("users", made)
    assert (user["user_language"], user["user_time_zone"]) == ("", "Europe/Berlin")


def test_a_contact_is_made_for_a_name_and_kept_up(pbx: Pbx, client: Client) -> None:
    bare = client.create("users", username="bare", password=PASSWORD)
    assert client.get("users", bare)["contact_uuid"] == ""
    contact = {
        "contact_name_given": "Mary",
        "contact_name_family": "Smith",
        "contact_organization": "Accounting",
        "contact_email": "m.smith@example.com",
        "contact_url": "https://example.com/mary",
    }
    made = client.create("users", username="msmith", password=PASSWORD, **contact)
    user = client.get("users", made)
    assert user | contact == user
    assert user["contact_nickname"] == "msmith"
    client.update("users", made, contact_name_given="Marie", contact_email="", contact_url="example.com")
    changed = client.get("users", made)
    assert changed["contact_uuid"] == user["contact_uuid"]
    assert (changed["contact_name_given"], changed["contact_name_family"]) == ("Marie", "Smith")
    assert (changed["contact_email"], changed["contact_url"]) == ("", "example.com")
    rows = "select email_address from v_contact_emails where contact_uuid = %(c)s"
    assert pbx.rows(rows, c=user["contact_uuid"]) == []
    client.update("users", bare, contact_name_given="Bob")
    assert client.get("users", bare)["contact_name_given"] == "Bob"
    assert pbx.rows("select count(*) as n from v_contacts where contact_name_given = 'Bob'") == [{"n": 1}]


def test_the_first_of_several_addresses_is_the_one_that_changes(pbx: Pbx, client: Client) -> None:
    made = client.create("users", username="msmith", password=PASSWORD, contact_email="first@example.com")
    contact = client.get("users", made)["contact_uuid"]
    pbx.run(
        "insert into v_contact_emails "
        "(contact_email_uuid, domain_uuid, contact_uuid, email_address, email_primary) "
        "select %(e)s, domain_uuid, contact_uuid, 'second@example.com', false from v_contacts "
        "where contact_uuid = %(c)s",
        e=uuid4(),
        c=contact,
    )
    client.update("users", made, contact_email="new@example.com")
    addresses = pbx.rows("select email_address as a from v_contact_emails where contact_uuid = %(c)s", c=contact)
    assert sorted(row["a"] for row in addresses) == ["new@example.com", "second@example.com"]


def test_another_tenants_contact_is_neither_shown_nor_changed(pbx: Pbx, client: Client) -> None:
    foreign = uuid_of("contact", SECOND_DOMAIN, "admin")
    reply = client.call(
        "users", "create", json={"username": "x", "password": PASSWORD, "contact_uuid": str(foreign)}
    )
    assert (reply.status, reply.error["field"]) == (400, "contact_uuid")
    made = client.create("users", username="msmith", password=PASSWORD)
    pbx.run("update v_users set contact_uuid = %(c)s where user_uuid = %(u)s", c=foreign, u=made)
    assert client.get("users", made)["contact_name_given"] == ""
    client.update("users", made, contact_name_given="Mallory")
    names = pbx.rows("select contact_name_given as n from v_contacts where contact_uuid = %(c)s", c=foreign)
    assert names == [{"n": "Sam"}]
    assert client.get("users", made)["contact_name_given"] == "Mallory"


def test_a_list_of_groups_replaces_the_old_one(pbx: Pbx, either_client: Client) -> None:
    made = either_client.create(
        "users", username="msmith", password=PASSWORD, groups=["managers", "accountants", "managers"]
    )
    assert either_client.get("users", made)["groups"] == [
        {"group_name": "accountants", "group_description": "Sample group accountants"},
        {"group_name": "managers", "group_description": "Sample group managers"},
    ]
    either_client.update("users", made, user_email="m@example.com")
    assert len(either_client.get("users", made)["groups"]) == 2
    either_client.update("users", made, groups=[{"group_name": "user", "group_description": "as answered"}])
    rows = "select group_name, group_uuid from v_user_groups where user_uuid = %(u)s"
    assert pbx.rows(rows, u=made) == [{"group_name": "user", "group_uuid": uuid_of("group", "user")}]
    either_client.update("users", made, groups=[])
    assert either_client.get("users", made)["groups"] == []


def test_an_unknown_group_and_another_tenants_are_refused(pbx: Pbx, client: Client) -> None:
    add_group(pbx, "theirs", 10, SECOND_DOMAIN)
    for name in ("nobody", "theirs", "Managers"):
        reply = client.call("users", "create", json={"username": "x", "password": PASSWORD, "groups": [name]})
        assert (reply.status, reply.error["field"]) == (400, "groups")
    assert pbx.rows("select 1 from v_users where username = 'x'") == []


def test_nobody_becomes_superadmin_through_the_api(pbx: Pbx, client: Client) -> None:
    add_group(pbx, "gods", 90, pbx.domain)
    made = client.create("users", username="msmith", password=PASSWORD, groups=["admin"])
    for name in ("superadmin", "SuperAdmin", "gods"):
        for reply in (
            client.call("users", "create", json={"username": "x", "password": PASSWORD, "groups": [name]}),
            client.call("users", "update", made, {"groups": [name]}),
        ):
            assert (reply.status, reply.error["code"]) == (403, "FORBIDDEN")
            assert reply.error["field"] == "groups"
    assert [g["group_name"] for g in client.get("users", made)["groups"]] == ["admin"]


def test_a_superadmin_is_neither_changed_nor_deleted(pbx: Pbx, either_client: Client) -> None:
    admin = uuid_of("user", pbx.domain, "admin")
    # FusionPBX asks for the name of the group alone, in whatever domain the row is.
    pbx.run("update v_user_groups set domain_uuid = null, group_uuid = null where user_uuid = %(u)s", u=admin)
    before = pbx.rows("select * from v_users where user_uuid = %(u)s", u=admin)
    reply = either_client.call("users", "delete", admin)
    assert (reply.status, reply.error["code"]) == (403, "FORBIDDEN")
    assert reply.error["message"] == "Cannot delete superadmin user"
    for change in ({"password": PASSWORD}, {"groups": []}, {"user_enabled": "false"}, {"contact_email": "a@b.c"}):
        assert either_client.call("users", "update", admin, change).status == 403
    assert pbx.rows("select * from v_users where user_uuid = %(u)s", u=admin) == before
    assert len(pbx.rows("select 1 from v_user_groups where user_uuid = %(u)s", u=admin)) == 1


def test_a_username_is_unique_in_its_domain_in_any_letter_case(client: Client, pbx: Pbx) -> None:
    made = client.create("users", username="msmith", password=PASSWORD)
    reply = client.call("users", "create", json={"username": "MSmith", "password": PASSWORD})
    assert (reply.status, reply.error["code"], reply.error["field"]) == (409, "DUPLICATE_ERROR", "username")
    assert client.call("users", "update", made, {"username": "anna"}).status == 409
    client.update("users", made, username="MSMITH")
    client.of(pbx.other_domain).create("users", username="msmith", password=PASSWORD)


def test_a_username_is_unique_everywhere_where_the_operator_says_so(pbx: Pbx, client: Client) -> None:
    change_setting(pbx, "users/unique", "global")
    other = client.of(pbx.other_domain)
    client.create("users", username="msmith", password=PASSWORD)
    assert other.call("users", "create", json={"username": "MSmith", "password": PASSWORD}).status == 409

    def make(which: Client) -> int:
        return which.call("users", "create", json={"username": "racer", "password": PASSWORD}).status

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(make, [client, other] * 2)) == [201, 409, 409, 409]


def test_a_user_api_key_opens_one_account_only(client: Client) -> None:
    client.create("users", username="one", password=PASSWORD, api_key="k" * 31)
    for key, status in (("k" * 31, 409), ("k" * 30, 400), ("k" * 31 + " k", 400)):
        reply = client.call("users", "create", json={"username": "two", "password": PASSWORD, "api_key": key})
        assert (reply.status, reply.error["field"]) == (status, "api_key")


def test_the_operators_form_of_usernames_holds(pbx: Pbx, client: Client) -> None:
    pbx.run(
        "insert into v_default_settings (default_setting_uuid, default_setting_category, "
        "default_setting_subcategory, default_setting_name, default_setting_value, default_setting_enabled) "
        "values (%(u)s, 'users', 'username_format', 'text', 'email', true)",
        u=uuid4(),
    )
    reply = client.call("users", "create", json={"username": "msmith", "password": PASSWORD})
    assert (reply.status, reply.error["field"]) == (400, "username")
    client.create("users", username="m@example.com", password=PASSWORD)
    change_setting(pbx, "users/username_format", "no_email")
    assert client.call("users", "create", json={"username": "n@example.com", "password": PASSWORD}).status == 400
    # One that is there already may go on.
    anna = str(uuid_of("user", pbx.domain, "anna"))
    change_setting(pbx, "users/username_format", "email")
    client.update("users", anna, user_email="anna@example.org")


def test_the_limit_of_users_holds(pbx: Pbx, client: Client) -> None:
    change_setting(pbx, "limit/users", "5")
    client.create("users", username="fifth", password=PASSWORD)
    reply = client.call("users", "create", json={"username": "sixth", "password": PASSWORD})
    assert (reply.status, reply.error["code"]) == (403, "FORBIDDEN")
    assert reply.error["message"] == "User limit reached (5)"


def test_delete_leaves_no_group_setting_or_link_behind(pbx: Pbx, either_client: Client) -> None:
    made = either_client.create(
        "users", username="msmith", password=PASSWORD, groups=["user"], user_language="en", contact_name_given="M"
    )
    contact = either_client.get("users", made)["contact_uuid"]
    extension = either_client.create("extensions", extension="7001", user_uuid=made)
    assert either_client.get("users", made)["extensions"] == [{"extension_uuid": extension, "extension": "7001"}]
    either_client.delete("users", made)
    for table in ("v_users", "v_user_groups", "v_user_settings", "v_extension_users"):
        assert pbx.rows(f"select 1 from {table} where user_uuid = %(u)s", u=made) == []
    assert either_client.call("users", "get", made).status == 404
    # FusionPBX keeps the contact.
    assert len(pbx.rows("select 1 from v_contacts where contact_uuid = %(c)s", c=contact)) == 1
    assert pbx.rows("select count(*) as n from v_users where username = 'anna'") == [{"n": 1}]


def test_the_switch_forgets_the_user_of_an_extension(pbx: Pbx, client: Client) -> None:
    made = client.create("users", username="msmith", password=PASSWORD)
    client.create("extensions", extension="7001", user_uuid=made)
    pbx.apply()
    entry = pbx.folders["cache"] / f"directory.7001@{pbx.domain}"
    file = pbx.folders["extensions"] / pbx.domain / "v_7001.xml"
    assert made in file.read_text()
    for operation, body in (("update", {"contact_name_given": "Mary"}), ("delete", None)):
        assert pbx.socket.api(f"user_exists id 7001 {pbx.domain}") == "true"
        assert entry.exists()
        assert client.call("users", operation, made, body).status == 200
        pbx.apply()
        assert not entry.exists()
    assert made not in file.read_text()


REFUSED: list[tuple[str, Any]] = [
    ("username", " padded"),
    ("username", "nul\0"),
    ("username", "x" * 256),
    ("username", {"a": 1}),
    ("username", "${system(id)}"),
    ("user_email", "no address"),
    ("user_email", "a@b.example, c@d.example"),
    ("user_email", "a@b.example\nBcc: c@d.example"),
    ("user_enabled", "maybe"),
    ("user_enabled", None),
    ("user_language", "english!"),
    ("user_time_zone", "Mars/Olympus"),
    ("user_time_zone", "../../etc/passwd"),
    ("user_status", "<b>"),
    ("user_type", "root"),
    ("api_key", "short"),
    ("groups", "managers"),
    ("groups", {"group_name": "managers"}),
    ("groups", ["x"] * 101),
    ("contact_uuid", "7"),
    ("contact_url", "javascript:alert(1)"),
    ("contact_name_given", "a\u2028b"),
    ("contact_email", 7),
    ("groups", [""]),
    ("groups", [7.5, None]),
    ("groups", [["managers"]]),
    ("groups", [{}]),
    ("groups", [{"group_name": ["managers"]}]),
    ("groups", [True]),
    ("groups", ["a\nb"]),
]


def test_a_value_that_is_none_is_refused_with_its_field(either_client: Client) -> None:
    for field, value in REFUSED:
        sent = {"username": "x", "password": PASSWORD, field: value}
        reply = either_client.call("users", "create", json=sent)
        assert (reply.status, reply.error["code"]) == (400, "VALIDATION_ERROR"), (field, value)
        assert reply.error["field"].partition(".")[0] == field


def test_another_tenants_user_does_not_exist(pbx: Pbx, either_client: Client) -> None:
    theirs = str(uuid_of("user", SECOND_DOMAIN, "admin"))
    assert either_client.call("users", "get", theirs).status == 404
    assert either_client.call("users", "update", theirs, {"password": PASSWORD}).status == 404
    assert either_client.call("users", "delete", theirs).status == 404
    assert theirs not in {row["user_uuid"] for row in either_client.list("users")}
