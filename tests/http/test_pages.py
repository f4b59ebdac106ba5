"""The pages in a real browser: Debian's Chromium over a real gunicorn, a worker and the switch simulator."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from pbxapi.http.pages import FOLDER
from pbxapi.sandbox.database import scratch_database, url_of_role
from pbxapi.sandbox.process import claim_port, held
from pbxapi.sandbox.stack import Program
from pbxapi.testing import API_KEY, NODE, Client, Pbx, close_pbx, make_pbx
from tests.conftest import SCREENSHOTS

PREFIX = "/api/v1"
TABS = ("health", "changes", "live", "traffic", "events", "webhooks", "plugins")
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
RULES = {
    "light": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
    "dark": {"type": "rule", "values": ["color-contrast"]},
}
"""What axe looks for; the schemes differ by their colours only."""


@dataclass
class House:
    pbx: Pbx
    url: str

    @property
    def client(self) -> Client:
        return self.pbx.client


@pytest.fixture(scope="module")
def house(postgres, template, redis_server, tmp_path_factory) -> Iterator[House]:
    """The API and a worker as processes; calls and registrations are made on `House.pbx.switch`."""
    root = tmp_path_factory.mktemp("pages")
    port = claim_port(None)

    def answers(_: float) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    with ExitStack() as stack:
        url = stack.enter_context(scratch_database(postgres, template))
        pbx = make_pbx(url, root / "pbx", service_url=url_of_role(url))
        stack.callback(close_pbx, pbx)
        environment = {
            "PBXAPI_FUSIONPBX_CONF": os.devnull,
            "PBXAPI_DATABASE_URL": pbx.config.database_url,
            "PBXAPI_REDIS_URL": redis_server.url,
            "PBXAPI_BIND": f"127.0.0.1:{port}",
            "PBXAPI_WORKERS": "1",
            "PBXAPI_WEBHOOK_ALLOW": "127.0.0.0/8",
            "PBXAPI_NODE": NODE,
            "PBXAPI_ESL_PORT": str(pbx.switch.port),
            "PBXAPI_ESL_PASSWORD": pbx.switch.password,
            "PBXAPI_CACHE_METHOD": "file",
            "PBXAPI_CACHE_LOCATION": str(pbx.folders["cache"]),
            **{f"PBXAPI_XML_{name.upper()}_DIR": str(pbx.folders[name]) for name in ("extensions", "dialplan")},
            "PBXAPI_XML_SIP_PROFILES_DIR": str(pbx.folders["sip_profiles"]),
            **{f"PBXAPI_{name.upper()}_DIR": str(pbx.folders[name]) for name in ("voicemail", "recordings")},
        }
        lock = stack.enter_context(held(root))
        for command, ready in (("serve", answers), ("worker", lambda _: True)):
            log = root / f"{command}.log"
            program = Program(command, environment=environment, ready=ready, log=log, lock=lock)
            program.start()
            stack.callback(program.stop)
        yield House(pbx, f"http://127.0.0.1:{port}{PREFIX}")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("there is no chromium (Debian: apt install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Root may not have Chromium's own sandbox; the pages are ours.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


@dataclass
class Visit:
    """One tab, and what it complained of and asked for."""

    page: Any
    house: House
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def go(self, place: str) -> None:
        self.page.goto(f"{self.house.url}{place}")

    def enter(self, key: str = API_KEY, domain: str | None = None) -> None:
        """As a person does, in the form that is shown."""
        self.page.get_by_label("API key").fill(key)
        self.page.get_by_label("Domain", exact=True).fill(self.house.pbx.domain if domain is None else domain)
        self.page.get_by_role("button", name="Use it").click()

    def console(self, tab: str, key: str = API_KEY) -> None:
        self.go("/console")
        self.enter(key)
        self.page.get_by_role("navigation", name="Parts of the console").get_by_role("link").nth(
            TABS.index(tab)
        ).click()

    def until(self, script: str) -> None:
        """Wait until a script says yes; the pages let Playwright's own way of it not in."""
        _wait(lambda: self.page.evaluate(script))

    def picture(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")


@pytest.fixture
def visit(chromium, house) -> Iterator[Callable[..., Visit]]:
    """Opens tabs; at the end none may have complained, nor asked another host for anything."""
    opened: list[Visit] = []

    def open_tab(scheme: str = "light", size: dict[str, int] = WIDE) -> Visit:
        context = chromium.new_context(viewport=size, color_scheme=scheme, reduced_motion="reduce")
        context.set_default_timeout(20_000)
        found = Visit(context.new_page(), house)
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        found.page.on(
            "console",
            lambda message: (
                found.complaints.append(message.text)
                # A refusal that the page shows is no fault of the page.
                if message.type in ("error", "warning") and "Failed to load resource" not in message.text
                else None
            ),
        )
        found.page.on("request", lambda request: found.asked.append(request.url))
        opened.append(found)
        return found

    yield open_tab
    for one in opened:
        one.page.context.close()
        assert one.complaints == []
        assert [url for url in one.asked if not url.startswith(house.url)] == []


def made_key(house: House, *scopes: str) -> str:
    return str(house.client.request("POST", "/api-keys", {"name": "x", "scopes": list(scopes)}).data["key"])


@pytest.mark.parametrize("page", ["docs", "console"])
def test_a_page_is_a_shell_that_lets_nothing_else_in(client, page):
    app = client.app.test_client()
    answer = app.get(f"{PREFIX}/{page}")
    assert (answer.status_code, answer.content_type) == (200, "text/html; charset=utf-8")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    assert "style=" not in answer.text
    assert "<script>" not in answer.text
    assert "@" not in answer.text
    assert app.get(f"{PREFIX}/{page}", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    assert app.get(f"{PREFIX}/{page}", headers={"X-API-Key": "wrong"}).status_code == 401


def test_what_pages_consist_of_is_kept_for_a_year_under_its_hash(client):
    app = client.app.test_client()
    shell = app.get(f"{PREFIX}/docs").text
    place = shell.split('src="')[1].split("/docs.js")[0]
    for file in FOLDER.iterdir():
        answer = app.get(f"{place}/{file.name}")
        if file.suffix == ".html":
            assert answer.status_code == 404
        else:
            assert (answer.status_code, answer.data) == (200, file.read_bytes())
            assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert app.get(f"{place[:-1]}x/docs.js").status_code == 404
    assert app.get(f"{place}/pages.py").status_code == 404


def test_console_leads_to_the_console(client):
    answer = client.app.test_client().get("/console")
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{PREFIX}/console")


def test_health_and_figures_below_the_prefix_are_for_the_systems_key(pbx, client):
    assert client.request("GET", "/readyz").body["postgresql"]["state"] == "ok"
    made = client.request("POST", "/api-keys", {"name": "x", "scopes": ["*"]}).data["key"]
    for path in ("/readyz", "/metrics"):
        assert pbx.app.test_client().get(PREFIX + path).status_code == 401
    weak = Client(pbx.app, pbx.domain, made)
    assert weak.request("GET", "/readyz").body.keys() == {"state"}
    assert weak.request("GET", "/metrics").status == 403


def test_an_operation_is_found_and_tried(visit, house):
    tab = visit()
    tab.go("/docs")
    page = tab.page
    page.get_by_label("Search").fill("create extension")
    page.get_by_role("link", name="Create an extension").click()
    page.get_by_role("heading", name="Create an extension").wait_for()
    assert page.get_by_role("cell", name="voicemail.voicemail_id").count() == 1
    page.get_by_role("button", name="Send POST").click()
    tab.enter()
    page.get_by_role("dialog").wait_for(state="detached")
    page.get_by_role("textbox", name="Body").fill('{"extension": "4501"}')
    command = page.get_by_label("The request as a curl command").inner_text()
    assert f"'{house.url}/extensions'" in command
    assert '-H "X-API-Key: $KEY"' in command
    assert '-d \'{"extension":"4501"}\'' in command
    assert API_KEY not in page.content()
    page.get_by_role("button", name="Send POST").click()
    page.get_by_label("The answer", exact=True).wait_for()
    assert page.locator(".output .badge").inner_text() == "201"
    assert house.client.list("extensions", search="4501")
    page.get_by_role("button", name="Send POST").click()
    page.get_by_text("DUPLICATE_ERROR").wait_for()


def test_both_families_of_urls_are_there(visit):
    tab = visit()
    tab.go("/docs#extensions.update.rest")
    tab.page.locator(".route code").filter(has_text="/extensions/{uuid}").wait_for()
    tab.page.get_by_label("PHP").check()
    tab.page.locator(".route code").filter(has_text="/extensions/update.php").wait_for()


def test_events_can_be_listened_to_from_the_reference(visit, house):
    tab = visit()
    tab.go("/docs#events.list.rest")
    tab.page.get_by_role("button", name="Enter key").click()
    tab.enter()
    tab.page.get_by_label("types", exact=True).fill("extension.*")
    tab.page.get_by_label("Listen").check()
    tab.page.get_by_role("button", name="Send GET").click()
    tab.page.get_by_text("Events appear here").wait_for()
    house.client.create("extensions", extension="4502")
    tab.page.get_by_label("Events", exact=True).filter(has_text="4502").wait_for()
    tab.page.get_by_role("button", name="Stop").click()
    tab.page.get_by_role("button", name="Stop").wait_for(state="hidden")


def test_the_key_stays_in_the_tab_and_is_forgotten(visit):
    tab = visit()
    tab.console("plugins")
    page = tab.page
    page.get_by_role("cell", name="voicemails", exact=True).first.wait_for()
    assert page.evaluate("[sessionStorage.length, localStorage.length, document.cookie]") == [2, 0, ""]
    assert page.context.cookies() == []
    assert [url for url in tab.asked if API_KEY in url] == []
    page.reload()
    page.get_by_role("cell", name="voicemails", exact=True).first.wait_for()
    page.get_by_role("button", name="Forget key").click()
    page.get_by_label("API key").wait_for()
    assert page.evaluate("sessionStorage.length") == 0
    assert page.get_by_role("cell").count() == 0


def test_a_key_or_domain_that_is_not_good_is_said(visit, house):
    tab = visit()
    tab.go("/console")
    tab.enter("wrong-key")
    tab.page.get_by_role("alert").filter(has_text="Invalid API key").wait_for()
    assert tab.page.get_by_label("API key").get_attribute("aria-invalid") == "true"
    tab.enter(domain="nowhere.example")
    tab.page.get_by_role("alert").filter(has_text="Domain not found").wait_for()
    tab.enter(domain="")
    tab.page.get_by_role("alert").filter(has_text="X-Domain").wait_for()
    tab.enter()
    tab.page.get_by_role("heading", name="PostgreSQL").wait_for()


def test_health_tells_of_each_part_and_node(visit):
    tab = visit()
    tab.console("health")
    for name in ("PostgreSQL", "Redis", "Switch", "Backlog", "Plugins"):
        tab.page.locator(".card").filter(has=tab.page.get_by_role("heading", name=name)).get_by_text(
            "ok", exact=True
        ).wait_for()
    row = tab.page.get_by_role("row").filter(has_text=NODE)
    assert "up" in row.inner_text()
    tab.page.get_by_role("definition").first.wait_for()


@pytest.fixture
def failed(house) -> Iterator[str]:
    """A change that was set aside, by the uuid of its extension."""
    reply = house.client.call("extensions", "create", json={"extension": "4503"})
    change = reply.headers["X-Change-Id"]
    _wait(lambda: house.client.get("changes", change)["state"] == "applied")
    house.pbx.run(
        "update pbxapi.change_node set state = 'failed', error = 'No space left on device'"
        " where change_id = %(change)s",
        change=change,
    )
    yield str(reply.data["extension_uuid"])
    house.client.delete("extensions", reply.data["extension_uuid"])


def test_a_failed_change_shows_its_reason_and_is_tried_again(visit, house, failed):
    tab = visit()
    tab.console("changes")
    row = tab.page.get_by_role("row").filter(has_text=failed)
    row.get_by_text("No space left on device").wait_for()
    tab.picture("changes-failed")
    row.get_by_role("button").click()
    tab.page.get_by_role("status").filter(has_text="tried again").wait_for()
    _wait(lambda: house.client.list("changes", state="failed") == [])
    tab.page.get_by_text("No change has failed.").wait_for()


@pytest.fixture(scope="module")
def calls(house) -> None:
    """Registrations and a call."""
    switch, pbx = house.pbx.switch, house.pbx
    switch.register("101", pbx.domain, agent="Yealink <b>T46U</b>")
    switch.register("102", pbx.other_domain)
    switch.start_call("Zoe Quinn", "101", presence_id=f"101@{pbx.domain}", context=pbx.domain)


def test_calls_and_registrations_are_those_of_the_domain(visit, house, calls):
    tab = visit()
    tab.console("live")
    tab.page.get_by_role("cell", name="Yealink <b>T46U</b>").wait_for()
    tab.page.get_by_role("region", name="Calls").get_by_text("Zoe Quinn").wait_for()
    assert tab.page.get_by_role("region", name="Registrations").get_by_text("102").count() == 0
    tab.picture("live-with-calls")


@pytest.fixture(scope="module")
def webhook(house) -> None:
    """A webhook to where nobody listens, with a delivery."""
    url = f"http://127.0.0.1:{claim_port(None)}/hook"
    headers = {"X-API-Key": API_KEY, "X-Domain": house.pbx.domain}
    body = {"url": url, "event_types": ["extension.*"], "description": "the CRM"}
    made = requests.post(f"{house.url}/webhooks", json=body, headers=headers, timeout=10).json()["data"]
    tested = f"{house.url}/webhooks/{made['webhook_uuid']}/test"
    assert requests.post(tested, headers=headers, timeout=10).json()["data"]["delivered"] == "false"


def test_deliveries_of_a_webhook_are_shown_with_what_came_of_them(visit, webhook):
    tab = visit()
    tab.console("webhooks")
    tab.page.get_by_role("row").filter(has_text="the CRM").get_by_role("button").click()
    row = tab.page.get_by_role("region", name="Deliveries").get_by_role("row").filter(has_text="webhook.test")
    assert "failed" in row.inner_text()
    tab.picture("webhooks-with-deliveries")


def test_traffic_is_plotted_from_what_is_counted(visit, house):
    tab = visit()
    tab.page.clock.install()
    tab.console("traffic")
    tab.page.get_by_text("The first figures come").wait_for()
    headers = {"X-API-Key": API_KEY, "X-Domain": house.pbx.domain}
    for _ in range(4):
        for _ in range(10):
            assert requests.get(f"{house.url}/extensions", headers=headers, timeout=10).status_code == 200
            requests.get(f"{house.url}/extensions/x", headers=headers, timeout=10)
        tab.page.clock.run_for(5000)
        tab.page.wait_for_timeout(100)
    tab.page.get_by_role("img", name="Requests per second by kind of answer. Now: 2xx").wait_for()
    tab.page.get_by_role("img", name="Milliseconds until an answer began. Now: half of them").wait_for()
    row = tab.page.get_by_role("row").filter(has_text=f"{PREFIX}/extensions").first.inner_text()
    assert "GET" in row
    assert tab.page.locator("svg path.s1").first.get_attribute("d").count("L") >= 1
    tab.picture("traffic-with-figures")


def test_an_event_appears_as_it_happens_and_what_it_holds_is_only_text(visit, house):
    tab = visit()
    tab.console("events")
    tab.page.get_by_text("listening").wait_for()
    evil = "<img src=x onerror=document.title='gone'>"
    house.client.create("extensions", extension="4504", description=evil)
    tab.page.get_by_role("cell", name="extension.created").first.wait_for()
    tab.page.get_by_role("row").filter(has_text="extension.created").first.locator("summary").click()
    tab.page.get_by_label("Data").filter(has_text="onerror").first.wait_for()
    assert tab.page.locator("main img").count() == 0
    assert "gone" not in tab.page.title()
    tab.picture("events-told")


def test_a_key_that_may_little_sees_what_it_may(visit, house):
    tab = visit()
    tab.console("plugins", key=made_key(house, "events:read"))
    tab.page.get_by_text("The key lacks the scope plugins:read").wait_for()
    tab.page.get_by_role("link", name="Traffic").click()
    tab.page.get_by_text("Figures are for").wait_for()
    tab.page.get_by_role("link", name="Health").click()
    tab.page.get_by_text("The system's key sees each part").wait_for()


def test_everything_can_be_reached_by_keyboard(visit):
    tab = visit()
    tab.go("/docs")
    page = tab.page
    page.get_by_role("heading", name="API reference").wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.get_by_label("Search").focus()
    page.keyboard.type("list gateways")
    link = page.get_by_role("link", name="List gateways")
    for _ in range(10):
        page.keyboard.press("Tab")
        if link.evaluate("element => element === document.activeElement"):
            break
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="List gateways").wait_for()
    tab.until("document.activeElement.id === 'main'")
    page.get_by_role("button", name="Enter key").click()
    tab.until("document.activeElement.id === 'key'")
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible_and_fit_wide_and_narrow_screens(visit, house, failed, webhook, calls, scheme):
    from axe_playwright_python.sync_playwright import Axe

    axe = Axe()
    tab = visit(scheme)
    page = tab.page
    faults: list[str] = []

    def look(name: str) -> None:
        found = axe.run(page, options={"runOnly": RULES[scheme]})
        faults.extend(
            f"{name}: {fault['id']}: {node['html'][:120]}"
            for fault in found.response["violations"]
            for node in fault["nodes"]
        )
        for size, word in ((NARROW, "narrow"), (WIDE, "wide")):
            page.set_viewport_size(size)
            if page.evaluate("document.documentElement.scrollWidth") > size["width"]:
                faults.append(f"{name}: wider than a {word} screen")
            tab.picture(f"{name}-{scheme}-{word}")

    tab.go("/docs")
    page.get_by_role("heading", name="API reference").wait_for()
    look("docs")
    tab.go("/console")
    page.get_by_label("API key").wait_for()
    look("console-gate")
    tab.enter()
    page.get_by_role("heading", name="PostgreSQL").wait_for()
    tab.go("/docs#conferences.create.rest")
    page.get_by_role("heading", name="Create a conference").wait_for()
    page.get_by_role("textbox", name="Body").fill("{}")
    page.get_by_role("button", name="Send POST").click()
    page.get_by_label("The answer", exact=True).wait_for()
    look("docs-operation")
    page.get_by_role("heading", name="Try it").scroll_into_view_if_needed()
    tab.picture(f"docs-answer-{scheme}")
    tab.go("/console")
    for place, title in enumerate(TABS):
        page.get_by_role("navigation", name="Parts of the console").get_by_role("link").nth(place).click()
        page.get_by_role("heading", level=1).wait_for()
        tab.until("!document.querySelector('main .loading') || location.hash === '#traffic'")
        if title == "events":
            tab.page.get_by_text("listening").wait_for()
            house.client.update("extensions", failed, description=scheme)
            tab.page.get_by_role("cell", name="extension.updated").first.wait_for()
        if title == "webhooks":
            tab.page.get_by_role("button", name="Deliveries").first.click()
            tab.page.get_by_role("cell", name="webhook.test").first.wait_for()
        look(f"console-{title}")
    assert faults == []


def _wait(condition: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)
