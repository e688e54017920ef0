from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mozi_engine.datasets import latex


def test_what_says_nothing_goes_and_formulas_stay() -> None:
    text = (
        "\\documentclass{article}\n\\newcommand{\\x}{y}\n\\begin{document}\r\n"
        "\\section{One}\\label{sec:one}\n% a comment\nFifty \\% of $x^2$ % said so\nis.\n\n\n\n\n"
        "\\begin{comment}\nno\n\\end{comment}\\bibliography{all}\x00"
        "\\begin{thebibliography}{9}\\bibitem{a} A.\\end{thebibliography}\n\\end{document}\nafter"
    )
    assert latex.clean(text) == "\\section{One}\nFifty \\% of $x^2$ \nis.".replace(" \n", "\n")


@given(st.text())
def test_cleaning_twice_changes_nothing_more_and_never_fails(text: str) -> None:
    once = latex.clean("no body: " + text.replace("\\begin{document}", ""))
    assert "\n\n\n" not in once
    assert once == once.strip()


@pytest.mark.parametrize(
    ("text", "is_source"),
    [
        ("\\section{One}", True),
        ("\ufeff\n% a comment\n  %\n \\documentclass{article}", True),
        ("A Title\n\n\\section{One}", False),
        ("We see that $\\begin{array}{c}\\mathbf {x}\\end{array}$", False),
        ("\\", False),
        ("% " * 10_000 + "\n$", False),
        ("", False),
    ],
)
def test_a_source_begins_with_a_command(text: str, is_source: bool) -> None:
    assert latex.is_source(text) is is_source


def test_a_main_file_holds_what_it_inputs(tmp_path: Path) -> None:
    (tmp_path / "main.tex").write_text(
        "\\documentclass{a}\\begin{document}\\input{intro}\n% \\input{secret}\n\\input{../outside}\\input{none}\\end{document}"
    )
    (tmp_path / "intro.tex").write_text("Hello \\input{main}")
    (tmp_path / "secret.tex").write_text("secret")
    (tmp_path.parent / "outside.tex").write_text("outside")
    text = latex.assemble(tmp_path / "main.tex")
    assert latex.is_main(text)
    assert "Hello" in text
    assert "secret" not in text
    assert "outside" not in text


@pytest.mark.parametrize("text", ["", "\\begin{document}", "%", "\\begin{comment}", "\\end{document}"])
def test_next_to_nothing(text: str) -> None:
    assert latex.clean(text) in ("", text)
