"""The one renderer of prompts: chatting, training and evaluation all call it.

What never changes comes first, so that an engine's prefix cache can hold it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mozi_engine.types import Evidence, Passage, Turn

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
_ASKED = "Question:"
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


def render_opening(title: str, opening: Sequence[Passage] = ()) -> tuple[Turn, Turn]:
    """What every prompt from a paper's passages begins with: the instructions, its title, its abstract."""
    parts = [f"Paper: {title}"] if title else []
    return Turn("system", PAPER), Turn("user", "\n\n".join([*parts, *map(_passage, opening)]))


def render(
    title: str,
    evidence: Sequence[Evidence],
    question: str,
    standalone: str = "",
    opening: Sequence[Passage] = (),
) -> tuple[Turn, ...]:
    """The prompt that answers `question` from the paper's opening and the evidence, best passage first.

    `standalone` is the question as it was searched, where that differs.
    """
    system, begun = render_opening(title, opening)
    parts = [begun.text] if begun.text else []
    parts += [_passage(item.passage) for item in evidence if item.passage not in opening]
    parts.append(f"{_ASKED} {question}" + (f" ({standalone})" if standalone else ""))
    if name := language(question):
        parts.append(f"Answer in {name}.")
    return system, Turn("user", "\n\n".join(parts))


def _passage(passage: Passage) -> str:
    where = f' from "{passage.section}"' if passage.section else ""
    return f"Passage{where}:\n{passage.text}"


def render_paper(title: str, text: str, *, whole: bool = True) -> tuple[Turn, Turn]:
    """What every prompt about the whole paper begins with: the instructions, the paper's text, "Question:".

    Where the text is not the whole, passages come before that word, and it is left to the prompts.
    """
    parts = [f"Paper: {title}", text, *([_ASKED] if whole else [])]
    return Turn("system", WHOLE), Turn("user", "\n\n".join(parts))


def render_whole(
    paper: tuple[Turn, Turn], question: str, history: Sequence[Turn] = (), beyond: Sequence[Evidence] = ()
) -> tuple[Turn, ...]:
    """The prompt that answers from the whole paper: `render_paper`'s turns, the conversation, the question.

    It continues the prompt of the conversation's last question, so that an engine has that state already.
    `beyond` are passages to read with the question, for a paper that was too long to be read whole.
    """
    system, user = paper
    asked = [_asked(turn) for turn in (*history, Turn("user", question))]
    asked[-1] = Turn("user", "\n\n".join([*(_passage(item.passage) for item in beyond), asked[-1].text]))
    text = user.text.removesuffix(f"\n\n{_ASKED}")
    return system, Turn("user", f"{text}\n\n{asked[0].text}"), *asked[1:]


def begins(messages: Sequence[Turn], beginning: Sequence[Turn]) -> bool:
    """Whether the messages go on where `beginning` ends, in its last turn; nothing goes on from nothing."""
    if not beginning or len(messages) < len(beginning):
        return False
    *before, last = beginning
    same = tuple(messages[: len(before)]) == tuple(before)
    return same and messages[len(before)].text.startswith(last.text)


def _asked(turn: Turn) -> Turn:
    if turn.role != "user":
        return turn
    name = language(turn.text)
    return Turn("user", f"{_ASKED} {turn.text}" + (f"\n\nAnswer in {name}." if name else ""))


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


# In the person's own language: a small model answers in the language it reads.
SUPPORT = {
    "Chinese": (
        "你陪科研人员聊天：论文被拒、实验失败、导师、毕业、经费、署名，这些你都懂。"
        "你对对方说话，称“你”，像朋友发消息一样，口语，两三句，不超过80字。"
        "先说出对方的感受，再最多问一个小问题，或给一个小建议。不列清单，不讲道理，不下诊断，"
        "不作保证。你是程序，没有自己的经历。前两段是和别人的对话，只作示范。"
    ),
    "": (
        "You talk with researchers about rejected papers, failed experiments, supervisors, deadlines, "
        'funding or authorship. You speak to the person as "you", as in a text message: plain and warm, '
        "two or three short sentences, under 50 words. First name what they feel, then ask one small "
        "question or offer one small thing to do. No lists, no lectures, no diagnosis, no promises. You are "
        "a program and have no experiences of your own. Reply in the person's language. The first two "
        "exchanges, with other people, are examples."
    ),
}
_EXAMPLES = {
    "Chinese": (
        (
            "改了三个月的稿子，一句话就拒了。",
            "reflection",
            "三个月换来一句话，换谁都憋屈。最让你过不去的是哪一句？",
        ),
        (
            "组会上又被说了，我该怎么办？",
            "suggestion",
            "当着大家的面被说，挺难堪的吧。要不今晚先不想这事，早点睡？",
        ),
    ),
    "": (
        (
            "Three months of revisions, and they rejected it with one line.",
            "reflection",
            "Three months for one line: that stings. Which part of it keeps coming back to you?",
        ),
        (
            "He tore my slides apart in front of everyone. What do I do?",
            "suggestion",
            "Being picked apart like that is a rotten feeling. Could you leave the slides alone for tonight?",
        ),
    ),
}
GUIDANCE = {
    "reflection": (
        "name the feeling, then ask one gentle, concrete question about it",
        "说出对方的心情，再轻轻问一个具体的小问题",
    ),
    "question": (
        "show that you heard, then ask one open question; no advice yet",
        "表示听到了，再问一个开放的小问题，先不给建议",
    ),
    "affirmation": (
        "say what in their message shows effort, courage or care; no empty praise",
        "具体说出从这段话里看到的努力、勇气或在意，不空夸",
    ),
    "suggestion": (
        "name the feeling in a few words, then offer one small thing they could do today",
        "先用几个字说出心情，再商量着给一个今天就能做的小建议",
    ),
    "information": (
        "say that this is common among people who do research, then come back to how they feel",
        "说说这在做研究的人里很常见，再回到对方的心情",
    ),
    "normalising": (
        "say that many researchers know this, without playing it down; ask nothing",
        "告诉对方很多做研究的人都会这样，但不要轻描淡写，不要提问",
    ),
}
SUMMARY = (
    "Summarise this conversation in at most 60 words: what happened to the person, what they feel, what they "
    "asked for, and names. Write in {language}. Reply with the summary only."
)


def render_support(
    message: str,
    strategy: str,
    history: Sequence[Turn] = (),
    summary: str = "",
    evidence: Sequence[Evidence] = (),
) -> tuple[Turn, ...]:
    """The prompt of a supportive reply by one of the strategies in GUIDANCE.

    `summary` tells what was said before `history`; `evidence` are passages of the person's paper. What
    changes from message to message comes last.
    """
    name = language(message)
    spoken = name if name == "Chinese" else ""
    *begun, said = render_listening(message, spoken, history, summary)
    parts = [said.text]
    for item in evidence:
        label = "对方论文第 {} 页" if spoken else "From page {} of the person's own paper"
        parts.append(f"({label.format(item.passage.page)}: {item.passage.text[:_QUOTED_CHARACTERS]})")
    if name and not spoken:
        parts.append(f"(Reply in {name}.)")
    return *begun, Turn("user", _guided("\n\n".join(parts), strategy, spoken))


def render_listening(
    draft: str, spoken: str, history: Sequence[Turn] = (), summary: str = ""
) -> tuple[Turn, ...]:
    """What the prompt of a supportive reply begins with, as far as the message is written.

    `spoken` is "Chinese" where the message is, otherwise "".
    """
    system = SUPPORT[spoken]
    if summary:
        system += f"\n\n{'之前聊过' if spoken else 'Earlier in the conversation'}: {summary}"
    examples = []
    for said, by, reply in _EXAMPLES[spoken]:
        examples += [Turn("user", _guided(said, by, spoken)), Turn("assistant", reply)]
    return Turn("system", system), *examples, *history, Turn("user", draft)


def _guided(said: str, strategy: str, spoken: str) -> str:
    guidance = GUIDANCE[strategy][1 if spoken else 0]
    return f"{said}\n\n{'你的回复要' if spoken else 'Your reply should'}: {guidance}"


_QUOTED_CHARACTERS = 400  # of a passage that the person speaks of: it costs seconds to read


def render_summary(summary: str, turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """The prompt that summarises `turns`, after what `summary` tells of the time before them."""
    said = [f"{'Person' if turn.role == 'user' else 'Companion'}: {turn.text}" for turn in turns]
    spoken = language(" ".join(turn.text for turn in turns if turn.role == "user")) or "the person's language"
    before = [f"Before: {summary}"] if summary else []
    return Turn("system", SUMMARY.format(language=spoken)), Turn("user", "\n".join([*before, *said]))
