from __future__ import annotations

import pytest

from cybersecqwen.core.cvss import base_score, canonical_vector
from cybersecqwen.core.errors import InputError

WORST = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H"


@pytest.mark.parametrize(
    "text",
    [
        WORST,
        "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H",
        "av:n/ac:l/pr:n/ui:n/s:c/c:h/i:h/a:h",
        " AV: N / AC: L / PR: N / UI: N / S: C / C: H / I: H / A: H ",
        "A:H/I:H/C:H/S:C/UI:N/PR:N/AC:L/AV:N",
    ],
)
def test_forgives_how_models_write(text: str) -> None:
    assert canonical_vector(text) == WORST


@pytest.mark.parametrize(
    "text",
    [
        "",
        "AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H",  # a metric missing
        "AV:N/AV:N/PR:N/UI:N/S:C/C:H/I:H/A:H",  # one named twice
        "AV:X/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H",  # no such value
        "AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:HIGH",
        "AV:N/AC:L/Au:N/C:C/I:C/A:C",  # version 2
    ],
)
def test_refuses_what_is_no_base_vector(text: str) -> None:
    assert canonical_vector(text) is None


def test_scores_are_those_of_the_specification() -> None:
    assert base_score(WORST) == 10.0
    assert base_score("AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H") == 9.8
    assert base_score("AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N") == 6.1
    assert base_score("AV:L/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:H") == 5.5
    assert base_score("AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N") == 0.0
    with pytest.raises(InputError, match="not a CVSS"):
        base_score("high")
