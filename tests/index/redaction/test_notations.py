"""Notations of the wild, one by one: what stands in each may not leave."""

import pytest

from index.redaction.redactor import Redactor

LINES = [
    ("Hunter2!x", 'Login with password "Hunter2!x" failed for bob'),
    ("Tr0ub4dor&3", "password=Tr0ub4dor&3 next"),
    ("p@ss,w0rd!", "db_password: p@ss,w0rd!"),
    ("s3cr3tP@ss", "postgresql://nova_api:s3cr3tP@ss@db.example.com:5432/nova"),
    ("s3cr/tPass", "redis://default:s3cr/tPass@redis:6379/1"),
    ("abc123XYZ", "{'auth': {'identity': {'password': {'user': {'name': 'admin', 'password': 'abc123XYZ'}}}}}"),
    ("abc123XYZ", '"{\\"auth\\":{\\"passwordCredentials\\":{\\"username\\":\\"x\\",\\"password\\":\\"abc123XYZ\\"}}}"'),
    ("0c5e2b7d9a", "X-Auth-Token:0c5e2b7d9a"),
    ("0c5e2b7d9a11", "curl -H 'X-Auth-Token:0c5e2b7d9a11' http://x"),
    ("topsecret99", "OS_PASSWORD=topsecret99 openstack server list"),
    ("topsecret99", "mysql -u root -ptopsecret99 -e 'select 1'"),
    ("topsecret99", "sshpass -p topsecret99 ssh root@10.0.0.3"),
    ("topsecret99", "sshpass -p 'topsecret99' ssh root@10.0.0.3"),
    ("topsecret99", "redis-cli -h 10.0.0.3 -a topsecret99 ping"),
    ("topsecret99", "docker login -u bob -p topsecret99 registry"),
    ("topsecret99", "ipmitool -I lanplus -H 10.1.1.1 -U admin -P topsecret99 power status"),
    ("topsecret99", "ALTER USER nova WITH PASSWORD 'topsecret99'"),
    ("topsecret99", "SET PASSWORD FOR 'nova'@'%' = PASSWORD('topsecret99')"),
    ("topsecret99", "[parameters: {'password_1': 'topsecret99', 'id': 5}]"),
    (
        "topsecret99",
        "[SQL: INSERT INTO password (password, id) VALUES (%(a)s, %(b)s)] [parameters: {'a': 'topsecret99', 'b': 3}]",
    ),
    ("topsecret99", "User(name='bob', password='topsecret99')"),
    ("topsecret99", "password -> topsecret99"),
    ("topsecret99", "password:topsecret99,user:bob"),
    ("topsecret99", '"password" : "topsecret99"'),
    ("topsecret99", "'password': u'topsecret99'"),
    ("topsecret99", 'password\\":\\"topsecret99\\"'),
    ("topsecret99", '\\"password\\": \\"topsecret99\\"'),
    ("topsecret99", "&password=topsecret99&"),
    ("topsecret99", "?token=topsecret99#frag"),
    ("topsecret99", "password%22%3A%22topsecret99%22"),
    ("topsecret99", "password%3A+topsecret99"),
    ("topsecret99", "--password topsecret99"),
    ("topsecret99", "--password=topsecret99"),
    ("topsecret99", "--db-pass 'topsecret99'"),
    ("topsecret99", "-password topsecret99"),
    ("topsecret99", "PASSWORD topsecret99"),
    ("topsecret99", "password is topsecret99"),
    ("topsecret99", "your new password is: topsecret99"),
    ("topsecret99", "set password to topsecret99 for user x"),
    ("topsecret99", "pass: topsecret99"),
    ("topsecret99", "pw=topsecret99"),
    ("topsecret99", "passcode=topsecret99"),
    ("topsecret99", "secret_key_base: topsecret99"),
    ("topsecret99", "SECRET_KEY = 'topsecret99'"),
    ("topsecret99", 'DJANGO_SECRET="topsecret99"'),
    ("topsecret99", "export DB_PASS=topsecret99;"),
    ("topsecret99", "password=topsecret99;Server=x;Database=y"),
    ("topsecret99", "Server=x;User Id=sa;Password=topsecret99;"),
    ("topsecret99", "jdbc:mysql://db/x?user=bob&password=topsecret99"),
    ("topsecret99", "jdbc:oracle:thin:scott/topsecret99@db:1521"),
    ("topsecret99", "ldap bind: cn=admin,dc=x bindpw topsecret99"),
    ("topsecret99", "bind_password = topsecret99"),
    ("topsecret99", "snmp community: topsecret99"),
    ("topsecret99", "community = topsecret99"),
    ("topsecret99", "<Password>topsecret99</Password>"),
    ("topsecret99", '<property name="password" value="topsecret99"/>'),
    ("topsecret99", '<password type="text">topsecret99</password>'),
    ("topsecret99", '<add key="DbPassword" value="topsecret99" />'),
    ("topsecret99", "name: DB_PASSWORD  value: topsecret99"),
    ("topsecret99", '{"key": "db_password", "val": "topsecret99"}'),
    ("topsecret99", '{"value": "topsecret99", "name": "DB_PASSWORD"}'),
    ("topsecret99", "password=  topsecret99"),
    ("topsecret99", 'password ="topsecret99"'),
    ("topsecret99", "password='topsecret99"),
    ("topsecret99", 'password="""topsecret99"""'),
    ("topsecret99", "password=r'topsecret99'"),
    ("topsecret99", "password=(topsecret99)"),
    ("topsecret99", "password=[topsecret99]"),
    ("topsecret99", "password={topsecret99}"),
    ("topsecret99", "password=<topsecret99>"),
    ("topsecret99", "password=`topsecret99`"),
    ("topsecret99", "passwords: ['topsecret99', 'x']"),
    ("topsecret99", "passwords: [topsecret99, x]"),
    ("topsecret99", '"tokens": ["topsecret99"]'),
    ("topsecret99", "Set-Cookie: sid=topsecret99; Path=/; HttpOnly"),
    ("topsecret99", "set-cookie: JSESSIONID=topsecret99; Secure"),
    ("topsecret99", "cookies={'sid': 'topsecret99'}"),
    ("topsecret99", "Authorization: topsecret99"),
    ("topsecret99", "authorization: Token topsecret99"),
    ("topsecret99", '"Authorization": "Bearer topsecret99"'),
    ("topsecret99", "Authorization=Bearer topsecret99"),
    ("topsecret99", 'Authorization: Digest username="bob", realm="x", response="topsecret99"'),
    ("topsecret99", "Proxy-Authorization: Basic topsecret99"),
    ("topsecret99", "HTTP_X_AUTH_TOKEN: topsecret99"),
    ("topsecret99", "'HTTP_X_AUTH_TOKEN': 'topsecret99'"),
    ("topsecret99", "headers: X-Auth-Token=topsecret99"),
    ("topsecret99", "admin_token topsecret99"),
    ("topsecret99", "token 'topsecret99' not found"),
    ("topsecret99", "Could not find token: topsecret99"),
    ("topsecret99", "Could not find token, topsecret99."),
    ("topsecret99", "api key topsecret99 rejected"),
    ("topsecret99", "API-Key: topsecret99"),
    ("topsecret99", "apiKey=topsecret99"),
    ("topsecret99", "client_id=abc&client_secret=topsecret99"),
    ("topsecret99", "aws_session_token = topsecret99"),
    ("topsecret99", "encryption_passphrase: topsecret99"),
    ("topsecret99", "luks key: topsecret99"),
    ("topsecret99", "fixed_key = topsecret99"),
    ("topsecret99", "metadata_proxy_shared_secret=topsecret99"),
    ("topsecret99", "rabbit_password=topsecret99"),
    ("topsecret99", "memcache_secret_key=topsecret99"),
    ("topsecret99", "heat_stack auth_encryption_key=topsecret99"),
    ("topsecret99", "iscsi: node.session.auth.password = topsecret99"),
    ("topsecret99", "'auth_password': 'topsecret99', 'auth_method': 'CHAP'"),
    ("topsecret99", "CHAP secret topsecret99"),
    ("topsecret99", "vnc password topsecret99"),
    ("topsecret99", "wsrep_sst_auth=root:topsecret99"),
    ("topsecret99", "MYSQL_ROOT_PASSWORD: topsecret99"),
    ("topsecret99", "mongo --username bob --password topsecret99 --host x"),
    ("topsecret99", "http://bob:topsecret99@proxy:3128"),
    ("topsecret99", "http_proxy=http://bob:topsecret99@10.0.0.1:3128/"),
    ("topsecret99", "amqp://guest:topsecret99@mq//"),
    ("topsecret99", "rabbit://openstack:topsecret99@10.0.0.1:5672/?ssl=0"),
    ("topsecret99", "ftp://bob:topsecret99@[2001:db8::1]/"),
    ("topsecret99", "smb://DOMAIN;bob:topsecret99@host/share"),
    ("topsecret99", "mysql+pymysql://nova:topsecret99@/nova?unix_socket=/x"),
    ("topsecret99", "login=bob:topsecret99"),
    ("topsecret99", "credentials=bob:topsecret99"),
    ("topsecret99", "Password for bob: topsecret99"),
    ("topsecret99", "password for user bob = topsecret99"),
    ("bob.miller7", "Failed password for bob.miller7 from 10.1.1.1 port 22 ssh2"),
    ("bob.miller7", "Invalid user bob.miller7 from 10.1.1.1"),
    ("bob.miller7", "user bob.miller7 logged in"),
    ("bob.miller7", "Accepted publickey for bob.miller7 from 10.0.0.1 port 1"),
    ("bob.miller7", "USER=bob.miller7"),
    ("bob.miller7", "sudo: bob.miller7 : TTY=pts/0 ; PWD=/ ; USER=root"),
    ("bob.miller7", '"username": "bob.miller7"'),
    ("bob.miller7", "su: pam_unix(su:session): session opened for user root by bob.miller7(uid=1000)"),
    ("bob.miller7", "New session 12 of user bob.miller7."),
    ("bob.miller7", "authentication failure; user=bob.miller7"),
    ("bob.miller7", "Authorization failed for user bob.miller7 from 10.0.0.1"),
    ("203.0.113.77", "connect to 203.0.113.77:443 failed"),
    ("203.0.113.77", "[203.0.113.77] GET /"),
    ("203.0.113.77", "src=203.0.113.77,dst=10.0.0.1"),
    ("203.0.113.77", "ip-203.0.113.77.example.com"),
    ("203.0.113.77", "203.0.113.77/32"),
    ("203.0.113.77", "203.0.113.77-203.0.113.99"),
    ("2001:db8::42", "peer [2001:db8::42]:443"),
    ("2001:db8::42", "peer 2001:db8::42/64 via x"),
    ("2001:db8:0:1::7", "addr=2001:db8:0:1::7"),
    ("::ffff:8.8.4.4", "from ::ffff:8.8.4.4 x"),
    ("2606:4700:4700::1111", "dns 2606:4700:4700::1111."),
    ("+49 170 1234567", "call +49 170 1234567 now"),
    ("+1-202-555-0143", "+1-202-555-0143"),
    ("(202) 555-0143", "phone: (202) 555-0143"),
    ("4111111111111111", "card 4111111111111111 declined"),
    ("4111-1111-1111-1111", "pan=4111-1111-1111-1111"),
    ("378282246310005", "amex 378282246310005"),
    ("DE89370400440532013000", "IBAN DE89370400440532013000"),
    ("Bob.O'Neil@example.com", "mail Bob.O'Neil@example.com"),
    ("bob@sub.example.co.uk", "<bob@sub.example.co.uk>"),
    ("bob+tag@example.com", "mailto:bob+tag@example.com"),
    ("bob%40example.com", "user=bob%40example.com&x=1"),
    ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "aws_secret_access_key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("AKIAIOSFODNN7EXAMPLE", "id AKIAIOSFODNN7EXAMPLE"),
    ("AKIAIOSFODNN7EXAMPLE", "https://s3/x?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=abc"),
    ("AKIAIOSFODNN7EXAMPLE", "X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524"),
    (
        "fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024",
        "X-Amz-Signature=fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024",
    ),
    ("xoxp-123456789012-abcdefABCDEF", "slack xoxp-123456789012-abcdefABCDEF"),
    ("T024BE7LD/B024BE7LD/abcDEF123ghi", "https://hooks.slack.com/services/T024BE7LD/B024BE7LD/abcDEF123ghi"),
    ("sk-ant-api03-abcdefghijklmnop", "ANTHROPIC_API_KEY=sk-ant-api03-abcdefghijklmnop"),
    ("sk-ant-api03-abcdefghijklmnop", "x-api-key: sk-ant-api03-abcdefghijklmnop"),
    ("gAAAAABhZ1234567890abcdefghij_-klmnop", "token gAAAAABhZ1234567890abcdefghij_-klmnop"),
    ("gAAAAABhZ1234567890abcdefghij_-klmnop", "/v3/auth/tokens/gAAAAABhZ1234567890abcdefghij_-klmnop"),
    ("0123456789abcdef0123456789abcdef", "DELETE /v2.0/tokens/0123456789abcdef0123456789abcdef HTTP/1.1"),
    ("0123456789abcdef0123456789abcdef", "tenant 0123456789abcdef0123456789abcdef over quota"),
    ("0123456789abcdef0123456789abcdef", "Quota exceeded for project 0123456789abcdef0123456789abcdef"),
    ("0123456789abcdef0123456789abcdef", "user_id 0123456789abcdef0123456789abcdef"),
    ("0123456789abcdef0123456789abcdef", "owner: 0123456789abcdef0123456789abcdef"),
    ("0123456789abcdef0123456789abcdef", "/v2/0123456789abcdef0123456789abcdef/volumes"),
    ("0123456789abcdef0123456789abcdef", "AUTH_0123456789abcdef0123456789abcdef/container"),
    ("0123456789abcdef0123456789abcdef", "project_id:0123456789abcdef0123456789abcdef"),
    ("0123456789abcdef0123456789abcdef", "WHERE project_id = '0123456789abcdef0123456789abcdef'"),
    ("0123456789abcdef0123456789abcdef", "<Project 0123456789abcdef0123456789abcdef>"),
    (
        "tempest-Foo-123-project",
        "[None req-9405cc2d-d8ca-4a42-9f49-2d835fac66cb tempest-Foo-123 tempest-Foo-123-project] x",
    ),
    (
        "-----BEGIN EC PRIVATE KEY-----\\nMHcCAQEEIBYP",
        '"key": "-----BEGIN EC PRIVATE KEY-----\\nMHcCAQEEIBYP\\n-----END EC PRIVATE KEY-----"',
    ),
    ("b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ", "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ"),
    (
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
        "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==;EndpointSuffix=core",
    ),
    ("topsecret99", "eyJwYXNzd29yZCI6ICJ0b3BzZWNyZXQ5OSJ9"),
    ("topsecret99", "user_data: I2Nsb3VkLWNvbmZpZwpwYXNzd29yZDogdG9wc2VjcmV0OTkK"),
    ("topsecret99", "password: !!str topsecret99"),
    ("topsecret99", "password: >-\\n  topsecret99"),
    ("topsecret99", "password=$(echo topsecret99)"),
    ("topsecret99", "PASSWORD:=topsecret99"),
    ("topsecret99", '"password":{"value":"topsecret99"}'),
    ("topsecret99", "password: b'topsecret99'"),
    ("topsecret99", "password=SecretStr('topsecret99')"),
    ("topsecret99", "password=Secret(value='topsecret99')"),
    ('top"secret99', "password='top\"secret99'"),
    ('top\\"secret99', '{"password": "top\\"secret99"}'),
    ("top'secret99", 'password="top\'secret99"'),
    ("topsecret99,x", 'password="topsecret99,x"'),
    ("top secret 99", '{"password": "top secret 99", "a": 1}'),
    ("top secret 99", "password: top secret 99"),
    ("日本語123", "password=日本語123"),
    ("passwörd99", '{"password": "passw\\u00f6rd99"}'),
]
"""A secret, and a line that holds it, plain or in some encoding."""


@pytest.mark.parametrize(("secret", "line"), LINES)
def test_no_notation_lets_a_secret_through(secret: str, line: str) -> None:
    """The secret is gone from the line, the line is another, and it can be put back."""
    redactor = Redactor()
    (out,) = redactor.redact([line])
    assert secret not in out
    assert out != line
    assert redactor.restore(out) == line
    assert redactor.leaks(line)


PEM = [
    "-----BEGIN RSA PRIVATE KEY-----",
    "MIIEpAIBAAKCAQEA04up8hoqzS1",
    "qzS1+APIB0RhjXyObwHQnOz",
    "-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize(
    "texts",
    [
        ["before", *PEM, "after 7 lines"],
        ["\n".join(["before", *PEM, "after 7 lines"])],
        ["before", *PEM[:3]],
        ["key: |", *("  " + line for line in PEM)],
        ["2026-03-02 09:14:01.123 7 ERROR nova [-] " + line for line in PEM],
        ['{"key": "' + "\\n".join(PEM) + '"}'],
    ],
)
def test_private_keys_go_whole(texts: list[str]) -> None:
    """A key of many lines goes with all of them, as one text or as many, cut short or behind a header each."""
    redactor = Redactor()
    out = redactor.redact(texts)
    assert not any(line in text for line in PEM[1:3] for text in out)
    assert [redactor.restore(text) for text in out] == texts
    assert out[0].startswith("before") or texts[0] != "before"


def test_yaml_blocks_and_lists_go_whole() -> None:
    """All lines of a block and all items of a list below a secret key go; the next key stays."""
    out = Redactor().redact(
        ["password: |", "  first line", "  second line", "port: 3306", "passwords: ['one1', 'two2']"]
    )
    assert out[0] == "password: |"
    assert "line" not in "".join(out[1:3])
    assert out[3] == "port: 3306"
    assert out[4] == "passwords: ['<PASSWORD_3>', '<PASSWORD_4>']"


def test_the_value_of_a_named_entry_may_stand_in_the_next_line() -> None:
    """As Kubernetes writes an environment in YAML."""
    out = Redactor().redact(["- name: DB_PASSWORD", "  value: topsecret99", "- name: DB_HOST", "  value: c1"])
    assert out == ("- name: DB_PASSWORD", "  value: <PASSWORD_1>", "- name: DB_HOST", "  value: c1")
