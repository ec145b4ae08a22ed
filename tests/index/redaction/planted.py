"""Secrets of many kinds, written in many ways, from a seed: what must never leave."""

# ruff: noqa: ARG005, S608 - all notations are called alike; the SQL is text of a log

import base64
import json
import random
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

Draw = Callable[[random.Random], str]
Write = Callable[[str, str, random.Random], list[str]]

ALNUM: Final = string.ascii_letters + string.digits
URLSAFE: Final = ALNUM + "-_"
WORDS: Final = ("copper", "lantern", "orbit", "velvet", "maple", "thunder", "quartz", "willow")


@dataclass(frozen=True, slots=True)
class Planted:
    """One secret as it stands in the log: nothing of ``parts`` may be seen outside."""

    kind: str
    notation: str
    parts: tuple[str, ...]
    texts: tuple[str, ...]


def some(letters: str, low: int, high: int = 0) -> Draw:
    """Draw so many letters."""
    return lambda rng: "".join(rng.choices(letters, k=rng.randint(low, high or low)))


def after(prefix: str, draw: Draw) -> Draw:
    """Draw what follows a prefix."""
    return lambda rng: prefix + draw(rng)


def b64(content: bytes) -> str:
    """Write in base64."""
    return base64.b64encode(content).decode()


def jwt(rng: random.Random) -> str:
    """Draw a signed web token."""
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": str(rng.randrange(10**9)), "iat": rng.randrange(2**31)})
    head = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return f"{head}.{some(URLSAFE, 43)(rng)}"


def pem(rng: random.Random) -> str:
    """Draw what looks like a private key of many lines."""
    name = rng.choice(("RSA ", "EC ", "", "OPENSSH ", "ENCRYPTED "))
    body = b64(rng.randbytes(rng.randint(300, 900)))
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return "\n".join((f"-----BEGIN {name}PRIVATE KEY-----", *lines, f"-----END {name}PRIVATE KEY-----"))


def public_v4(rng: random.Random) -> str:
    """Draw a public IPv4 address."""
    return (
        f"{rng.choice((8, 31, 52, 93, 151, 185, 203))}.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randint(1, 254)}"
    )


def public_v6(rng: random.Random) -> str:
    """Draw a public IPv6 address, written in full or short."""
    groups = [f"{rng.randrange(1, 65536):x}" for _ in range(6)]
    if rng.random() < 0.5:
        return f"2a{rng.randrange(256):02x}:" + ":".join(groups[:3]) + "::" + groups[3]
    return f"20{rng.randrange(1, 100):02d}:" + ":".join([*groups, "1"])


def card(rng: random.Random) -> str:
    """Draw the number of a payment card."""
    digits = [4, *(rng.randrange(10) for _ in range(14))]
    total = sum(d if i % 2 else (d * 2 - 9 * (d > 4)) for i, d in enumerate(digits))
    text = "".join(map(str, [*digits, -total % 10]))
    return text if rng.random() < 0.5 else " ".join(text[at : at + 4] for at in range(0, 16, 4))


def passphrase(rng: random.Random) -> str:
    """Draw some words."""
    return " ".join(rng.sample(WORDS, 4))


def person(rng: random.Random) -> str:
    """Draw the name of an account."""
    return f"{rng.choice('abcdefgh')}.{some(string.ascii_lowercase, 5, 9)(rng)}{rng.randrange(10, 99)}"


def mail(rng: random.Random) -> str:
    """Draw a mail address."""
    return f"{person(rng)}@{some(string.ascii_lowercase, 4, 8)(rng)}.{rng.choice(('com', 'org', 'co.uk', 'de'))}"


KEYED: Final[dict[str, tuple[Draw, Sequence[str]]]] = {
    "simple password": (
        some(string.ascii_lowercase + string.digits, 7, 12),
        ("password", "admin_password", "OS_PASSWORD"),
    ),
    "strong password": (
        some(ALNUM + "!@#%^*-_=+.~", 10, 20),
        ("passwd", "db_password", "adminPass", "rabbit-password"),
    ),
    "word password": (lambda rng: rng.choice(WORDS) + rng.choice(WORDS), ("password", "pwd", "userPassword")),
    "hex secret": (some("0123456789abcdef", 32), ("client_secret", "metadata_proxy_shared_secret", "secretKey")),
    "uuid token": (some("0123456789abcdef", 32), ("X-Auth-Token", "auth_token", "token", "x-subject-token")),
    "base64 key": (lambda rng: b64(rng.randbytes(32)), ("encryption_key", "fernet_key", "AccountKey", "private_key")),
    "aws secret": (some(ALNUM + "+/", 40), ("aws_secret_access_key", "AWS_SECRET_ACCESS_KEY", "secretAccessKey")),
    "session": (some(ALNUM, 26), ("session_id", "sessionid", "csrf_token", "JSESSIONID")),
    "api key": (some(ALNUM, 24, 40), ("api_key", "apikey", "X-Api-Key", "subscription-key")),
    "pagerduty key": (some("0123456789abcdef", 32), ("routing_key", "pagerduty_service_key", "integration_key")),
    "user id": (some("0123456789abcdef", 32), ("user_id", "userId", "trustor_user_id")),
    "project id": (some("0123456789abcdef", 32), ("project_id", "tenant_id", "projectId")),
}
"""Known by the key before them."""

FORMED: Final[dict[str, Draw]] = {
    "aws key id": after("AKIA", some(string.ascii_uppercase + string.digits, 16)),
    "gcp key": after("AIza", some(URLSAFE, 35)),
    "azure secret": lambda rng: f"{some(ALNUM, 3)(rng)}8Q~{some(ALNUM + '_~.-', 34)(rng)}",
    "fernet token": after("gAAAAAB", some(URLSAFE, 150, 200)),
    "slack token": lambda rng: (
        f"xoxb-{some(string.digits, 12)(rng)}-{some(string.digits, 12)(rng)}-{some(ALNUM, 24)(rng)}"
    ),
    "github token": after("ghp_", some(ALNUM, 36)),
    "github fine-grained": lambda rng: f"github_pat_{some(ALNUM, 22)(rng)}_{some(ALNUM, 59)(rng)}",
    "gitlab token": after("glpat-", some(URLSAFE, 20)),
    "anthropic key": after("sk-ant-api03-", some(URLSAFE, 95)),
    "stripe key": after("sk_live_", some(ALNUM, 24)),
    "vault token": after("hvs.", some(ALNUM, 90)),
    "sendgrid key": lambda rng: f"SG.{some(URLSAFE, 22)(rng)}.{some(URLSAFE, 43)(rng)}",
    "pagerduty events key": after("R0", some(string.ascii_uppercase + string.digits, 30)),
    "jwt": jwt,
    "password hash": lambda rng: f"$6${some(ALNUM, 16)(rng)}${some(ALNUM + './', 86)(rng)}",
    "mail address": mail,
    "public ipv4": public_v4,
    "public ipv6": public_v6,
    "card": card,
    "phone": lambda rng: f"+{rng.randrange(1, 99)} {rng.randrange(100, 999)} {rng.randrange(1000000, 9999999)}",
}
"""Known by their form, wherever they stand."""


def oslo(message: str, rng: random.Random) -> str:
    """Write a line as oslo.log does."""
    request = f"req-{some('0123456789abcdef', 8)(rng)}-1111-4222-8333-{some('0123456789abcdef', 12)(rng)}"
    return (
        f"2026-03-02 09:14:{rng.randrange(60):02d}.123 4242 ERROR nova.compute.manager [{request} - - - - -] {message}"
    )


KEYS: Final[dict[str, Write]] = {
    "key=value": lambda k, v, r: [oslo(f"retry with {k}={v} timeout=30", r)],
    "key = value": lambda k, v, r: [f"{k} = {v}"],
    "key: value": lambda k, v, r: [oslo(f"got {k}: {v}", r)],
    "quoted": lambda k, v, r: [oslo(f"{k}={r.choice(('=', ''))}'{v}', host=node7", r)],
    "double quoted": lambda k, v, r: [f'export {k.replace("-", "_").upper()}="{v}"'],
    "json": lambda k, v, r: [oslo(json.dumps({"id": 7, k: v, "status": 503}), r)],
    "compact json": lambda k, v, r: [json.dumps({k: v, "status": 503}, separators=(",", ":"))],
    "json in json": lambda k, v, r: [json.dumps({"body": json.dumps({"auth": {k: v}, "status": 409})})],
    "json in json in json": lambda k, v, r: [json.dumps({"m": json.dumps({"body": json.dumps({k: v, "n": 1})})})],
    "named value": lambda k, v, r: [
        json.dumps({"env": [{"name": k.upper(), "value": v}, {"name": "A", "value": "b"}]})
    ],
    "yaml": lambda k, v, r: ["database:", f"  {k}: {v}", "  port: 3306"],
    "yaml quoted": lambda k, v, r: [f'- {k}: "{v}"'],
    "yaml block": lambda k, v, r: [f"{k}: |", f"    {v}", "next: 1"],
    "query": lambda k, v, r: [oslo(f"GET /v2/x?limit=10&{k}={quote(v, safe='')}&marker=7 HTTP/1.1 status: 200", r)],
    "encoded": lambda k, v, r: [f"body: {quote(f'{k}={v}&grant=x', safe='')} len: 12"],
    "encoded json": lambda k, v, r: ["form=" + quote(json.dumps({k: v, "n": 1}), safe="")],
    "header": lambda k, v, r: [f"{k}: {v}"],
    "curl": lambda k, v, r: [
        oslo(f"REQ: curl -g -i -X GET http://10.0.0.5:8774/v2.1 -H \"{k}: {v}\" -H 'Accept: x'", r)
    ],
    "flag": lambda k, v, r: [f"+ openstack --os-{k.replace('_', '-')} {v} server list"],
    "flag=": lambda k, v, r: [f"Command: nova-manage --{k}={v} --debug"],
    "argv": lambda k, v, r: [f"Running cmd: {['tool', '--' + k, v, 'x']!r}"],
    "environment": lambda k, v, r: [f"env {k.replace('-', '_').upper()}={v} PATH=/usr/bin"],
    "repr": lambda k, v, r: [oslo(f"kwargs: { ({k: v, 'retries': 3})!r}", r)],
    "python 2 repr": lambda k, v, r: [f"{{u'{k}': u'{v}', u'host': u'c1'}}"],
    "bytes": lambda k, v, r: [f"{k}=b'{v}'"],
    "tuple": lambda k, v, r: [f"headers=[('{k}', '{v}'), ('Accept', '*/*')]"],
    "keyword": lambda k, v, r: [f"File x, in connect(host='db', {k.replace('-', '_')}='{v}', port=3306)"],
    "sql": lambda k, v, r: [oslo(f"UPDATE t SET {k.replace('-', '_')} = '{v}' WHERE id = 7", r)],
    "insert": lambda k, v, r: [f"INSERT INTO users (name, password_hash, n) VALUES ('x1', '{v}', 3)"],
    "xml": lambda k, v, r: [f"<auth><{k}>{v.replace('&', '').replace('<', '')}</{k}><n>1</n></auth>"],
    "attribute": lambda k, v, r: [f"<graphics type='vnc' {k}='{v}' port='5900'/>"],
    "arrow": lambda k, v, r: [f':{k} => "{v}", :port => 1'],
    "item": lambda k, v, r: [f"os.environ['{k}'] = '{v}'"],
    "glued": lambda k, v, r: [f"{k}='{v[:4]}'\"{v[4:]}\" next=1"],
    "concatenated": lambda k, v, r: [f'{k} = "{v[:5]}" + "{v[5:]}"'],
    "base64": lambda k, v, r: [oslo("user data " + b64(f"#cloud-config\n{k}: {v}\n".encode()), r)],
    "base64 in url": lambda k, v, r: [base64.urlsafe_b64encode(json.dumps({k: v}).encode()).decode().rstrip("=")],
    "html": lambda k, v, r: [f"&quot;{k}&quot;: &quot;{v}&quot;"],
    "unicode escapes": lambda k, v, r: [f"\\u0022{k}\\u0022:\\u0022{v}\\u0022"],
}

URLS: Final[dict[str, Write]] = {
    "mysql": lambda u, v, r: [oslo(f"connection mysql+pymysql://{u}:{v}@10.0.0.5/nova?charset=utf8", r)],
    "rabbit": lambda u, v, r: [f"transport_url = rabbit://{u}:{v}@mq1:5672,{u}:{v}@mq2:5672/vhost"],
    "redis": lambda u, v, r: [f"redis://:{v}@cache:6379/0"],
    "mongodb": lambda u, v, r: [f"'mongodb://{u}:{v}@db1,db2/x?replicaSet=r'"],
    "encoded password": lambda u, v, r: [f"amqp://{u}:{quote(v, safe='')}@mq:5672/"],
    "encoded url": lambda u, v, r: [f"next={quote(f'https://{u}:{v}@git/x', safe='')}"],
    "curl -u": lambda u, v, r: [f"curl -s -u {u}:{v} http://10.0.0.5/"],
    "mysql -p": lambda u, v, r: [f"mysqldump -h db -u{u} -p{v} nova"],
    "basic": lambda u, v, r: [f"Authorization: Basic {b64(f'{u}:{v}'.encode())}"],
    "bearer": lambda u, v, r: [oslo(f"headers {{'Authorization': 'Bearer {v * 3}'}}", r)],
    "cookie": lambda u, v, r: [f"Cookie: lang=en; session={v}; theme=1"],
    "identified by": lambda u, v, r: [f"GRANT ALL ON nova.* TO '{u}'@'%' IDENTIFIED BY '{v}'"],
    "sentence": lambda u, v, r: [oslo(f"the password for {u} is {v}9a", r)],
    "go": lambda u, v, r: [f"dsn {u}:{v}@tcp(db:3306)/nova"],
    "netrc": lambda u, v, r: [f"machine git login {u} password {v}"],
}

PLACES: Final[dict[str, Write]] = {
    "alone": lambda k, v, r: [v],
    "in a line": lambda k, v, r: [oslo(f"rejected {v} from peer", r)],
    "in brackets": lambda k, v, r: [oslo(f"peer [{v}] gone", r)],
    "quoted": lambda k, v, r: [f"using '{v}'"],
    "json": lambda k, v, r: [json.dumps({"x": v})],
    "json in json": lambda k, v, r: [json.dumps({"a": json.dumps({"x": v})})],
    "value": lambda k, v, r: [f"x={v}"],
    "list": lambda k, v, r: [repr(["a", v])],
    "path": lambda k, v, r: [f"GET /things/{v} HTTP/1.1"] if " " not in v else [f"({v})"],
    "sentence": lambda k, v, r: [f"It was {v}, and then failed."],
}

PEMS: Final[dict[str, Write]] = {
    "one text": lambda k, v, r: [f"key_data:\n{v}\nend"],
    "many texts": lambda k, v, r: ["loading", *v.split("\n"), "done"],
    "json": lambda k, v, r: [json.dumps({"private": v})],
    "oslo lines": lambda k, v, r: [oslo(line, r) for line in v.split("\n")],
    "cut": lambda k, v, r: ["\n".join(v.split("\n")[:-2])],
    "indented": lambda k, v, r: ["key: |", *("    " + line for line in v.split("\n"))],
}


def plant(seed: int, count: int) -> list[Planted]:
    """Draw secrets, every kind and every notation among them."""
    rng = random.Random(seed)
    out: list[Planted] = []
    ways: list[tuple[str, dict[str, Write]]] = [
        *((kind, KEYS) for kind in KEYED for _ in range(2)),
        *((kind, PLACES) for kind in FORMED),
        *(("connection password", URLS) for _ in range(4)),
        ("private key", PEMS),
    ]
    turn = 0
    while len(out) < count:
        for kind, notations in ways:
            notation = list(notations)[turn % len(notations)]
            turn += 1
            out.append(_write(kind, notation, notations[notation], rng))
        turn += 1
    return out[:count]


def _write(kind: str, notation: str, write: Write, rng: random.Random) -> Planted:
    if kind in KEYED:
        draw, keys = KEYED[kind]
        value = draw(rng)
        parts = [value, value[:4], value[5:]] if notation in {"glued", "concatenated"} else [value]
        texts = write(rng.choice(keys), value, rng)
    elif kind in FORMED:
        value = FORMED[kind](rng)
        parts, texts = [value], write("", value, rng)
    elif kind == "private key":
        value = pem(rng)
        parts = value.split("\n")[1:-1]
        texts = write("", value, rng)
    else:
        value = some(ALNUM + "!*-_.~", 8, 16)(rng) + rng.choice(ALNUM)
        parts, texts = [value], write(person(rng).replace(".", "_"), value, rng)
    parts = [part for part in parts if len(part) >= 6]
    forms = {
        form for part in parts for form in (part, quote(part, safe=""), json.dumps(part)[1:-1], b64(part.encode()))
    }
    return Planted(kind, notation, tuple(sorted(forms)), tuple(texts))
