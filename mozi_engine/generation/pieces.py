"""A SentencePiece model of LLaMA's kind (BPE) as a tokenizer of transformers, of its own file alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers.models import BPE
from transformers import PreTrainedTokenizerFast
from transformers.convert_slow_tokenizer import generate_merges, import_protobuf

from mozi_engine.errors import ModelError

_SPACE = "\u2581"
_BPE = 2  # trainer_spec.model_type (sentencepiece_model.proto)
_CONTROL, _OF_THE_USER = 3, 4  # a piece's type


def tokenizer(folder: Path) -> Any:
    """The tokenizer of `folder/tokenizer.model`, which begins and ends texts with the model's own tokens.

    What tokenizer_config.json says of them is passed over: the first LLaMA checkpoints left them empty.
    Raises ModelError when there is none, or it is of another kind.
    """
    path = folder / "tokenizer.model"
    model = _read(path)
    words, ends = model.normalizer_spec, model.trainer_spec
    if ends.model_type != _BPE or min(ends.unk_id, ends.bos_id, ends.eos_id) < 0:
        raise ModelError(f"{path} is not of LLaMA's kind", hint="convert reads LLaMA's and Baichuan-7B's")
    made = _built(model)
    made.normalizer, made.decoder = _normalizer(words), _decoder(spaced=words.add_dummy_prefix)
    unknown, begin, end = (model.pieces[each].piece for each in (ends.unk_id, ends.bos_id, ends.eos_id))
    if _begins(folder):
        made.post_processor = processors.TemplateProcessing(
            single=[begin, "$A"], special_tokens=[(begin, ends.bos_id)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        unk_token=unknown,
        bos_token=begin,
        eos_token=end,
        clean_up_tokenization_spaces=False,
    )


def _read(path: Path) -> Any:
    model = import_protobuf().ModelProto()
    try:
        model.ParseFromString(path.read_bytes())
    except (OSError, DecodeError) as error:
        raise ModelError(f"{path} cannot be read: {error}", hint="fetch tokenizer.model too") from error
    return model


def _built(model: Any) -> Tokenizer:
    vocabulary = {piece.piece: number for number, piece in enumerate(model.pieces)}
    scores = {piece.piece: piece.score for piece in model.pieces if piece.type == 1}
    unknown = model.pieces[model.trainer_spec.unk_id].piece
    fallback = model.trainer_spec.byte_fallback
    merges = generate_merges(vocabulary, scores)
    whole = [piece.piece for piece in model.pieces if piece.type == _OF_THE_USER]
    made = Tokenizer(
        BPE(
            vocabulary,
            merges,
            unk_token=unknown,
            fuse_unk=True,
            byte_fallback=fallback,
            ignore_merges=bool(whole),
        )
    )
    if whole:  # not as added tokens: what follows one would be taken for a beginning
        made.pre_tokenizer = pre_tokenizers.Split(Regex("|".join(map(re.escape, whole))), "isolated")
    made.add_special_tokens(
        [AddedToken(piece.piece, normalized=False) for piece in model.pieces if piece.type == _CONTROL]
    )
    return made


def _normalizer(words: Any) -> Any:
    steps: list[Any] = []
    if words.precompiled_charsmap:
        steps.append(normalizers.Precompiled(words.precompiled_charsmap))
    if words.remove_extra_whitespaces:
        steps += [
            normalizers.Replace(Regex("^ +| +$"), ""),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    if words.add_dummy_prefix:
        steps.append(normalizers.Prepend(_SPACE))
    return normalizers.Sequence([*steps, normalizers.Replace(" ", _SPACE)])


def _decoder(*, spaced: bool) -> Any:
    steps = [decoders.Replace(_SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    return decoders.Sequence([*steps, decoders.Strip(" ", 1, 0)] if spaced else steps)


def _begins(folder: Path) -> bool:
    """Whether every text is to begin with the token for that; LLaMA's do where nothing else is said."""
    try:
        return bool(json.loads((folder / "tokenizer_config.json").read_bytes()).get("add_bos_token", True))
    except (OSError, ValueError):
        return True
