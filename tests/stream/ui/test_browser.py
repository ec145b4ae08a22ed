"""The pages in a real browser: by mouse and keyboard, live, hostile lines, small screens, accessibility."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from alerts.messages.alert import Severity, Status
from alerts.messages.feedback import Action, Feedback, Opinion
from index.diagnosis.known_failures import shipped
from models.rfc3339 import SECOND
from stream.ui.memory.memory import Memory
from stream.ui.memory.questions import answered
from stream.ui.web.server import PageServer, serving
from stream.ui.web.site import Site
from stream.ui.web.users import LocalUser, PageUser, PasswordUsers, Permission, password_line
from tests.stream.ui.browser import Watched, chromium, watched
from tests.stream.ui.samples import BEGIN, CODES, RTL, SCRIPT, alert, diagnosis, line
from tests.stream.ui.test_app import raw, stored
from tests.stream.ui.test_comparison import counting

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WRITTEN: list[Feedback] = []
"""What has been said on the page."""

INCIDENT = f"incidents/{alert().incident_id}"


PAGES = {
    "list": "",
    "incident": INCIDENT,
    "draft": f"{INCIDENT}/draft",
    "ask": "ask?q=nova+fails&since=2026-03-03T09:13:00Z&until=2026-03-03T09:14:00Z",
    "compare": "compare?since=2026-03-03T09:13:30Z&until=2026-03-03T09:14:00Z",
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give one browser for all tests of this file."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def memory() -> Memory:
    """Give a memory with one hostile open incident and some others."""
    memory = Memory()
    lines = [
        line("L1", "Lost connection\nTraceback:\n  File x"),
        line("L2", SCRIPT),
        line("L3", RTL),
        line("L4", CODES),
    ]
    memory.take_alert(alert(diagnosis=diagnosis(*lines, line("L5", "y" * 60_000)), summary=f"{SCRIPT} {RTL}"))
    memory.take_state(alert().incident_id, b'{"findings":[{"kind":"errors","value":80,"usual":2}]}')
    memory.take_alert(alert(2, severity=Severity.CRITICAL, services=("glance",)))
    for number in range(3, 9):
        memory.take_alert(alert(number, status=Status.RESOLVED, updated=BEGIN + number * SECOND))
    return memory


@pytest.fixture
def server(memory: Memory) -> Iterator[PageServer]:
    """Give the pages of the memory, with lines to read."""
    lines = [raw(n, "nova-api") for n in range(100)]
    users = LocalUser(PageUser("ann", Permission.RESPONDER))
    reader = stored(lines)
    ranges = counting(reader)
    ask = partial(answered, ranges, shipped())
    site = Site(memory, "test", reader, publish=WRITTEN.append, users=users, ranges=ranges, ask=ask)
    with serving(site) as server:
        yield server
    WRITTEN.clear()


@pytest.fixture
def view(browser: Browser) -> Iterator[Watched]:
    """Give a page; whatever its console complains of fails the test: a violation of the policy, an error."""
    view = watched(browser, viewport={"width": 1280, "height": 800})
    yield view
    complaints = list(view.complaints)
    view.page.context.close()
    assert complaints == []


def test_the_worst_incident_is_a_click_away(view: Watched, server: PageServer) -> None:
    """The first page says what is open; a click leads to the incident, and a sentence to its line."""
    page = view.page
    page.goto(server.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("2 open incidents: 1 critical, 1 error")
    expect(page.locator(".incidents li").first).to_contain_text("critical")
    page.locator(f'a[href="/{INCIDENT}"]').click()
    page.locator("#claim-1 .cite").click()
    assert urlsplit(page.url).fragment == "L1"
    expect(page.locator("#claim-2 .tag")).to_have_text("hypothesis")
    expect(page.locator("#claim-3")).to_contain_text("L99 is not among the lines")


def test_hostile_lines_do_nothing(view: Watched, server: PageServer) -> None:
    """No script ran, no picture was asked for, the page is not wider than the screen."""
    page = view.page
    for path in ("", INCIDENT):
        page.goto(server.url + path)
        assert "owned" not in page.title().split("<")[0]
        assert page.locator("img").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_lanes_are_drawn_zoomed_and_lead_to_incidents(view: Watched, server: PageServer) -> None:
    """What is drawn has colours; dragging puts the range into the address; a click on a bar opens its incident."""
    page = view.page
    page.goto(server.url)
    canvas = page.locator("#lanes canvas")
    expect(canvas).to_have_attribute("data-lanes", "2")
    drawn = """canvas => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size;
    }"""
    assert canvas.evaluate(drawn) > 10
    box = canvas.bounding_box()
    assert box is not None
    begin, end, middle = box["x"] + 300, box["x"] + 600, box["y"] + 30
    page.mouse.move(begin, middle)
    expect(page.locator("#lane-note")).to_contain_text("2026-03-03")
    page.mouse.down()
    page.mouse.move(end, middle, steps=4)
    page.mouse.up()
    page.wait_for_url("**since=*until=*")
    page.get_by_role("link", name="Newest").click()
    page.wait_for_url(server.url)
    # The range ends a minute after what came last; the bars begin 17 minutes into it at the earliest.
    expect(canvas).to_have_attribute("data-lanes", "2")
    for share in range(100, 0, -1):
        page.mouse.move(box["x"] + 168 + (box["width"] - 174) * share / 100, middle)
        if "on-incident" in (canvas.get_attribute("class") or ""):
            break
    page.mouse.down()
    page.mouse.up()
    page.wait_for_url("**/incidents/*")


def test_lines_around_evidence_come_into_the_page(view: Watched, server: PageServer) -> None:
    """By the link, and by the key c on the chosen line; everybody's on demand."""
    page = view.page
    page.goto(server.url + INCIDENT)
    page.locator("#L1 [data-around]").click()
    expect(page.locator("#L1 .context li")).to_have_count(41)
    expect(page.locator("#L1 .context li.here")).to_contain_text("servers 40")
    page.locator("#L1").get_by_role("link", name="Every source").click()
    expect(page.locator("#L1").get_by_role("link", name="Only its source")).to_be_visible()


def test_the_keyboard_alone_is_enough(view: Watched, server: PageServer) -> None:
    """Walk, open, look around, read the keys, filter: without a mouse."""
    page = view.page
    page.goto(server.url)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.locator("article.incident")).to_be_visible()
    assert urlsplit(page.url).path == f"/{INCIDENT}"
    page.keyboard.press("j")
    page.keyboard.press("c")
    expect(page.locator("#L1 .context li")).to_have_count(41)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("g")
    expect(page.locator("#filter")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("glance")
    page.keyboard.press("Enter")
    expect(page.locator(".incidents li")).to_have_count(1)
    assert "q=glance" in page.url


def test_news_comes_by_itself_until_it_is_paused(view: Watched, server: PageServer, memory: Memory) -> None:
    """A new incident appears, what was unfolded stays so, and a reader who paused is left alone."""
    page = view.page
    page.goto(server.url + INCIDENT)
    page.locator("#L1 summary").click()
    worse = replace(alert(), severity=Severity.CRITICAL, diagnosis=diagnosis(line("L1", "Lost connection\nTraceback")))
    memory.take_alert(worse)
    expect(page.locator(".head .severity")).to_have_text("critical")
    expect(page.locator("#L1 details")).to_have_attribute("open", "")
    page.keyboard.press("p")
    expect(page.locator("#pause")).to_have_text("Paused")
    memory.take_alert(replace(worse, status=Status.RESOLVED, ended=BEGIN))
    page.wait_for_timeout(1500)
    expect(page.locator(".state")).to_have_text("open")
    page.keyboard.press("p")
    expect(page.locator(".state")).to_have_text("resolved")


def test_an_incident_is_taken_voted_on_and_annotated_by_keys(view: Watched, server: PageServer) -> None:
    """Each is written under the user's name and stands on the page at once."""
    page = view.page
    page.goto(server.url + INCIDENT)
    page.keyboard.press("a")
    expect(page.locator(".badges .taken")).to_have_text("taken by ann")
    page.keyboard.press("n")
    expect(page.locator(".badges .silent")).to_have_text("noise, says ann")
    page.keyboard.press("o")
    page.keyboard.type("restarted mysql")
    page.get_by_role("button", name="Add").click()
    expect(page.locator(".said")).to_contain_text("restarted mysql")
    page.keyboard.press("m")
    page.keyboard.press("Tab")
    page.keyboard.type("rack 7")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Unmute")).to_be_visible()
    assert [said.action for said in WRITTEN] == [Action.ACK, Action.VOTE, Action.NOTE, Action.MUTE]
    assert WRITTEN[1].opinion is Opinion.NOISE
    assert (WRITTEN[3].by, WRITTEN[3].text) == ("ann", "rack 7")


def test_two_people_see_what_the_other_does(view: Watched, browser: Browser, server: PageServer) -> None:
    """A note that one of them is writing stays while the page of the other changes it."""
    other = watched(browser)
    other.page.goto(server.url + INCIDENT)
    other.page.keyboard.press("o")
    other.page.keyboard.type("half a sen")
    view.page.goto(server.url + INCIDENT)
    view.page.get_by_role("button", name="Take it").click()
    expect(other.page.locator(".badges .taken")).to_have_text("taken by ann")
    expect(other.page.locator("#note")).to_have_value("half a sen")
    other.page.context.close()


def test_a_post_mortem_is_drafted_with_chosen_lines(view: Watched, server: PageServer) -> None:
    """By the key d; what is edited stays while news comes; the file is saved."""
    page = view.page
    page.goto(server.url + INCIDENT)
    page.keyboard.press("d")
    expect(page.locator("#draft")).to_contain_text("# Post-mortem")
    page.get_by_label("L2").uncheck()
    page.get_by_role("button", name="Write the draft anew").click()
    expect(page.get_by_label("L2")).not_to_be_checked()
    with page.expect_download() as saved:
        page.get_by_role("link", name="Markdown").click()
    assert saved.value.suggested_filename == "post-mortem-000000.md"


def test_an_incident_is_compared_with_the_hour_before(view: Watched, server: PageServer) -> None:
    """By the key b; an example of each kind of message is a click away."""
    page = view.page
    page.goto(server.url + INCIDENT)
    page.keyboard.press("b")
    expect(page.get_by_role("heading", level=1)).to_have_text("What is different")
    page.locator("#new ~ .scroll summary").first.click()
    expect(page.locator(".compare .log").first).to_contain_text("GET /servers")


def test_a_question_is_asked_about_the_time_of_an_incident(view: Watched, server: PageServer) -> None:
    """By the key q; the answer has lines, and the lines around them."""
    page = view.page
    page.goto(server.url + INCIDENT)
    page.keyboard.press("q")
    page.locator("#filter").fill("nova-api is slow")
    page.keyboard.press("Enter")
    expect(page.locator("#answer")).to_be_visible()
    page.locator("[data-around]").first.click()
    expect(page.locator(".context li.here")).to_have_count(1)


def test_a_broker_that_goes_away_is_said_on_the_page(view: Watched, server: PageServer, memory: Memory) -> None:
    """The page that is open says so by itself, and that it is over."""
    page = view.page
    page.goto(server.url)
    memory.trouble("broker", "no answer from kafka:9092; check that it is up")
    expect(page.get_by_role("alert")).to_contain_text("Not up to date.")
    memory.trouble("broker", "")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_local_time_and_colours_are_remembered(browser: Browser, server: PageServer) -> None:
    """Both are the reader's, on this and the next page."""
    view = watched(browser, timezone_id="Asia/Tokyo", color_scheme="light")
    page = view.page
    page.goto(server.url + INCIDENT)
    expect(page.locator(".head time").first).to_have_text("Mar 3, 09:13")
    page.keyboard.press("u")
    expect(page.locator(".head time").first).to_have_text("Mar 3, 18:13")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.keyboard.press("t")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    page.goto(server.url)
    expect(page.locator("#zone")).to_have_text("Local")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert view.complaints == []
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES.values(), ids=PAGES.keys())
def test_a_phone_shows_all_and_axe_finds_nothing_serious(
    browser: Browser, server: PageServer, path: str, scheme: str
) -> None:
    """At 400 px nothing is cut off at the side; contrast, names and order satisfy axe in both schemes."""
    # axe is put into the page from outside, which the policy would not allow.
    view = watched(browser, viewport={"width": 400, "height": 800}, color_scheme=scheme, bypass_csp=True)
    view.page.goto(server.url + path)
    assert view.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    view.page.set_viewport_size({"width": 1280, "height": 800})
    found_by_axe = Axe().run(view.page).response["violations"]
    serious = [(v["id"], v["nodes"][0]["html"]) for v in found_by_axe if v["impact"] in {"serious", "critical"}]
    assert serious == []
    view.page.context.close()


def test_pages_can_be_read_without_a_script(browser: Browser, server: PageServer) -> None:
    """Links and forms do all that reading needs."""
    view = watched(browser, java_script_enabled=False)
    page = view.page
    page.goto(server.url)
    page.locator("select[name=severity]").select_option("critical")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator(".incidents li")).to_have_count(1)
    page.goto(server.url + INCIDENT)
    page.locator("#L1 [data-around]").click()
    expect(page.locator(".context li")).to_have_count(41)
    page.context.close()


def test_a_browser_logs_in_once_and_hears_news(browser: Browser, memory: Memory, tmp_path: Path) -> None:
    """With name and password all parts of the page work; a viewer sees no button, and who has no password no page."""
    password = "correct horse: battery"  # noqa: S105 - of a test
    (tmp_path / "users").write_text(password_line("bo", Permission.VIEWER, password))
    site = Site(memory, "test", publish=WRITTEN.append, users=PasswordUsers.load(tmp_path / "users"))
    with serving(site) as server:
        view = watched(browser, http_credentials={"username": "bo", "password": password})
        view.page.goto(server.url + INCIDENT)
        expect(view.page.locator(".who")).to_have_text("bo (reads)")
        expect(view.page.locator(".actions-box")).to_have_count(0)
        memory.take_alert(alert(status=Status.RESOLVED))
        expect(view.page.locator(".state")).to_have_text("resolved")
        assert [text for text in view.complaints if "401" not in text] == []
        view.page.context.close()
        stranger = watched(browser)
        answer = stranger.page.request.get(server.url)
        assert answer.status == 401
        assert "nova-api" not in answer.text()
        stranger.page.context.close()
