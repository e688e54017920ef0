"""How answers are parsed: GitHub's Markdown, with `$formulas$` shown as the signs they stand for."""

from __future__ import annotations

from collections.abc import Iterator

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin

_MATH = ("math_inline", "math_inline_double")
_MATH_BLOCKS = ("math_block", "math_block_label")


def parser() -> MarkdownIt:
    """A parser for Textual's Markdown widget, which knows of text, code and the like, but not of formulas."""
    markdown = MarkdownIt("gfm-like")
    # A price is no formula: "$5 and $6" has a space or a digit where a formula's end would be.
    dollarmath_plugin(markdown, allow_space=False, allow_digits=False, double_inline=True)
    markdown.core.ruler.push("legible_math", _legible)
    return markdown


def _legible(state: StateCore) -> None:
    state.tokens = [token for block in state.tokens for token in _shown(block)]


def _shown(block: Token) -> Iterator[Token]:
    for child in block.children or ():
        if child.type in _MATH:
            child.type, child.content = "text", signs(child.content)
    if block.type in _MATH_BLOCKS:
        block.type, block.tag, block.info = "fence", "code", ""
        block.content = signs(block.content.strip()) + "\n"
    yield block


def signs(formula: str) -> str:
    r"""TeX as Unicode: "\alpha \leq 1" is "α≤1". What is not understood stays as it is."""
    # Here, so that only who meets a formula waits for it.
    from pylatexenc.latex2text import LatexNodes2Text

    return str(LatexNodes2Text(math_mode="text", strict_latex_spaces=False).latex_to_text(formula)).strip()
