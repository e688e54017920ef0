import math

import pytest

from mozi_engine.evaluation import overlap


def test_bleu_by_hand() -> None:
    assert overlap.bleu("the cat sat on the mat", ["the cat sat on the mat"]) == pytest.approx(1)
    # 4 of 5 words, 2 of 4 pairs, 1 of 3 triples, none of 2 quadruples (smoothed to half of one), no brevity.
    by_hand = math.exp(sum(map(math.log, (4 / 5, 2 / 4, 1 / 3, 0.5 / 2))) / 4)
    assert overlap.bleu("we use the big graph", ["we use the small graph"]) == pytest.approx(by_hand)


def test_bleu_of_a_short_answer_counts_the_n_grams_there_are() -> None:
    assert overlap.bleu("SQuAD", ["SQuAD"]) == pytest.approx(1)
    assert overlap.bleu("", ["SQuAD"]) == 0


def test_bleu_takes_what_any_reference_says() -> None:
    assert overlap.bleu("by hand", ["manually", "by hand"]) == pytest.approx(1)


def test_rouge_by_hand() -> None:
    # The longest common subsequence of a b c d and a c e has 2 words: P 2/3, R 2/4.
    found = overlap.rouge("one three five", ["one two three four"], "rougeL")
    assert found == pytest.approx(2 * (2 / 3) * (2 / 4) / (2 / 3 + 2 / 4))
    assert overlap.rouge("one three five", ["nothing", "one three five"]) == 1
    assert overlap.rouge("", ["one"]) == overlap.rouge("\n \n", ["one"]) == 0


def test_chinese_is_compared_sign_by_sign() -> None:
    assert overlap.words("我用BERT模型。") == ["我", "用", "bert", "模", "型"]
    assert overlap.bleu("压力很大", ["压力很大"]) == pytest.approx(1)
    assert overlap.rouge("压力很大", ["压力不大"], "rouge1") == pytest.approx(0.75)
    assert overlap.rouge("完全不同", ["压力很大"]) == 0
