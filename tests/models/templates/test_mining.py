"""Mining: which words of masked texts are values, as a function of the set of texts."""

import random
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from models.templates.masks import VALUE
from models.templates.mining import VARIANTS, Mined, Words, mine_words

NAMES = ("ann", "bob", "cid", "dan", "eve", "fay", "gus", "hal")
WORD = st.sampled_from([*NAMES[:6], "user", "in", "out", VALUE])
SETS = st.sets(st.lists(WORD, min_size=1, max_size=4).map(tuple), max_size=40)


def mined(*texts: str) -> dict[str, tuple[int, ...]]:
    """Templates as texts, with their wild positions."""
    found, overflow = mine_words(dict.fromkeys((tuple(text.split()) for text in texts), 1))
    assert overflow == 0
    return {" ".join(template.words): template.wild for template in found}


def test_a_word_that_varies_enough_is_a_value() -> None:
    """Fewer different words are names of states or cases, and stay templates of their own."""
    few = [f"user {name} logged in" for name in NAMES[: VARIANTS - 1]]
    assert mined(*few) == dict.fromkeys(few, ())
    assert mined(*few, f"user {NAMES[VARIANTS]} logged in") == {"user <*> logged in": (1,)}


def test_words_that_vary_one_beside_the_other_are_found() -> None:
    """Where each varies while the other stays the same, both are values."""
    texts = [f"user {name} of {other} logged in" for name in NAMES for other in NAMES]
    assert mined(*texts) == {"user <*> of <*> logged in": (1, 3)}


def test_texts_of_different_length_are_never_one_template() -> None:
    """However alike they are."""
    texts = [f"done {name}" for name in NAMES] + [f"done {name} again" for name in NAMES]
    assert set(mined(*texts)) == {"done <*>", "done <*> again"}


def test_a_text_of_values_alone_is_no_evidence() -> None:
    """Of one word, or one beside nothing but values, nothing says that it is a value."""
    assert len(mined(*NAMES)) == len(NAMES)
    assert len(mined(*(f"<*> {name} <*>" for name in NAMES))) == len(NAMES)


def test_what_masks_cut_out_is_not_wild() -> None:
    """Only positions that mining found are: the others are equal in every text."""
    assert mined(*(f"user {name} took <*>" for name in NAMES)) == {"user <*> took <*>": (1,)}


def test_of_very_many_texts_the_most_frequent_are_looked_at() -> None:
    """The rest is counted; ties are broken by the text, so the choice is the same in every run."""
    counts: dict[Words, int] = {("seldom", name): 1 for name in NAMES}
    counts.update({("often", name): 10 for name in NAMES[:3]})
    found, overflow = mine_words(counts, limit=5)
    assert overflow == 6
    assert {template.words for template in found} == {
        *(("often", name) for name in NAMES[:3]),
        *(("seldom", name) for name in NAMES[:2]),
    }


@given(SETS, st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_the_result_is_a_function_of_the_set(texts: set[Words], random: object) -> None:
    """Neither order nor counts matter."""
    first, again = sorted(texts), sorted(texts)
    random.shuffle(again)  # type: ignore[attr-defined]
    assert mine_words(dict.fromkeys(first, 1)) == mine_words({text: n + 1 for n, text in enumerate(again)})


@given(SETS)
@settings(max_examples=80, deadline=None)
def test_every_text_has_a_template_that_it_was_written_with(texts: set[Words]) -> None:
    """With its own words but for values, at the positions that are called wild."""
    found, _ = mine_words(dict.fromkeys(texts, 1))
    for text in texts:
        assert any(written(template, text) for template in found), text
    for template in found:
        assert all(template.words[i] == VALUE for i in template.wild)
        assert any(written(template, text) for text in texts)


def written(template: Mined, text: Words) -> bool:
    """Whether the template fits the text."""
    return len(template.words) == len(text) and all(
        i in template.wild or ours == theirs for i, (ours, theirs) in enumerate(zip(template.words, text, strict=True))
    )


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 10**6))
def test_words_that_vary_freely_at_several_places_are_values(seed: int) -> None:
    """Though hardly any two texts differ in one word only; the seed chooses the words."""
    rng = random.Random(seed)

    def name() -> str:
        return "".join(rng.choices("abcdefghijkl", k=7))

    people, nodes = ([name() for _ in range(300)] for _ in range(2))
    texts = [f"Pod {rng.choice(people)} bound to node {rng.choice(nodes)} by {rng.choice(people)}" for _ in range(1500)]
    texts += [f"Rebuild of {name()} from {name()} finished" for _ in range(300)]
    texts += [f"Moved {name()} from {name()} to {name()} because of load" for _ in range(300)]
    assert set(mined(*texts)) == {
        "Pod <*> bound to node <*> by <*>",
        "Rebuild of <*> from <*> finished",
        "Moved <*> from <*> to <*> because of load",
    }


def random_names(rng: random.Random, count: int) -> list[str]:
    """Words that no other text has."""
    return ["".join(rng.choices("abcdefghijkl", k=7)) for _ in range(count)]


@given(st.integers(0, 10**6))
def test_a_text_may_begin_or_end_with_a_word_that_varies_freely(seed: int) -> None:
    """One end that stays is enough."""
    rng = random.Random(seed)
    people, hosts = random_names(rng, 300), random_names(rng, 300)
    texts = [f"{one} was moved to {other} because of load" for one, other in zip(people, hosts, strict=True)]
    texts += [f"Evacuation of all guests of {one} ends on {other}" for one, other in zip(people, hosts, strict=True)]
    assert set(mined(*texts)) == {
        "<*> was moved to <*> because of load",
        "Evacuation of all guests of <*> ends on <*>",
    }


@given(st.integers(0, 10**6))
def test_what_varies_in_one_text_does_so_in_another_that_differs_in_one_word(seed: int) -> None:
    """Few texts of a kind are no evidence alone, but beside many of their like."""
    rng = random.Random(seed)
    names = random_names(rng, 600)
    texts = [f"Clients: SPP opened {a} of {b} again" for a, b in pairwise(names[:200])]
    texts += [f"Clients: DISM opened {a} of {b} again" for a, b in pairwise(names[200:206])]
    texts += [f"Clients: DISM closed {a} of {b} soon" for a, b in pairwise(names[300:306])]
    templates = set(mined(*texts))
    assert {"Clients: SPP opened <*> of <*> again", "Clients: DISM opened <*> of <*> again"} <= templates
    assert len(templates) == 7


def test_units_of_one_measure_are_one_template() -> None:
    """Which unit a size or duration has says how large it is; other words behind a value stay, however few."""
    sizes = [f"sent (<*> {a}), got <*> {b} in all" for a in ("KB", "MB") for b in ("B", "KB", "GB")]
    assert set(mined(*sizes)) == {"sent (<*> <*> got <*> <*> in all"}
    assert set(mined("took <*> ms", "took <*> s")) == {"took <*> <*>"}
    words = ["found <*> errors", "found <*> warnings", "took ms", "took s"]
    assert set(mined(*words)) == set(words)


def test_few_texts_and_few_common_words_stay_as_they_are() -> None:
    """What merely has a begin in common is no template."""
    few = [f"Failed to {verb} {noun} now" for verb, noun in zip(NAMES, reversed(NAMES), strict=True)]
    assert set(mined(*few)) == set(few)
    many = [f"Failed {a}{i} {b}{i} {a}{b}{i}" for i in "mnopq" for a, b in pairwise(NAMES)]
    assert set(mined(*many)) == set(many)
