"""What of an alert may leave."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest

from alerts.delivery.redact_alerts import KEPT, WITHHELD, AlertRedactor, redacted
from alerts.messages.alert import Alert, Severity
from alerts.messages.signed_receipt import Signer, alert_digest, problems
from index.redaction.redactor import Redactor
from tests.alerts.laden import SPREAD, laden, line, telling
from tests.index.redaction.planted import plant
from tests.sink_servers.sample_alerts import fired

KEY = "only-for-tests"
PLANTED = 500
EACH = 20
"""Secrets in one alert."""

QUIET = [f"word {n}" for n in range(SPREAD)]


def diagnosis_of(alert: Alert) -> dict[str, Any]:
    """Return the diagnosis of an alert that has one."""
    assert alert.diagnosis is not None
    return dict(alert.diagnosis)


def without_words(alert: Alert) -> dict[str, Any]:
    """Return all of an alert that is no free text."""
    record = orjson.loads(alert.to_json())
    for name in ("summary", "reasons", "note", "acknowledged"):
        del record[name]
    diagnosis = record["diagnosis"]
    for name in ("summary", "cause", "actions", "note", "evidence_digest"):
        del diagnosis[name]
    for item in (*diagnosis["evidence"], *diagnosis["claims"], *diagnosis["timeline"]):
        del item["text"]
    for similar in diagnosis["similar"]:
        del similar["title"]
    return dict(record)


@pytest.mark.parametrize("seed", [1, 2])
def test_no_secret_stands_in_any_text_and_all_else_stays(seed: int) -> None:
    """Of all kinds and notations, in every field; ids, times, places and numbers are what they were."""
    planted = plant(seed, PLANTED)
    left = []
    for start in range(0, PLANTED, EACH):
        # Each turn puts other kinds into other fields.
        group = planted[start : start + EACH]
        group = [*group[start % SPREAD :], *group[: start % SPREAD]]
        alert = laden(group)
        safe = redacted(alert, Redactor())
        assert without_words(safe) == without_words(alert)
        outside = safe.to_json().decode()
        left += [secret for secret in group if any(part in outside for part in secret.parts)]
    assert left == []


@pytest.mark.parametrize("place", range(SPREAD))
def test_each_field_is_searched(place: int) -> None:
    """Also the one that is the only one with a secret, and also who has taken the incident over."""
    texts = [*QUIET]
    texts[place] = "password=hunter2x9"
    alert = replace(telling(texts, ["quiet"]), acknowledged="ops@example.com")
    outside = redacted(alert, Redactor()).to_json().decode()
    assert "hunter2x9" in alert.to_json().decode()
    assert "hunter2x9" not in outside
    assert "ops@example.com" not in outside
    assert "<PASSWORD_1>" in outside


def test_what_one_text_gives_away_is_taken_out_of_all() -> None:
    """The key stands in one line of the evidence, the value alone in the summary."""
    alert = telling(["peer hunter2x9 left", *QUIET[1:]], ["admin_password = hunter2x9"])
    safe = redacted(alert, Redactor())
    assert safe.summary == "nova: peer <PASSWORD_1> left"
    assert diagnosis_of(safe)["evidence"][0]["text"] == "admin_password = <PASSWORD_1>"


def test_a_field_that_nobody_has_named_is_taken_for_text() -> None:
    """What a later version adds to a diagnosis is searched, however deep it stands."""
    alert = telling(QUIET)
    alert = replace(alert, diagnosis={**diagnosis_of(alert), "new": {"deep": [{"x": ("token=abcdef123456",)}]}})
    assert "abcdef123456" not in redacted(alert, Redactor()).to_json().decode()


def test_colours_do_not_hide_a_secret() -> None:
    """A terminal code between a key and its value does not count, and a reader sees that something was there."""
    alert = telling(["\x1b[31mpassword\x1b[0m=hunter2x9\nnext", *QUIET[1:]])
    assert redacted(alert, Redactor()).summary == "nova: \ufffdpassword\ufffd=<PASSWORD_1>\nnext"


def test_equal_alerts_come_out_equal_whatever_came_before() -> None:
    """A second process says the same; so a repetition is known, and a line of a file is found again."""
    planted = plant(5, 60)
    alerts = [laden(planted[start : start + EACH], start) for start in range(0, 60, EACH)]
    one, other = AlertRedactor(), AlertRedactor()
    first = [one(alert).to_json() for alert in alerts]
    again = [other(Alert.from_json(alert.to_json())).to_json() for alert in reversed(alerts)]
    assert first == again[::-1]
    assert first == [one(alert).to_json() for alert in alerts]


def test_a_diagnosis_keeps_its_words_while_the_alert_grows() -> None:
    """Otherwise the same diagnosis would be told again with each state."""
    before = telling(QUIET, ["password=hunter2x9", "token: abcdef123456"])
    after = replace(before, summary="password=another77 of 8.8.8.8", reasons=("secret_key=zzz999zzz", "more"))
    safe = [diagnosis_of(redacted(alert, Redactor())) for alert in (before, after)]
    assert safe[0] == safe[1]


def test_an_alert_without_secrets_leaves_as_it_is() -> None:
    """With the receipt that it has."""
    alert = Signer(KEY).sign(telling(QUIET, ["nova-compute lost its connection to 10.0.0.5"]))
    safe = AlertRedactor(key=KEY)(alert)
    assert safe.to_json() == alert.to_json()
    assert problems(safe, KEY) == []


def test_the_receipt_fits_what_is_told() -> None:
    """It says what the original was decided from, and neither its digest nor that of the evidence leaves."""
    alert = Signer(KEY).sign(telling(["password=hunter2x9", *QUIET[1:]], ["from 8.8.8.8"]))
    assert problems(alert, KEY) == []
    safe = AlertRedactor(key=KEY)(alert)
    assert problems(safe, KEY) == []
    assert alert.receipt is not None
    assert safe.receipt is not None
    assert safe.receipt["windows_elsewhere"] == alert.receipt["windows_elsewhere"] == list(alert.windows)
    assert alert_digest(alert) not in safe.to_json().decode()
    assert diagnosis_of(alert)["evidence_digest"] not in safe.to_json().decode()
    assert safe.receipt["signature"] != alert.receipt["signature"]


def test_no_receipt_is_made_for_what_was_forged_or_cannot_be_signed() -> None:
    """An alert that was changed on the topic is not made good, and without the key there is none."""
    alert = Signer(KEY).sign(telling(["password=hunter2x9", *QUIET[1:]]))
    assert AlertRedactor(key=KEY)(replace(alert, page=True)).receipt is None
    assert AlertRedactor(key="other")(alert).receipt is None
    assert AlertRedactor()(alert).receipt is None
    assert AlertRedactor(key=KEY)(replace(alert, receipt=None)).receipt is None


@pytest.mark.parametrize("summary", [QUIET[0], "password=hunter2x9"])
def test_the_receipt_fits_an_alert_that_rules_have_changed(summary: str) -> None:
    """Worse, or nothing to wake anyone for; with secrets and without; what was forged before is not made good."""
    original = Signer(KEY, "rules-1").sign(telling([summary, *QUIET[1:]]))
    regraded = replace(original, severity=Severity.CRITICAL, page=False)
    outgoing = AlertRedactor(key=KEY)
    safe = outgoing(regraded, original)
    assert (safe.severity, safe.page) == (Severity.CRITICAL, False)
    assert problems(safe, KEY) == []
    assert safe.receipt is not None
    assert safe.receipt["rules"] == "rules-1"
    assert problems(outgoing(original, original), KEY) == []
    assert outgoing(regraded, regraded).receipt == (regraded.receipt if summary == QUIET[0] else None)
    assert outgoing(regraded, replace(original, tenant="other")).receipt is None


class Careless(Redactor):
    """A redactor with a mistake."""

    def redact(self, texts: Sequence[str]) -> tuple[str, ...]:
        """Find nothing."""
        return tuple(texts)


def test_a_text_that_still_holds_a_secret_is_withheld_and_the_alert_is_told() -> None:
    """The last look is another one than the search."""
    safe = redacted(telling(["password=hunter2x9", *QUIET[1:]], ["quiet"]), Careless())
    assert safe.summary == WITHHELD
    assert safe.reasons == (QUIET[1],)
    assert diagnosis_of(safe)["evidence"] == [line(1, "quiet")]


def test_only_so_many_alerts_are_kept() -> None:
    """One that comes again after many others is searched again, and comes out the same."""
    made = []

    def redactor() -> Redactor:
        made.append(Redactor())
        return made[-1]

    outgoing = AlertRedactor(redactor)
    first = outgoing(fired(0))
    assert outgoing(fired(0)) is first
    assert len(made) == 1
    for number in range(1, KEPT + 1):
        outgoing(fired(number))
    assert outgoing(fired(0)) == first
    assert len(made) == KEPT + 2
