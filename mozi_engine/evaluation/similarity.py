"""BERTScore (Zhang et al., 2020): how alike two texts are to an encoder, by bert-score."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bert_score import BERTScorer
from bert_score.utils import model2layers
from transformers import AutoConfig
from transformers.utils.logging import disable_progress_bar

from mozi_engine.errors import ModelError


class BertScore:
    """F1 by the encoder of that name or in that folder, such as roberta-large; never downloads.

    The layer is the one that bert-score found best for a known name, and the last one for any other, so
    that only figures of one encoder compare. Not rescaled. Raises ModelError when it does not load.
    """

    def __init__(self, model: str) -> None:
        disable_progress_bar()
        try:
            config = AutoConfig.from_pretrained(model, local_files_only=True, trust_remote_code=False)
            layers = model2layers.get(model, config.num_hidden_layers)
            self._scorer = BERTScorer(model_type=model, num_layers=layers, batch_size=16)
            # Of a tokenizer that does not say how much its model reads, bert-score asks 10^30 tokens.
            tokenizer = self._scorer._tokenizer
            tokenizer.model_max_length = min(tokenizer.model_max_length, config.max_position_embeddings)
        except (OSError, ValueError) as error:
            hint = "give an encoder's folder, or leave --bert-score out"
            raise ModelError(f"no encoder for BERTScore at {Path(model)}", hint=hint) from error

    def __call__(self, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
        """One F1 a prediction, the best over its references; 0 for an empty prediction."""
        kept = [place for place, text in enumerate(predictions) if text.strip()]
        found = [0.0] * len(predictions)
        if kept:
            said, right = [predictions[i] for i in kept], [list(references[i]) for i in kept]
            _, _, f1 = self._scorer.score(said, right)
            for place, value in zip(kept, f1.tolist(), strict=True):
                found[place] = value
        return found
