"""Formulas in Markdown."""

from __future__ import annotations

import pytest

from mozi_cli.tui.markup import parser, signs


def texts(source: str) -> str:
    return "".join(child.content for token in parser().parse(source) for child in token.children or ())


@pytest.mark.parametrize(
    ("formula", "shown"), [(r"\alpha \leq 1", "α≤1"), (r"x^2", "x^2"), (r"\frac{a}{b}", "a/b"), ("{", "")]
)
def test_tex_is_shown_as_signs(formula: str, shown: str) -> None:
    assert signs(formula) == shown


def test_a_formula_is_not_taken_for_emphasis() -> None:
    assert texts("so $a_i * b_i * c_i$ holds") == "so a_i * b_i * c_i holds"


def test_prices_are_no_formulas() -> None:
    assert texts("it costs $5 or $6.") == "it costs $5 or $6."


def test_a_formula_of_its_own_is_a_block() -> None:
    (block,) = parser().parse("$$\n\\beta\n$$")
    assert (block.type, block.content) == ("fence", "β\n")
