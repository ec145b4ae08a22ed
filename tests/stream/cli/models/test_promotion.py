"""``tocsin models promote`` and ``rollback``: a record on the topic, and the alias of the store."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from models.windows.config import WindowConfig
from stream.cli import tocsin
from stream.kafka.clients import Broker
from stream.kafka.embedded import EmbeddedBroker
from stream.kafka.topic_specs import Topics
from stream.settings import load_settings
from stream.topics.promotions import PromotionKind, StoredPromotion, read_promotions
from stream.wiring.bundles import open_store
from tests.models.bundles import bundle


@pytest.fixture(autouse=True)
def place(embedded: EmbeddedBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with three versions, and a broker."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOCSIN_KAFKA_BOOTSTRAP_SERVERS", embedded.bootstrap)
    monkeypatch.setenv("TOCSIN_MODELS", f"file://{tmp_path}/store")
    monkeypatch.setenv("TOCSIN_CACHE_PATH", str(tmp_path / "cache"))
    for seed in (1, 2, 3):
        bundle(seed=seed).write(tmp_path / f"bundle-{seed}")
        run("check-in", f"bundle-{seed}", "--name", "nova")
    return tmp_path


def run(*args: str, code: int = 0) -> Result:
    """Run ``tocsin models``."""
    result = CliRunner().invoke(tocsin, ["models", *args])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def promotions(embedded: EmbeddedBroker) -> list[StoredPromotion]:
    """What stands on the topic."""
    return list(read_promotions(Broker(embedded.bootstrap), Topics().models))


def champion() -> int | None:
    """The version for which the alias stands."""
    return open_store(load_settings()).alias("nova", "champion")


def test_a_promotion_is_a_record_and_then_an_alias(embedded: EmbeddedBroker) -> None:
    """It says what judged before, by whom, why and from when on."""
    run("promote", "nova@v1", "--by", "anna")
    said = run("promote", "nova@v2", "--by", "bert", "--reason", "quieter", "--in", "60").stdout
    first, second = promotions(embedded)
    assert (first.promotion.manifest.version, first.promotion.previous) == ("nova@v1", None)
    assert second.promotion.previous == first.promotion.manifest
    assert (second.promotion.by, second.promotion.reason, second.promotion.lead_s) == ("bert", "quieter", 60.0)
    assert champion() == 2
    assert said.startswith("nova@v2 is the champion; it judges windows that end from 20")


def test_a_rollback_goes_to_the_version_before(embedded: EmbeddedBroker) -> None:
    """Or to one that is named; it is a promotion like any other.  Who comes second is told, and does not go further."""
    assert "name a version" in run("rollback", "nova", code=2).stderr
    for version in (1, 2, 3):
        run("promote", f"nova@v{version}")
    run("rollback", "nova", "--reason", "noise")
    assert champion() == 2
    twice = run("rollback", "nova", "--by", "bert", code=2).stderr
    assert "went back from nova@v3 to nova@v2 already: noise; to go back further, name a version: `--to v3`" in twice
    run("rollback", "nova", "--to", "v1")
    assert champion() == 1
    back = [stored.promotion for stored in promotions(embedded)[3:]]
    assert [(one.kind, one.manifest.number) for one in back] == [
        (PromotionKind.ROLLBACK, 2),
        (PromotionKind.ROLLBACK, 1),
    ]


def test_without_a_topic_the_alias_alone_moves(embedded: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """No broker is asked."""
    monkeypatch.setenv("TOCSIN_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    assert run("promote", "nova@v3", "--alias-only").stdout == "nova@v3 is the champion\n"
    assert champion() == 3
    run("rollback", "nova", "--to", "v2", "--alias-only")
    assert champion() == 2


def test_what_would_not_work_is_not_promoted(embedded: EmbeddedBroker, place: Path) -> None:
    """A damaged version, one of other windows, one that is not there: nothing is written."""
    run("promote", "nova@v1")
    other = bundle()
    windows = WindowConfig(length=120.0)
    type(other)(**{name: getattr(other, name) for name in other.__dataclass_fields__} | {"windows": windows}).write(
        place / "long"
    )
    run("check-in", "long", "--name", "nova")
    assert "windows of other lengths" in run("promote", "nova@v4", code=2).stderr
    (place / "store" / "nova_v02" / "lstm.onnx").write_bytes(b"damaged")
    assert "is damaged" in run("promote", "nova@v2", code=2).stderr
    assert "holds no nova@v9" in run("promote", "nova@v9", code=2).stderr
    assert "name the version: nova@v2" in run("promote", "nova", code=2).stderr
    assert len(promotions(embedded)) == 1
    assert champion() == 1


def test_a_challenger_is_an_alias_beside_the_champions(place: Path) -> None:
    """Of a version that can be used; nothing is promoted by it."""
    run("promote", "nova@v1", "--alias-only")
    assert run("challenge", "nova@v2", "--by", "anna").stdout == "nova@v2 is the challenger\n"
    store = open_store(load_settings())
    assert (store.alias("nova", "challenger"), champion()) == (2, 1)
    (place / "store" / "nova_v03" / "lstm.onnx").write_bytes(b"damaged")
    assert "is damaged" in run("challenge", "nova@v3", code=2).stderr
    assert "name the version: nova@v2" in run("challenge", "nova", code=2).stderr
    assert store.alias("nova", "challenger") == 2
