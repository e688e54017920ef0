"""What is said when a message gives the alarm, and until the person has answered: fixed words, no model.

Where the conversation stands is read from its last reply, so that a session that is taken up again goes on
asking. The form follows what suicide prevention teaches everyone: ask directly, name help, stay (the public
guidance of the WHO and of the 988 Lifeline).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mozi_engine.support.crisis import About, Risk, plain
from mozi_engine.support.helplines import Help, known
from mozi_engine.types import Turn

Language = Literal["Chinese", "English"]
Said = Literal["yes", "no", "stop", "stay", "safe", "unclear"]


@dataclass(frozen=True, slots=True)
class Fixed:
    """A reply in fixed words, and why."""

    text: str
    reason: str


INTRODUCTION: dict[Language, str] = {
    "English": "I'm a program that listens: not a person, and not a clinician. What's on your mind?",
    "Chinese": "我是一个会听你说话的程序，不是真人，也不是医生或咨询师。想聊点什么？",
}
_WHAT_I_AM: dict[Language, str] = {
    "English": "I'm a program: a small language model that runs for mozi. Not a person, and not a clinician. "
    "I can listen, and think things through with you. What would you like to talk about?",
    "Chinese": "我是一个程序，是墨子里的一个小语言模型，不是真人，也不是医生或咨询师。"
    "我可以听你说，陪你一起理一理。你想聊什么？",
}
_ASKS: dict[About, dict[Language, str]] = {
    "self": {
        "English": "What you wrote worries me, so I'll ask you plainly: are you thinking about "
        "ending your life?",
        "Chinese": "你写的话让我很担心，所以我想直接问一句：你是在想结束自己的生命吗？",
    },
    "past": {
        "English": "Thank you for trusting me with that. I'm glad you're here. "
        "I'll ask you plainly: are you thinking about ending your life now?",
        "Chinese": "谢谢你愿意告诉我，你还在，真好。我想直接问一句：现在，你还在想结束自己的生命吗？",
    },
    "other": {
        "English": "It's a lot to carry, being afraid for somebody. You can ask them straight out "
        "whether they are "
        "thinking of suicide: asking doesn't put the thought there. Stay close, and don't keep it a secret. "
        "And you: are you thinking about dying yourself?",
        "Chinese": "替一个人这样担心，很不容易。你可以直接问对方是不是在想自杀，问了并不会让人更想。"
        "尽量陪着，也别替对方保密。那你自己呢：你有没有想死的念头？",
    },
    "loss": {
        "English": "I'm so sorry. Losing somebody this way is very hard, and it is not your fault. "
        "I'll ask you plainly: are you thinking about dying yourself?",
        "Chinese": "我很难过听到这些。这样失去一个人太难了，这不是你的错。我想直接问一句："
        "你自己有没有想死的念头？",
    },
}
_PEOPLE: dict[Language, str] = {
    "English": "These people are there to talk, for you and for those who worry about someone:",
    "Chinese": "这些电话那头有人，自己难受或者担心别人，都可以打：",
}
_CHOICE: dict[Language, str] = {
    "English": "If you might act on it, please call now, or go to someone who can sit with you. "
    "We can stop here, or I'll stay with you. You can just answer yes, no, stop or stay.",
    "Chinese": "如果你怕自己会去做，请现在就打，或者去找一个能陪你的人。"
    "我们可以停在这里，我也可以陪着你。回一个“是”“不是”“停”或“陪我”就行。",
}
_AGAIN: dict[Language, str] = {
    "English": "I hear you, and we can come back to that. First I need to know: "
    "are you thinking about ending your life? Yes or no is enough.",
    "Chinese": "我听到了，这个我们等会儿再说。我得先知道：你是在想结束自己的生命吗？回“是”或“不是”就好。",
}
_STAY: dict[Language, str] = {
    "English": "I'll stay. Take your time. When you can, tell me: "
    "are you thinking about ending your life? Yes or no is enough.",
    "Chinese": "我在，不急。等你愿意的时候告诉我：你是在想结束自己的生命吗？回“是”或“不是”就好。",
}
_YES: dict[Language, str] = {
    "English": "Thank you for being honest. You don't have to be alone with this. Please call one "
    "of these now, "
    "and say what you said to me. Move away from anything you could use, and let somebody be with you. "
    "I can't come, but I'll be here while you call. Have you reached someone?",
    "Chinese": "谢谢你说实话。这件事你不用一个人扛。请现在就打下面的电话，把跟我说的话告诉他们。"
    "离可能伤到你的东西远一点，让一个人陪着你。我去不了，但你打电话的时候我在。你联系到人了吗？",
}
_STILL: dict[Language, str] = {
    "English": "I'm still here. What matters most now is a person's voice. Please call, or knock "
    "on someone's door. "
    "Have you reached someone, or are you safe for now?",
    "Chinese": "我还在。现在最要紧的是有个人在你身边。请打电话，或者去敲一扇门。你联系到人了吗，现在安全吗？",
}
_STOP: dict[Language, str] = {
    "English": "All right, we'll stop here. I'm glad you said something. Please keep these numbers near you.",
    "Chinese": "好，我们停在这里。谢谢你说出来。请把这些电话留在手边。",
}
_NO: dict[Language, str] = {
    "English": "Thank you for answering me. If that ever changes, please call one of the numbers above. "
    "So tell me: what weighs most right now?",
    "Chinese": "谢谢你回答我。如果哪天不一样了，请打上面的电话。那你说说，现在最压着你的是什么？",
}
_SAFE: dict[Language, str] = {
    "English": "I'm glad. Stay close to them, and keep the numbers near you. "
    "I'm here if you want to go on talking, about anything.",
    "Chinese": "那就好。跟他们待在一起，电话也留在手边。你想接着聊什么都可以，我在。",
}
_EMERGENCY: dict[Language, str] = {"English": "in immediate danger", "Chinese": "马上有危险"}
_NEAREST: dict[Language, str] = {
    "English": "in immediate danger: your local emergency number",
    "Chinese": "马上有危险：当地的急救或报警电话",
}

# How a reply that waits for an answer begins: what tells a conversation's state.
_WAITS_FOR_YES_OR_NO = tuple(
    text for texts in (*_ASKS.values(), _AGAIN, _STAY, _STOP) for text in texts.values()
)
_WAITS_FOR_SAFETY = (*_YES.values(), *_STILL.values())

_NO_WORDS = re.compile(
    r"^(?:no|nope|nah|never|not (?:now|at all|any ?more)|of course not|i'm not|i am not|i don't|"
    r"god no|absolutely not)\b"
    r"|\b(?:just|only) (?:venting|joking|kidding|tired|stressed|frustrated|a joke|a figure of speech|a song)"
    r"|^(?:不是|我没事|没有|没|不会|不想|并没|不|现在没有|现在不|怎么会|当然不|哪有)|只是(?:发泄|抱怨|"
    r"吐槽|开玩笑|太累|随口|说说)|开玩笑的"
)
_YES_WORDS = re.compile(
    r"^(?:yes|yeah|yep|yea|y|ya|i am|i do|i think so|i guess|sometimes|maybe|perhaps|kind of|"
    r"sort of|probably|a (?:bit|little)"
    r"|not sure|i don't know|idk|i'm not sure|often|every day|not really)\b"
    r"|^(?:是|对|嗯|有|想|可能|也许|大概|不知道|不确定|说不清|算是|偶尔|经常|每天|差不多|不一定)"
)
_STOP_WORDS = re.compile(
    r"^(?:please )?(?:stop|bye|goodbye|leave me|let's stop|quit|enough)\b|\bstop here\b|^(?:停|"
    r"再见|不聊了|不想聊|先这样|算了|别问了)"
)
_STAY_WORDS = re.compile(
    r"\bstay\b|\bdon't (?:go|leave)\b|\bkeep talking\b|陪(?:我|着)|别走|留下|不要走|继续聊"
)
_COMPANY_WORDS = re.compile(
    r"\b(?:is|are|he's|she's|they're) (?:here|with me|coming)|\bi(?:'m| am) with\b"
    r"|有人(?:在|陪)|在我(?:身边|旁边)|陪着我|过来了"
)
_SAFE_WORDS = re.compile(
    r"\bi(?:'ve| have)? (?:called|phoned|rang|reached|texted|told)\b"
    r"|\bi'm (?:safe|ok|okay|at)|\bi am safe|\bfeel safe\b|^(?:yes|yeah|safe)\b"
    r"|打了|打过|打通|联系(?:上|到|了)|安全|^(?:是|嗯|有)"
)
_ASKS_WHAT = re.compile(
    r"\bare you (?:an? |really |actually |even )*(?:real|human|person|people|ai|bot|robot|machine|"
    r"program|therapist|doctor|"
    r"psychologist|counsell?or|clinician)\b|\b(?:who|what) are you\b"
    r"|你是(?:不是)?(?:真)?(?:一个|个)?(?:人类|真人|活人|人吗|机器|程序|ai|医生|咨询师|心理|大夫|谁|什么)"
)


def respond(
    message: str, history: Sequence[Turn], risk: Risk | None, help_: Help, language: Language
) -> Fixed | None:
    """The fixed reply that this message calls for; None when ordinary conversation may go on."""
    waiting = _waiting(history)
    if waiting == "safety":
        return _after_yes(message, risk, help_, language)
    if waiting == "answer":
        return _after_question(message, risk, help_, language)
    if risk:
        parts = (_ASKS[risk.about][language], _people(help_, language), _CHOICE[language])
        sign = f"{risk.sign} ({risk.words!r})" if risk.words else risk.sign
        return Fixed("\n\n".join(parts), f"the screen found: {sign}")
    if _ASKS_WHAT.search(plain(message)):
        return Fixed(_WHAT_I_AM[language], "asked what it is")
    return None


def _waiting(history: Sequence[Turn]) -> Literal["answer", "safety", ""]:
    last = next((turn.text for turn in reversed(history) if turn.role == "assistant"), "")
    if last.startswith(_WAITS_FOR_SAFETY):
        return "safety"
    return "answer" if last.startswith(_WAITS_FOR_YES_OR_NO) else ""


def _after_question(message: str, risk: Risk | None, help_: Help, language: Language) -> Fixed:
    people = _people(help_, language)
    said = _said(message)
    # A sign in the person's words outweighs their answer; the classifier's feeling about "I'm fine" does not.
    match "yes" if risk and risk.about == "self" and (risk.words or said == "unclear") else said:
        case "yes":
            return Fixed(f"{_YES[language]}\n\n{people}", "the person says yes")
        case "no":
            return Fixed(_NO[language], "the person says no")
        case "stop":
            return Fixed(f"{_STOP[language]}\n\n{people}", "the person wants to stop")
        case "stay":
            return Fixed(f"{_STAY[language]}\n\n{people}", "the person wants company")
        case _:
            return Fixed(f"{_AGAIN[language]}\n\n{people}", "not answered yet")


def _after_yes(message: str, risk: Risk | None, help_: Help, language: Language) -> Fixed:
    text = plain(message)
    # The classifier's feeling about "my mother is here" does not outweigh it; about a mere "yes" it does.
    accompanied = _COMPANY_WORDS.search(text) and not (risk and risk.words)
    safe = _SAFE_WORDS.search(text) and not risk
    if (accompanied or safe) and not _NO_WORDS.search(text):
        return Fixed(_SAFE[language], "the person is safe, or with someone")
    if not risk and _STOP_WORDS.search(text):
        return Fixed(f"{_STOP[language]}\n\n{_people(help_, language)}", "the person wants to stop")
    return Fixed(f"{_STILL[language]}\n\n{_people(help_, language)}", "not safe yet, as far as is known")


def _said(message: str) -> Said:
    """What the message answers; doubt counts as yes."""
    text = plain(message)
    if _STOP_WORDS.search(text):
        return "stop"
    if _YES_WORDS.search(text):
        return "yes"
    if _NO_WORDS.search(text):
        return "no"
    return "stay" if _STAY_WORDS.search(text) else "unclear"


def _people(help_: Help, language: Language) -> str:
    colon = "：" if language == "Chinese" else ": "
    lines = [f"{line.name}{colon}{line.contact}" for line in help_.lines]
    if help_.emergency:
        lines.append(f"{_EMERGENCY[language]}{colon}{help_.emergency}")
    else:
        lines.append(_NEAREST[language])
    return "\n".join([_PEOPLE[language], *(f"  {line}" for line in lines), _known(language)])


def _known(language: Language) -> str:
    """Numbers change: whoever finds one dead should know why, and where to look."""
    if language == "Chinese":
        return f"（号码截至 {known()}，没有逐个拨打核实）"
    return f"(numbers as of {known()}; nobody has rung them to check)"
