"""Pseudonyms: one per value, mapped back, never mistaken for what stood in a log."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.redaction.hidden_characters import visible_part
from index.redaction.redactor import Redactor
from index.redaction.scanner import PSEUDONYM

REQUEST = "req-9405cc2d-d8ca-4a42-9f49-2d835fac66cb"
USER, PROJECT = "e34cdc9f8cfa4d2db552495024da60d9", "4340e242277144a39aad7507a87ea19b"

PIECES = st.one_of(
    st.sampled_from(
        [
            "password=",
            "token: ",
            '"secret": "',
            "'",
            '"',
            "\\",
            "{",
            "}",
            "<",
            ">",
            "mysql://u:",
            "@",
            "host/",
            " ",
            "\n",
            ",",
            "<PASSWORD_1>",
            "<EMAIL_2>",
            "<SECRET_",
            "PASSWORD_1>",
            "-----BEGIN RSA PRIVATE KEY-----",
            "%3D",
            "%22",
            "&",
            "--password ",
            "Bearer ",
            "Cookie: a=",
            "8.8.8.8",
            "bob@example.com",
            f"[{REQUEST} {USER} {PROJECT} - - -]",
            "hunter2x",
            "admin",
            '\\"',
            "cGFzc3dvcmQ9aHVudGVyMg==",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc",
            "INSERT INTO u (password) VALUES (",
            "|\n  ",
            "=",
            ":",
            "\ufffd",
        ]
    ),
    st.text(max_size=8),
    st.text("abcXYZ019+/=_-.", max_size=24),
)
TEXT = st.lists(PIECES, max_size=12).map("".join)
TEXTS = st.lists(TEXT, max_size=5)
SECRET = st.text("abcdefghjkmnpqrstuvwxyzABCDEFGHJKL23456789!#%^*-_.~", min_size=8, max_size=30).filter(
    lambda value: (
        any(map(str.isdigit, value)) and any(map(str.isalpha, value)) and value[0].isalnum() and value[-1].isalnum()
    )
)


@settings(deadline=None)
@given(TEXTS)
def test_redact_then_restore_gives_the_original(texts: list[str]) -> None:
    """Whatever the texts, with pseudonyms of others in them or not, nothing is lost but what secrets hid."""
    redactor = Redactor()
    restored = [redactor.restore(text) for text in redactor.redact(texts)]
    assert list(map(visible_part, restored)) == list(map(visible_part, texts))


@settings(deadline=None)
@given(TEXTS)
def test_twice_is_once(texts: list[str]) -> None:
    """Redacting what is redacted changes nothing, by the same redactor or by another, and the gate lets it pass."""
    redactor = Redactor()
    out = redactor.redact(texts)
    assert redactor.redact(out) == out
    assert Redactor().redact(out) == out
    assert [leak for text in out for leak in redactor.leaks(text)] == []


@settings(deadline=None)
@given(st.lists(TEXTS, max_size=4))
def test_later_texts_restore_as_well(calls: list[list[str]]) -> None:
    """A redactor that is asked again and again keeps its names, and maps all of its texts back."""
    redactor = Redactor()
    done = [(texts, redactor.redact(texts)) for texts in calls]
    written = [text for _, out in done for text in out]
    for texts, out in done:
        for text, safe in zip(texts, out, strict=True):
            if text not in written:  # what it wrote itself comes back as it is
                assert visible_part(redactor.restore(safe)) == visible_part(text)


@settings(deadline=None)
@given(
    SECRET,
    st.sampled_from(["password={}", 'x "token": "{}", y', "--os-password {} list", "u: amqp://bob:{}@mq/"]),
    TEXT,
)
def test_what_is_secret_once_is_secret_everywhere(secret: str, notation: str, noise: str) -> None:
    """A value that one text shows to be secret stands in no text of the incident, before or after."""
    out = Redactor().redact([f"peer {secret} left", noise, notation.format(secret), f"'{secret}'"])
    assert all(secret not in text for text in out)


def test_equal_values_have_equal_pseudonyms_in_order_of_appearance() -> None:
    """The first password is number 1 wherever it stands, the next is number 2; another call goes on."""
    redactor = Redactor()
    out = redactor.redact(["b second9x", "password=first8x", '{"password": "second9x"}', "first8x"])
    assert out == ("b <PASSWORD_1>", "password=<PASSWORD_2>", '{"password": "<PASSWORD_1>"}', "<PASSWORD_2>")
    assert redactor.redact(["pwd: first8x", "pwd: third7xx"]) == ("pwd: <PASSWORD_2>", "pwd: <PASSWORD_3>")
    assert redactor.counts == {"PASSWORD": 3}


def test_the_request_context_keeps_its_request() -> None:
    """Ids of user and project go, wherever they stand; the request, the default domain and private addresses stay."""
    line = (
        f"4716 INFO keystone [{REQUEST} {USER} {PROJECT} - default default] GET http://10.0.0.5:5000/v2.1/{PROJECT}/x"
    )
    (out,) = Redactor().redact([line])
    assert (
        out
        == f"4716 INFO keystone [{REQUEST} <USER_1> <PROJECT_1> - default default] GET http://10.0.0.5:5000/v2.1/<PROJECT_1>/x"
    )


@pytest.mark.parametrize(
    "line",
    [
        "Failed to allocate the network(s) for instance 7f0e7c4e-7c1d-4a63-9d0b-2f0f3d1c9a11, status 503 in 12.5s",
        "Attaching volume 5a1f6c3d-0b5e-4f0c-8a43-1f2b3c4d5e6f to /dev/vdb on compute-07.example.internal",
        "GET /v2.1/servers/7f0e7c4e-7c1d-4a63-9d0b-2f0f3d1c9a11/os-interface HTTP/1.1 status: 200 len: 1741",
        "nova.exception.PortBindingFailed: Binding failed for port tap3e17 on qbr-1f2a, check neutron logs",
        "AMQP server on 192.168.10.5:5672 is unreachable: [Errno 111] ECONNREFUSED. Trying again in 2 seconds.",
        "Image checksum 50bdc35edb03a38d91b1b071afb20a3c sha256:9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f",
        "Token expired for request; token is invalid, authentication required; 3 tokens left, max_tokens=1024",
        "password_length = 12, token_expiration=3600, keystone_authtoken.admin_password = ****, use_password: None",
        "(pymysql.err.OperationalError) (1045, \"Access denied for user 'nova'@'10.0.0.5' (using password: YES)\")",
        "libvirt 8.0.0-1ubuntu7.5 version 6.2.0.3 fe80::f816:3eff:fe12:3456 00:16:3e:12:34:56 ::1 255.255.255.0",
        'File "/usr/lib/python3/dist-packages/nova/compute/manager.py", line 2731, in _build_resources',
        "auth_token = request.headers.get('X-Auth-Token'); password=password, secret=%(secret)s, token=${TOKEN}",
        "reply_4f8e9c0d1b2a43c5867f9e0d1c2b3a49 routing_key='compute.node-7' 2b3a49f8e9c0d1b2a43c5867f9e0d1c4",
        "Took 0x7fe0fdbd7868 10.000000 seconds; blk_-1608999687919862906 at 1526789123456789 2018-06-26T03:21Z +0000",
        "NoValidHost_Remote: std::pair dead::beef AbstractHTTPConnection2Handler org.apache.Hadoop2ClientImplV1",
    ],
)
def test_evidence_is_left_alone(line: str) -> None:
    """Ids of requests and resources, digests, numbers, paths, hosts, code and words of state are no secrets."""
    assert Redactor().redact([line]) == (line,)


def test_pseudonyms_of_a_log_are_never_taken_for_ours() -> None:
    """A log that holds <PASSWORD_1>, by chance or to learn a password, gets no other text in its place."""
    redactor = Redactor()
    first = ["<PASSWORD_1> said <EMAIL_1>", "password=hunter2x"]
    assert redactor.redact(first) == ("<PASSWORD_1> said <EMAIL_1>", "password=<PASSWORD_2>")
    assert redactor.restore("<PASSWORD_1> <PASSWORD_2>") == "<PASSWORD_1> hunter2x"
    (later,) = redactor.redact(["what is <PASSWORD_2>?"])
    assert later == "what is <LITERAL_1>?"
    assert redactor.restore(later) == "what is <PASSWORD_2>?"


def test_a_pseudonym_does_not_hide_the_secret_around_it() -> None:
    """A secret with something like a pseudonym in it is replaced on both sides."""
    (out,) = Redactor().redact(['password="left8x<EMAIL_1>right9y"'])
    assert out == 'password="<PASSWORD_1><EMAIL_1><PASSWORD_2>"'


def test_words_of_logs_that_serve_as_passwords_stay_elsewhere() -> None:
    """A password like "error" or "7" is replaced in its place only: the rest of the log must stay readable."""
    out = Redactor().redact(["password=error", "error 404 in nova", 'pwd: "404"'])
    assert out == ("password=<PASSWORD_1>", "error 404 in nova", 'pwd: "<PASSWORD_2>"')


def test_secrets_of_our_own_are_known_beforehand() -> None:
    """A key of an account that Tocsin holds is replaced wherever it stands, without any key before it."""
    redactor = Redactor(known={"API_KEY": ["zebra-crossing-at-noon"]})
    assert redactor.leaks("sent zebra-crossing-at-noon") == ("API_KEY",)
    assert redactor.redact(["sent zebra-crossing-at-noon"]) == ("sent <API_KEY_1>",)


def test_the_gate_names_what_leaks_and_not_its_value() -> None:
    """What leaks says may be logged: the pseudonym of a value that has one, else its label."""
    redactor = Redactor()
    redactor.redact(["password=hunter2x"])
    assert redactor.leaks("hunter2x, bob@example.com and <PASSWORD_1>") == ("<PASSWORD_1>", "EMAIL")
    assert redactor.leaks("nothing of note") == ()


HOSTILE = {
    "letters": "a" * 50_000,
    "keys": "password" * 6_000,
    "equals": "token=" * 8_000,
    "quotes": "password='" * 5_000,
    "backslashes": 'token="' + "\\" * 50_000,
    "at": "a@" * 25_000,
    "dots": "a." * 25_000 + "@",
    "colons": "2001:" * 10_000,
    "numbers": "1.2.3." * 8_000,
    "urls": "://a:b" * 8_000,
    "commas": "rabbit://u:p@h,u:p@" * 2_500,
    "pems": "-----BEGIN RSA PRIVATE KEY-----\n" * 1_500,
    "base64": "YWFh" * 12_000,
    "nested": "cGFzc3dvcmQ9aHVudGVyMg== " * 2_000,
    "insert": "insert into t (password) values ('" * 1_400,
    "cookies": "cookie: a=b; " * 3_800,
    "contexts": f"[{REQUEST} " * 1_200,
    "pseudonyms": "<PASSWORD_1>" * 4_000,
    "names": "password=<A_1>" * 3_500,
    "spaces": "password" + " " * 50_000,
    "flags": "mysql " * 4_000 + "-p",
    "prose": "password is for " * 3_000,
    "digits": "+1 23 " * 8_000,
    "brackets": "password: [" + "'a'," * 12_000,
    "percent": "%3D" * 16_000,
    "bearer": "bearer " * 7_000,
    "calls": "token=a_b(" * 5_000,
    "owners": "owner=" * 8_000,
    "elements": "<password " * 5_000 + ">" + "</" * 100,
    "named": 'password", "value": ' * 2_500,
    "tuples": "('token', " * 5_000,
    "sessions": "session opened for user a by " * 1_700,
    "values": 'value": "' * 5_500,
    "one line each": "\n".join(f"password{n}=secret{n}x" for n in range(2_000)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_costs_little(name: str) -> None:
    """No text of 50 kB, however it is made, costs more than 10 s of the processor, also where coverage is measured."""
    begin = time.process_time()
    redactor = Redactor()
    (out,) = redactor.redact([HOSTILE[name]])
    assert time.process_time() - begin < 10
    assert redactor.restore(out) == HOSTILE[name]


def test_pseudonyms_have_one_form() -> None:
    """Whatever kind is found, its pseudonym is capital letters and a number between angle brackets."""
    out = Redactor().redact(["password=hunter2x mail bob@example.com from 8.8.8.8", "-----BEGIN PRIVATE KEY-----"])
    assert all(PSEUDONYM.fullmatch(each) for text in out for each in re.findall(r"<[^>]*>", text))
