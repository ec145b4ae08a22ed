"""A login with an OpenID provider that runs here, and what is refused: other logins, other tokens, other browsers."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from oidc_provider_mock import User, run_server_in_thread
from pydantic import SecretStr
from starlette.testclient import TestClient

from models.errors import InvalidError, TransientError
from stream.settings import Settings
from stream.ui.memory.memory import Memory
from stream.ui.start import users_of
from stream.ui.web.app import Streams, make_app
from stream.ui.web.login import LOGIN, PENDING_S, OidcUsers
from stream.ui.web.oidc import OidcConfig, OidcProvider, PendingLogin
from stream.ui.web.sessions import LASTS_S
from stream.ui.web.site import Site
from stream.ui.web.users import LONGEST_NAME, PageUser, Permission
from tests.ports import held_port

PAGE = "https://tocsin.example"
ANN, BO = "a-17-3f2a91c4", "b-18-77aa00ff"
HTML = {"accept": "text/html"}
USERS = [
    User(sub=ANN, claims={"preferred_username": "ann", "groups": ["ops", "all"]}),
    User(sub=BO, claims={"preferred_username": "bo\x1b[31m", "groups": ["all"]}),
]


class Clock:
    """A clock that moves by hand."""

    now = 1000.0

    def __call__(self) -> float:
        """Return seconds."""
        return self.now


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """A provider that demands a nonce."""
    with run_server_in_thread(require_nonce=True, user_claims=USERS) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
def clock() -> Clock:
    """Seconds of the page."""
    return Clock()


@pytest.fixture
def users(issuer: str, clock: Clock) -> OidcUsers:
    """Users of that provider."""
    config = OidcConfig(issuer, "tocsin", "secret", f"{PAGE}/login/callback", responders=frozenset({"ops"}))
    return OidcUsers(OidcProvider(config), clock)


@pytest.fixture
def browser(users: OidcUsers) -> TestClient:
    """A browser that has the page open, behind TLS."""
    app = make_app(Site(Memory(), "a test", users=users, publish=lambda _: None), None, Streams())
    return TestClient(app, base_url=PAGE, follow_redirects=False, headers={"user-agent": "browser one"})


def sent_back(browser: TestClient, name: str, path: str = "/", **changed: str) -> Any:
    """Log in at the provider, and follow it back to the page; ``changed`` are parameters of the way back."""
    started = browser.get(path, headers=HTML)
    assert started.status_code == 303
    away = browser.get(started.headers["location"], headers=HTML)
    assert away.status_code == 303
    answer = httpx.post(away.headers["location"], data={"sub": name})
    back = urlsplit(answer.headers["location"])
    assert f"{back.scheme}://{back.netloc}" == PAGE
    query = {key: values[0] for key, values in parse_qs(back.query).items()} | changed
    return browser.get(back.path, params=query, headers=HTML)


def logged_in(browser: TestClient, name: str) -> Any:
    """Log in, and return the page that one wanted."""
    done = sent_back(browser, name, "/?state=open")
    assert done.status_code == 303, done.text
    assert done.headers["location"] == "/?state=open"
    return browser.get("/", headers=HTML)


def test_who_logs_in_reads_and_of_a_group_acts(browser: TestClient) -> None:
    """The name is that of the provider, without what could steer a terminal; the cookies are for this host alone."""
    page = logged_in(browser, ANN)
    assert page.status_code == 200
    assert ">ann (a-17-3f2)</span>" in page.text
    cookie = next(one for one in browser.cookies.jar if one.name == "__Host-tocsin")
    assert cookie.secure
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "lax"
    browser.cookies.clear()
    reader = logged_in(browser, BO)
    assert "(reads)" in reader.text
    assert "\x1b" not in reader.text


def test_without_a_login_nothing_is_shown(browser: TestClient) -> None:
    """A page leads to the login, everything else is refused; a probe needs no name."""
    assert browser.get("/incidents/abcd?x=1", headers=HTML).headers["location"] == "/login?next=/incidents/abcd%3Fx%3D1"
    assert browser.get("/events").status_code == 401
    assert browser.post("/logout", headers={"sec-fetch-site": "same-origin"}).status_code == 401
    assert browser.get("/healthz").status_code == 200


def test_no_link_leads_elsewhere_after_the_login(browser: TestClient) -> None:
    """Only to a path of ours."""
    for path in ("//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"):
        done = browser.get(LOGIN, params={"next": path})
        answer = httpx.post(done.headers["location"], data={"sub": ANN})
        back = urlsplit(answer.headers["location"])
        assert browser.get(f"{back.path}?{back.query}").headers["location"] == "/"


def test_a_login_comes_back_to_the_browser_that_began_it(browser: TestClient, users: OidcUsers) -> None:
    """Another state, another browser, a cookie that was written elsewhere: all are refused.  A code is good once."""
    assert "not begun here" in sent_back(browser, ANN, state="other").text
    away = browser.get(LOGIN)
    answer = httpx.post(away.headers["location"], data={"sub": ANN})
    back = urlsplit(answer.headers["location"])
    app = make_app(Site(Memory(), "a test", users=users, publish=lambda _: None), None, Streams())
    victim = TestClient(app, base_url=PAGE, follow_redirects=False)
    for cookie in ("", "e30=.00", f"{browser.cookies['__Host-tocsin-login'][:-1]}x"):
        victim.cookies.set("__Host-tocsin-login", cookie)
        assert victim.get(f"{back.path}?{back.query}").status_code == 400
    assert "__Host-tocsin" not in victim.cookies
    kept = browser.cookies["__Host-tocsin-login"]
    assert browser.get(f"{back.path}?{back.query}").status_code == 303
    assert "__Host-tocsin-login" not in browser.cookies
    browser.cookies.set("__Host-tocsin-login", kept)
    assert "refuses the login" in browser.get(f"{back.path}?{back.query}").text


def test_many_who_begin_a_login_keep_nobody_from_one(browser: TestClient) -> None:
    """Nothing is kept of them here."""
    away = browser.get(LOGIN)
    others = TestClient(browser.app, base_url=PAGE, follow_redirects=False)
    for _ in range(200):
        others.get(LOGIN)
    back = urlsplit(httpx.post(away.headers["location"], data={"sub": ANN}).headers["location"])
    assert browser.get(f"{back.path}?{back.query}").status_code == 303


def test_a_login_that_takes_too_long_and_one_that_is_denied(browser: TestClient, clock: Clock) -> None:
    """Both say so, and lead to nothing."""
    away = browser.get(LOGIN)
    clock.now += PENDING_S
    back = urlsplit(httpx.post(away.headers["location"], data={"sub": ANN}).headers["location"])
    assert browser.get(f"{back.path}?{back.query}").status_code == 400
    denied = browser.get(LOGIN)
    back = urlsplit(httpx.post(denied.headers["location"], data={"action": "deny"}).headers["location"])
    state = parse_qs(urlsplit(denied.headers["location"]).query)["state"][0]
    answer = browser.get(f"{back.path}?{back.query}", params={"state": state, "error": "access_denied"})
    assert "refuses the login (access_denied)" in answer.text


def test_a_code_that_the_provider_does_not_know_is_refused(browser: TestClient) -> None:
    """As it was guessed."""
    answer = sent_back(browser, ANN, code="guessed")
    assert (answer.status_code, "refuses the login" in answer.text) == (400, True)


def test_a_session_ends_by_itself_by_a_logout_and_in_another_browser(browser: TestClient, clock: Clock) -> None:
    """A stolen cookie is of no use where the browser calls itself otherwise, and its use ends the session."""
    logged_in(browser, ANN)
    stolen = browser.cookies["__Host-tocsin"]
    assert browser.get("/", headers={**HTML, "user-agent": "browser two"}).status_code == 303
    assert browser.get("/", headers=HTML).status_code == 303
    browser.cookies.clear()
    logged_in(browser, ANN)
    assert browser.cookies["__Host-tocsin"] != stolen
    clock.now += LASTS_S
    # A part of the page that asks for news is told so, and is not sent away.
    assert browser.get("/", headers={**HTML, "hx-request": "true"}).status_code == 401
    assert browser.get("/", headers=HTML).status_code == 303
    browser.cookies.clear()
    logged_in(browser, ANN)
    kept = browser.cookies["__Host-tocsin"]
    assert browser.post("/logout", headers={"sec-fetch-site": "cross-site"}).status_code in {403, 413}
    out = browser.post("/logout", data={"x": "1"}, headers={"sec-fetch-site": "same-origin", "origin": PAGE})
    assert "logged out" in out.text
    browser.cookies.set("__Host-tocsin", kept)
    assert browser.get("/", headers=HTML).status_code == 303


KEY = RSAKey.generate_key(2048, {"kid": "one"})
LOGIN_OF_TEST = PendingLogin("nonce", "v" * 48)
CLAIMS: dict[str, Any] = {"iss": "https://id.example", "aud": "tocsin", "sub": "ann", "nonce": "nonce"}


def provider(token: str, metadata: Mapping[str, Any] | None = None) -> OidcProvider:
    """A provider that gives this ID token to everybody."""

    def answer(request: httpx.Request) -> httpx.Response:
        issuer = "https://id.example"
        match request.url.path:
            case "/.well-known/openid-configuration":
                shown = {"issuer": issuer, "jwks_uri": f"{issuer}/keys", "token_endpoint": f"{issuer}/token"}
                return httpx.Response(200, json={**shown, "authorization_endpoint": f"{issuer}/go", **(metadata or {})})
            case "/keys":
                return httpx.Response(200, json={"keys": [KEY.as_dict(private=False)]})
            case "/userinfo":
                assert request.headers["authorization"] == "Bearer x"
                return httpx.Response(200, json={"sub": "ann", "groups": ["ops"]})
        return httpx.Response(200, json={"access_token": "x", "token_type": "Bearer", "id_token": token})

    responders = frozenset({"ops"})
    config = OidcConfig("https://id.example", "tocsin", "secret", f"{PAGE}/login/callback", responders=responders)
    return OidcProvider(config, httpx.MockTransport(answer))


def token(header: Mapping[str, str] | None = None, key: Any = KEY, **changed: Any) -> str:
    """An ID token, but for what is changed; None takes a claim away."""
    claims = {**CLAIMS, "exp": int(time.time()) + 600, **changed}
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": "RS256", "kid": "one", **(header or {})}, kept, key, algorithms=["RS256", "HS256"])


def user(of: OidcProvider) -> PageUser:
    """Log in."""
    return asyncio.run(of.user("code", LOGIN_OF_TEST))


def test_a_token_for_this_login_names_the_user() -> None:
    """By what the provider calls it, or its number there."""
    assert user(provider(token())) == PageUser("ann", Permission.VIEWER)
    assert user(provider(token(email="ann@example"))).name == "ann@example (ann)"


@pytest.mark.parametrize(
    "claims",
    [
        {"preferred_username": "ops"},
        {"email": "ops", "email_verified": True},
        {"name": "ops"},
        {"groups": {"ops": True}},
        {"groups": 7},
        {"groups": ["all", 5]},
    ],
    ids=["name", "email", "full name", "groups as keys", "groups as a number", "other groups"],
)
def test_what_users_choose_themselves_gives_no_right(claims: dict[str, Any]) -> None:
    """Only groups, and what the provider calls them."""
    assert user(provider(token(**claims))).permission is Permission.VIEWER
    assert user(provider(token(sub="ops"))).permission is Permission.RESPONDER


def test_nobody_passes_for_another_by_a_name() -> None:
    """What is shown holds the begin of what only the provider gives; a name of blanks is none."""
    first, second = (user(provider(token(sub=sub, preferred_username="ann"))).name for sub in ("11111111-x", "2222-y"))
    assert (first, second) == ("ann (11111111)", "ann (2222-y)")
    assert user(provider(token(preferred_username="  "))).name == "ann"
    assert len(user(provider(token(preferred_username="a" * 500))).name) <= LONGEST_NAME


def test_groups_may_stand_with_the_provider_alone() -> None:
    """Where the token has none; what is said of somebody else does not count."""
    place = {"userinfo_endpoint": "https://id.example/userinfo"}
    assert user(provider(token(), place)) == PageUser("ann", Permission.RESPONDER)
    assert user(provider(token(groups=["all"]), place)) == PageUser("ann", Permission.VIEWER)
    assert user(provider(token(sub="eve"), place)) == PageUser("eve", Permission.VIEWER)


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://other.example"},
        {"aud": "another"},
        {"aud": ["tocsin", "other"], "azp": "other"},
        {"nonce": "of another login"},
        {"nonce": None},
        {"exp": 1_700_000_000},
        {"exp": None},
        {"sub": None},
    ],
    ids=["issuer", "audience", "made for another", "nonce", "no nonce", "ended", "no end", "nobody"],
)
def test_a_token_for_something_else_is_refused(changed: dict[str, Any]) -> None:
    """Whatever of it is another."""
    with pytest.raises(InvalidError, match=r"ID token of https://id\.example is refused"):
        user(provider(token(**changed)))


def test_a_token_that_the_provider_has_not_signed_is_refused() -> None:
    """By another key, by the client's secret or a public key taken for one, by none, or no token at all."""
    other = RSAKey.generate_key(2048, {"kid": "one"})
    secret = OctKey.import_key("secret" * 8)
    head, body, _ = token().split(".")
    unsigned = f"eyJhbGciOiJub25lIn0.{body}."
    for forged in (token(key=other), token({"alg": "HS256"}, key=secret), unsigned, f"{head}.{body}.", "", "x.y.z"):
        with pytest.raises(InvalidError, match="is refused"):
            user(provider(forged))


def test_a_provider_that_is_another_or_away_says_so() -> None:
    """Its own name must be that of the settings."""
    with pytest.raises(InvalidError, match=r"calls itself 'https://evil\.example'"):
        user(provider(token(), {"issuer": "https://evil.example"}))
    gone = OidcConfig(f"http://127.0.0.1:{held_port()}", "tocsin", "secret", f"{PAGE}/login/callback")
    with pytest.raises(TransientError, match="does not answer as an OpenID provider"):
        user(OidcProvider(gone))


def test_what_is_missing_of_the_settings_is_named() -> None:
    """All of it in one sentence."""
    with pytest.raises(InvalidError, match="TOCSIN_UI_OIDC_CLIENT_SECRET") as error:
        users_of(Settings(ui_auth="oidc"))
    assert "TOCSIN_UI_URL" in str(error.value)
    full = Settings(
        ui_auth="oidc",
        ui_url=f"{PAGE}/",
        ui_oidc_issuer="https://id.example",
        ui_oidc_client_id="tocsin",
        ui_oidc_client_secret=SecretStr("secret"),
    )
    assert isinstance(users_of(full), OidcUsers)
