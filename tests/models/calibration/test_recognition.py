"""Recognition: whether a bundle and logs belong together."""

import numpy as np
import pytest

from models.calibration.recognition import describe_recognition, regular_services, some_names
from models.features.sequences import SHARED
from models.features.window_features import Groups

OTHERS = (
    "2 services of the bundle (keystone, nova-api), 0 of them in these logs, which hold log/keystone, log/nova: "
    "only errors count; train on these logs, or name the files as in training"
)


def test_services_that_write_in_a_tenth_of_the_steps_are_regular() -> None:
    """Measured by the windows over everything that training saw; without any, nobody is expected."""
    groups = Groups(["a", "b", "c"])
    seen = np.zeros(len(groups), np.int64)
    seen[[SHARED, groups.number("a"), groups.number("b"), groups.number("c")]] = [1000, 990, 100, 99]
    assert regular_services(groups, seen) == ("a", "b")
    seen[SHARED] = 0
    assert regular_services(groups, seen) == ()


@pytest.mark.parametrize(
    ("present", "expected", "told"),
    [
        ({"nova-api", "keystone"}, {"nova-api", "keystone"}, []),
        ({"nova-api"}, {"nova-api"}, []),
        (set(), {"nova-api"}, ["2 services of the bundle, 0 of them in these logs; missing: nova-api"]),
        (
            {"nova-api"},
            {"nova-api", "keystone"},
            ["2 services of the bundle, 1 of them in these logs; missing: keystone"],
        ),
        (
            {"nova-api", "heat"},
            {"nova-api"},
            ["1 service is not in the bundle, so only its errors count: heat"],
        ),
        (
            {"log/nova", "log/keystone"},
            {"nova-api"},
            [OTHERS],
        ),
    ],
)
def test_what_does_not_belong_together_is_told(present: set[str], expected: set[str], told: list[str]) -> None:
    """Who is missing, who is unknown, and where nothing fits, that."""
    assert list(describe_recognition({"nova-api", "keystone"}, present, expected)) == told


def test_of_many_names_five_are_shown() -> None:
    """The others are counted."""
    assert some_names([f"s{i}" for i in range(8)]) == "s0, s1, s2, s3, s4 and 3 more"
