"""Masks: values are cut out and kept, words stay."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InvalidError
from models.masks import Masks
from models.records import VALUES

MASKS = Masks.default()


def text(message: str) -> str:
    """Mask one message."""
    masked: str = MASKS.text(pl.Series([message]))[0]
    return masked


@pytest.mark.parametrize(
    ("message", "masked"),
    [
        ("Took 2.19 seconds to build", "Took <*> seconds to build"),
        ("instance 6d2f0f7a-0f4e-4c39-9a54-0e1c9d1f2a3b gone", "instance <*> gone"),
        ("from 10.0.0.1:5672 to fa:16:3e:f2:35:da", "from <*> to <*>"),
        ("name=x phys_ram=16383MB", "name=<*> phys_ram=<*>"),
        ("open /var/lib/nova/instances/a1/disk now", "open <*> now"),
        ("GET http://10.0.0.1:5000/v3/tokens?x=1", "GET <*>"),
        ("at 2026-03-03 12:00:00.5 it was 0x7f3a", "at <*> it was <*>"),
        ("nothing to mask", "nothing to mask"),
    ],
)
def test_values_go_and_words_stay(message: str, masked: str) -> None:
    """What a programmer wrote is left."""
    assert text(message) == masked


@given(st.text(max_size=80))
def test_masking_twice_changes_nothing(message: str) -> None:
    """A masked text holds no value, whatever it was made of."""
    once = text(message)
    assert text(once) == once


def test_numbers_are_kept_in_seconds_and_bytes() -> None:
    """The first four numbers of a line, in its order, units applied; NaN where there are fewer."""
    values = MASKS.numbers(pl.Series(['"GET /x HTTP/1.1" status: 200 len: 1890 time: 250ms', "none"]))
    assert values.shape == (2, VALUES)
    assert values[0, :3].tolist() == [200.0, 1890.0, 0.25]
    assert np.isnan(values[0, 3])
    assert np.isnan(values[1]).all()


def test_a_file_may_add_masks_and_switch_shipped_ones_off(tmp_path: Path) -> None:
    """Own masks come first; the version says that they are others."""
    path = tmp_path / "masks.toml"
    path.write_text('without = ["user"]\n[[mask]]\nname = "ticket"\npattern = "T-[a-z]+"\nreason = "ours"\n')
    masks = Masks.load(path)
    assert masks.text(pl.Series(["ticket T-abc of user joe"])).to_list() == ["ticket <*> of user joe"]
    assert masks.version != MASKS.version


@pytest.mark.parametrize("content", ["[[mask]]\nname = 1", '[[mask]]\nname = "a"\npattern = "("\nreason = "b"', "= ="])
def test_a_wrong_file_is_refused_with_its_name(tmp_path: Path, content: str) -> None:
    """The message names the file, so that one can mend it."""
    path = tmp_path / "masks.toml"
    path.write_text(content)
    with pytest.raises(InvalidError, match=r"masks\.toml|mask"):
        Masks.load(path)


def test_records_keep_masks() -> None:
    """What a bundle stores gives the same masks."""
    assert Masks.from_records(MASKS.records()).version == MASKS.version
