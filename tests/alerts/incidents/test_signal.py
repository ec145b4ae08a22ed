"""How signals go on, and when errors are the same again."""

from alerts.incidents.incident import Incident
from alerts.incidents.matching import repeats
from alerts.incidents.signal import Signal, signals_of, with_signals
from alerts.messages.anomaly import BESIDE
from tests.alerts.windows import START, window


def test_what_would_not_have_fired_does_not_tell_that_a_signal_goes_on() -> None:
    """A window whose loudest part is elsewhere only supports what is known."""
    first, beside, own = (
        signals_of(window(str(at), at, importance)) for at, importance in ((0, 0.9), (60, BESIDE), (75, 0.6))
    )
    (supported,) = with_signals(first, beside)
    assert (supported.last, supported.count) == (START, 2)
    (longer,) = with_signals(first, own)
    assert longer.last == own[0].last


def test_errors_come_back_only_with_their_messages() -> None:
    """A service may fail in many ways; that it is silent, or slow, says what it is."""
    once = Incident.of(window("a", 0), START)
    assert repeats(window("b", 400), once)
    assert not repeats(window("b", 400, templates=("t1",)), once)
    slow = Incident.of(window("a", 0, kind="values"), START)
    assert repeats(window("b", 400, kind="values"), slow)
    named = Incident.of(window("a", 0, templates=("t1", "t2")), START)
    assert repeats(window("b", 400, templates=("t1", "t3")), named)
    assert not repeats(window("b", 400, templates=("t4",)), named)
    assert not repeats(window("b", 400), named)


def test_a_signal_of_an_older_version_named_its_backends_until_it_ended() -> None:
    """That record does not say when."""
    (signal,) = signals_of(window("a", 0, names=("RabbitMQ",), templates=("t1",)))
    record = signal.to_json()
    assert Signal.from_json(record) == signal
    old = Signal.from_json({name: value for name, value in record.items() if name not in {"named", "templates"}})
    assert (old.named, old.templates) == (signal.last, ())
    assert not {"named", "templates"} & signal.to_json(until=0).keys()
