"""Templates: ids that depend on nothing but the text, mining in any order, hard caps."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import InvalidError
from models.templates.masks import Masks
from models.templates.matcher import MAX_WORDS, TemplateLimits, TemplateMatcher, TemplateTable, mine, template_id
from models.templates.mining import Mined

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


@given(TEXTS)
@settings(max_examples=60)
def test_every_text_that_was_mined_matches_a_template_of_the_table(texts: list[str]) -> None:
    """What training saw is known when it comes again."""
    masked = Masks.default().text(pl.Series(texts))
    table = mine(dict.fromkeys(masked.to_list(), 1))
    ids = matcher(table).assign(pl.Series(texts)).ids.tolist()
    assert all(table.text(number) is not None for number in ids)


def test_the_template_with_the_fewest_values_wins() -> None:
    """A text that is a template of its own is not taken for a case of a wider one."""
    wide = [Mined(("user", "<*>", "logged", "<*>"), (1, 3)), Mined(("user", "<*>", "logged", "in"), (1,))]
    table = TemplateTable([*wide, Mined(("user", "root", "logged", "in"), ())])
    found = [
        table.match(tuple(text.split())) for text in ("user root logged in", "user x logged in", "user x logged y")
    ]
    assert [table.text(number or 0) for number in found] == [
        "user root logged in",
        "user <*> logged in",
        "user <*> logged <*>",
    ]
    assert table.match(("user", "x")) is None


def test_a_text_without_end_is_cut() -> None:
    """What a very long message has beyond so many words is one value."""
    long = " ".join(["word"] * (MAX_WORDS + 1))
    longer = " ".join(["word"] * 10 * MAX_WORDS)
    exact = " ".join(["word"] * MAX_WORDS)
    ids = matcher(TemplateTable([])).assign(pl.Series([long, longer, exact])).ids.tolist()
    assert ids == [template_id(" ".join(["word"] * (MAX_WORDS - 1) + ["<*>"]))] * 2 + [template_id(exact)]
    assert matcher(mine({longer: 1})).assign(pl.Series([long])).new == []


def test_spaces_do_not_matter() -> None:
    """Nor does an empty message: it has an id too."""
    ids = matcher(TemplateTable([])).assign(pl.Series(["a  b", " a b ", "a\tb", ""])).ids.tolist()
    assert ids == [template_id("a b")] * 3 + [template_id("")]
    assert 0 not in ids


def test_a_service_that_floods_with_new_texts_is_told_of_up_to_a_cap() -> None:
    """Lines above the cap are counted and keep their ids; other services are not touched, and nothing is told twice."""
    one = matcher(TemplateTable([]), TemplateLimits(new_per_service=3))
    texts = [f"{letter} happened" for letter in "abcdefgh"]
    flood = one.assign(pl.Series([*texts, texts[-1]]), pl.Series(["noisy"] * 9))
    assert len(flood.new) == 3
    assert flood.overflow >= 5
    assert flood.ids.tolist() == [template_id(text) for text in [*texts, texts[-1]]]
    quiet = one.assign(pl.Series(["z happened", *texts[:1]]), pl.Series(["quiet", "quiet"]))
    assert [new.text for new in quiet.new] == sorted(["z happened", texts[0]], key=template_id)
    assert quiet.overflow == 0
    assert one.assign(pl.Series(["z happened"]), pl.Series(["quiet"])).new == []


def test_the_matcher_knows_the_text_of_what_it_met() -> None:
    """Of the table's templates, of new ones, and "" of ids that it never gave."""
    one = matcher(mine({"volume attached": 1}))
    one.assign(pl.Series(["port 7 bound"]))
    numbers = [template_id(text) for text in ("volume attached", "port <*> bound", "never met")]
    assert [one.text(number) for number in numbers] == ["volume attached", "port <*> bound", ""]


def test_what_mining_left_out_is_counted_and_kept_with_the_table() -> None:
    """The version says that the tables differ."""
    whole, cut = (TemplateTable([Mined(("a",), ())], overflow) for overflow in (0, 7))
    assert TemplateTable.from_bytes(cut.to_bytes()).overflow == 7
    assert cut.version != whole.version


def test_a_base_template_is_not_mined_again() -> None:
    """Texts that it matches are its own, so they make no narrower template beside it."""
    base = mine({f"user {name} logged in": 1 for name in "abcdef"})
    again = mine({"user gus logged in": 9, "user logged out": 1}, base)
    assert [again.text(number) for number in again] == ["user <*> logged in", "user logged out"]
