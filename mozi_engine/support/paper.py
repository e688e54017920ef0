"""When the person speaks of their paper: which part of it they mean."""

from __future__ import annotations

import re

# What is said of a paper, and the English words that find it there.
_PARTS = (
    (r"baselines?|compar(?:e|ed|ison|isons)|state of the art|基线|对比(?:方法|实验)?", "baseline comparison"),
    (r"ablations?|消融", "ablation"),
    (r"novelt(?:y|ies)|contributions?|创新(?:点|性)?|贡献", "contributions novel"),
    (r"data ?sets?|corpus|annotation|数据集|语料|标注", "dataset corpus"),
    (r"related work|literature|相关工作|文献综述", "related work"),
    (r"evaluation|metrics?|benchmark|评测|评估|指标", "evaluation metrics"),
    (r"experiments?|results?|实验(?:结果|部分|设计)|结果", "experiments results"),
    (r"methods?|methodology|model|approach|方法|模型", "method model"),
    (r"proofs?|theorems?|lemma|证明|定理", "proof theorem"),
    (r"figures?|plots?|tables?|图表?|表格?", "figure table"),
    (r"statistic(?:s|al)|significance|sample size|显著性|统计|样本量", "statistical significance"),
    (r"limitations?|局限", "limitations"),
    (r"introduction|abstract|motivation|引言|摘要|动机", "introduction"),
    (r"writing|unclear|写作|表述|不清楚", "introduction"),
)
_REVIEWED = re.compile(
    r"\b(?:reviewers?|referees?|editors?|committee|meta-?review|they|he|she|supervisor|advisor|my|our)\b|审稿|评审|编辑|导师|老板|我们?的?"
)


def query(message: str) -> str:
    """What to search in the open paper; "" when the message does not speak of one of its parts."""
    text = message.casefold()
    if not _REVIEWED.search(text):
        return ""
    found = [words for part, words in _PARTS if re.search(rf"(?<![a-z])(?:{part})(?![a-z])", text)]
    return " ".join(found[:2])
