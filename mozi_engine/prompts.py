"""The one renderer of prompts: chatting, training and evaluation all call it.

What never changes comes first, so that an engine's prefix cache can hold it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mozi_engine.types import Evidence, Turn

# A 1.5-billion-parameter model follows few, plain instructions.
PAPER = (
    "You answer questions about a scientific paper, using only the passages of it that you are given. "
    "Answer with a short phrase or one sentence, in the passages' own words; explain only when asked to. "
    "If the passages do not contain the answer, reply exactly: Not in the paper."
)
WHOLE = (
    "You answer questions about the scientific paper that you are given. "
    "Answer with a short phrase or one sentence, in the paper's own words; explain only when asked to. "
    "If the paper does not contain the answer, reply exactly: Not in the paper."
)
STANDALONE = (
    "Rewrite the user's last question as one complete question in {language} that can be understood without "
    "the conversation. Do not answer it. Reply with the question only."
)

# A small model needs its language named: "the question's language" is too vague for it.
_SCRIPTS = (
    ("Japanese", re.compile(r"[\u3040-\u30ff]")),
    ("Korean", re.compile(r"[\uac00-\ud7af\u1100-\u11ff]")),
    ("Chinese", re.compile(r"[\u4e00-\u9fff\u3400-\u4dbf]")),
    ("Russian", re.compile(r"[\u0400-\u04ff]")),
    ("Arabic", re.compile(r"[\u0600-\u06ff]")),
    ("Hindi", re.compile(r"[\u0900-\u097f]")),
    ("Greek", re.compile(r"[\u0370-\u03ff]")),
)


def language(text: str) -> str:
    """The language that the text's script points to; "" for Latin script, which points to none.

    A few Greek letters in an English sentence are mathematics: a tenth of the letters must be of the script.
    """
    letters = sum(character.isalpha() for character in text)
    for name, script in _SCRIPTS:
        if len(script.findall(text)) * 10 > letters:
            return name
    return ""


def render(title: str, evidence: Sequence[Evidence], question: str, standalone: str = "") -> tuple[Turn, ...]:
    """The prompt that answers `question` from the evidence, best passage first.

    `standalone` is the question as it was searched, where that differs.
    """
    parts = [f"Paper: {title}"] if title else []
    parts += [_passage(item) for item in evidence]
    parts.append(f"Question: {question}" + (f" ({standalone})" if standalone else ""))
    if name := language(question):
        parts.append(f"Answer in {name}.")
    return Turn("system", PAPER), Turn("user", "\n\n".join(parts))


def _passage(item: Evidence) -> str:
    section = item.passage.section
    return f'Passage from "{section}":\n{item.passage.text}' if section else f"Passage:\n{item.passage.text}"


def render_paper(title: str, text: str) -> tuple[Turn, Turn]:
    """What every prompt about the whole paper begins with: the instructions, and the paper's text."""
    return Turn("system", WHOLE), Turn("user", f"Paper: {title}\n\n{text}")


def render_whole(
    paper: tuple[Turn, Turn], question: str, history: Sequence[Turn] = (), beyond: Sequence[Evidence] = ()
) -> tuple[Turn, ...]:
    """The prompt that answers from the whole paper: `render_paper`'s turns, the conversation, the question.

    It continues the prompt of the conversation's last question, so that an engine has that state already.
    `beyond` are passages to read with the question, for a paper that was too long to be read whole.
    """
    system, user = paper
    asked = [_asked(turn) for turn in (*history, Turn("user", question))]
    asked[-1] = Turn("user", "\n\n".join([*map(_passage, beyond), asked[-1].text]))
    return system, Turn("user", f"{user.text}\n\n{asked[0].text}"), *asked[1:]


def _asked(turn: Turn) -> Turn:
    if turn.role != "user":
        return turn
    name = language(turn.text)
    return Turn("user", f"Question: {turn.text}" + (f"\n\nAnswer in {name}." if name else ""))


def render_standalone(history: Sequence[Turn], question: str, language: str) -> tuple[Turn, ...]:
    """The prompt that turns a follow-up, or a question in another language, into one that can be searched."""
    turns = [*history, Turn("user", question)]
    conversation = "\n".join(f"{turn.role.capitalize()}: {turn.text}" for turn in turns)
    instructions = STANDALONE.format(language=language)
    return Turn("system", instructions), Turn("user", f"{conversation}\n\nComplete question in {language}:")


def render_task(instruction: str, text: str = "") -> tuple[Turn, ...]:
    """The prompt of a task that is about no paper: what to do, then the text to do it with, if any."""
    return (Turn("user", f"{instruction}\n\n{text}" if text else instruction),)


def render_yes_no(examples: Sequence[tuple[str, str, bool]], evidence: str, question: str) -> str:
    """A text that a base model continues with Yes or No, after examples of (evidence, question, answer)."""
    asked = [_yes_no(*example[:2], "Yes" if example[2] else "No") for example in examples]
    return "\n\n".join(["Answer the question with Yes or No.", *asked, _yes_no(evidence, question, "")])


def _yes_no(evidence: str, question: str, answer: str) -> str:
    return f"Evidence: {evidence}\nQuestion: {question}\nAnswer:\n{answer}"
