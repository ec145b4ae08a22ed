"""Templates: ids that depend on nothing but the text, mining in any order, hard caps."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import InvalidError
from models.masks import Masks
from models.templates import TemplateLimits, TemplateMatcher, TemplateTable, mine, template_id

WORDS = st.sampled_from(["open", "close", "file", "volume", "<*>", "done", "failed"])
TEXTS = st.lists(st.lists(WORDS, min_size=1, max_size=5).map(" ".join), min_size=1, max_size=30)


def matcher(table: TemplateTable, limits: TemplateLimits | None = None) -> TemplateMatcher:
    """A matcher with an empty memory."""
    return TemplateMatcher(table, Masks.default(), limits or TemplateLimits())


@given(TEXTS, st.randoms(use_true_random=False))
@settings(max_examples=60)
def test_mining_does_not_depend_on_the_order(texts: list[str], random: object) -> None:
    """The same texts give the same table, to the byte."""
    shuffled = list(texts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert mine(dict.fromkeys(texts, 1)).to_bytes() == mine(dict.fromkeys(shuffled, 1)).to_bytes()


def test_words_that_vary_become_a_value() -> None:
    """Many texts that differ in one word are one template."""
    table = mine({f"user {name} logged in": 3 for name in ("ann", "bob", "cid", "dan", "eve", "fay", "gus", "hal")})
    assert [table.text(number) for number in table] == ["user <*> logged in"]


def test_templates_of_a_base_keep_their_ids() -> None:
    """The next training knows what the last one knew, and adds to it."""
    base = mine({"volume attached": 5})
    table = mine({"volume detached": 5}, base)
    assert set(base) < set(table)


@given(TEXTS, TEXTS)
@settings(max_examples=40)
def test_ids_do_not_depend_on_what_was_seen_before(first: list[str], second: list[str]) -> None:
    """A restart or another worker gives a message the same id."""
    table = mine(dict.fromkeys(first, 1))
    used = matcher(table)
    used.assign(pl.Series(first))
    assert used.assign(pl.Series(second)).ids.tolist() == matcher(table).assign(pl.Series(second)).ids.tolist()


def test_an_unseen_message_has_the_id_of_its_own_text() -> None:
    """It is told once, with its service, and is an event like any other."""
    assigned = matcher(mine({"known": 1})).assign(pl.Series(["quite new 7", "quite new 8"]), pl.Series(["a", "a"]))
    assert set(assigned.ids.tolist()) == {template_id("quite new <*>")}
    assert [(new.text, new.service) for new in assigned.new] == [("quite new <*>", "a")]


def test_ids_are_fixed_for_all_time() -> None:
    """Bundles and topics of today must be readable tomorrow."""
    assert f"{template_id('volume attached'):016x}" == "ce847303c7538d61"


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"\xff", b'{"schema":"other"}\n'])
def test_a_damaged_table_is_refused(damage: bytes) -> None:
    """With advice, not with a traceback."""
    data = mine({"a b": 1}).to_bytes()
    with pytest.raises(InvalidError):
        TemplateTable.from_bytes(damage + data if damage else data[:-3])


def test_a_table_reads_back_as_it_was() -> None:
    """Version and templates survive."""
    table = mine({"volume <*> attached": 4, "port <*> bound": 2})
    again = TemplateTable.from_bytes(table.to_bytes())
    assert again.version == table.version
    assert again.templates == table.templates
