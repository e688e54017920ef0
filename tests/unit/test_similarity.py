from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("bert_score")

from mozi_engine.errors import ModelError
from mozi_engine.evaluation.similarity import BertScore


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    import transformers

    folder = tmp_path_factory.mktemp("bert")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "graph", "nodes", "data", "trees", "grow"]
    (folder / "vocab.txt").write_text("\n".join(words), "utf-8")
    transformers.BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    transformers.BertModel(config).save_pretrained(folder)
    return folder


def test_the_best_reference_counts_and_an_empty_prediction_is_0(encoder: Path) -> None:
    score = BertScore(str(encoder))
    same, other, empty = score(
        ["graph nodes", "graph nodes", " "], [["trees grow", "graph nodes"], ["trees grow"], ["data"]]
    )
    assert same == pytest.approx(1, abs=1e-5)
    assert other < same
    assert empty == 0
    assert score([""], [["data"]]) == [0]


def test_an_encoder_that_is_not_here_is_refused(tmp_path: Path) -> None:
    for wrong in (str(tmp_path), "roberta-large"):
        with pytest.raises(ModelError, match="no encoder for BERTScore"):
            BertScore(wrong)
