"""The original's checkpoints: tiny ones of random weights, in the layout of 2023."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("sentencepiece")

import sentencepiece as spm
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from mozi_cli.models import app
from mozi_engine.errors import ModelError, MoziError
from mozi_engine.generation import engines, loading, template
from mozi_engine.generation.original import convert
from mozi_engine.settings import Settings
from mozi_engine.types import GenerationSettings, Turn
from tests.tiny_llama import CORPUS

WIDTH, INNER, LAYERS, HEADS, VOCABULARY, RANK, ALPHA = 32, 64, 2, 4, 400, 4, 16
TEXTS = [
    "We use  the tree bank.",
    " What data?\n",
    "我们使用图模型。",
    "ünseen ✓ <0x41>",
    "a",
    "97.5 in % of all",
]


class Norm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(WIDTH) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        return x * (x.square().mean(-1, keepdim=True) + 1e-6).rsqrt() * self.weight


def linear(inputs: int, outputs: int) -> nn.Linear:
    made = nn.Linear(inputs, outputs, bias=False)
    nn.init.normal_(made.weight, std=0.3)
    return made


def turned(x: Tensor) -> Tensor:
    """Rotary positions, halves apart: x (heads, tokens, size)."""
    size = x.shape[-1]
    angles = torch.arange(x.shape[1])[:, None] * 10000 ** -(torch.arange(0, size, 2) / size)
    cos, sin = angles.cos().repeat(1, 2), angles.sin().repeat(1, 2)
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.W_pack, self.o_proj = linear(WIDTH, 3 * WIDTH), linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (part.view(len(x), HEADS, -1).transpose(0, 1) for part in self.W_pack(x).chunk(3, dim=-1))
        scores = turned(q) @ turned(k).transpose(1, 2) / (WIDTH / HEADS) ** 0.5
        scores = scores.masked_fill(torch.ones(len(x), len(x)).triu(1).bool(), float("-inf"))
        return self.o_proj((scores.softmax(-1) @ v).transpose(0, 1).reshape(len(x), WIDTH))


class Feed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate_proj, self.up_proj = linear(WIDTH, INNER), linear(WIDTH, INNER)
        self.down_proj = linear(INNER, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(nn.functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.self_attn, self.mlp = Attention(), Feed()
        self.input_layernorm, self.post_attention_layernorm = Norm(), Norm()

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x))
        return x + self.mlp(self.post_attention_layernorm(x))


class Baichuan(nn.Module):
    """Baichuan-7B as its own code computes it, for one text."""

    def __init__(self) -> None:
        super().__init__()
        embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.model = nn.ModuleDict(
            {
                "embed_tokens": embedding,
                "layers": nn.ModuleList(Layer() for _ in range(LAYERS)),
                "norm": Norm(),
            }
        )
        self.lm_head = linear(WIDTH, VOCABULARY)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.model["embed_tokens"](ids)
        for layer in self.model["layers"]:
            x = layer(x)
        return self.lm_head(self.model["norm"](x))


def pieces(folder: Path, **options: Any) -> Path:
    """A SentencePiece model as LLaMA's: BPE, bytes for what is unknown, nothing normalised."""
    given = {"model_type": "bpe", "byte_fallback": True, "normalization_rule_name": "identity", **options}
    given |= {"remove_extra_whitespaces": given.get("remove_extra_whitespaces", False)}
    folder.mkdir(parents=True, exist_ok=True)
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS * 3),
        model_prefix=str(folder / "tokenizer"),
        vocab_size=VOCABULARY,
        hard_vocab_limit=False,
        minloglevel=3,
        **given,
    )
    return folder


CONFIG = {
    "architectures": ["BaiChuanForCausalLM"],
    "auto_map": {"AutoModelForCausalLM": "modeling_baichuan.BaiChuanForCausalLM"},
    "model_type": "baichuan",
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "hidden_act": "silu",
    "hidden_size": WIDTH,
    "intermediate_size": INNER,
    "max_position_embeddings": 256,
    "num_attention_heads": HEADS,
    "num_hidden_layers": LAYERS,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": False,
    "torch_dtype": "float32",
    "vocab_size": VOCABULARY,
}


def published(folder: Path, model: Baichuan) -> Path:
    """Its folder on the hub: two pickles, and code that nobody may run."""
    pieces(folder)
    config = {"add_bos_token": False, "auto_map": {"AutoTokenizer": ["tokenization_baichuan.X", None]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"tokenizer_class": "X"}))
    for name in ("tokenization_baichuan.py", "modeling_baichuan.py"):
        (folder / name).write_text("raise SystemExit('this was run')")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    weights = {name: weight.detach().clone() for name, weight in model.state_dict().items()}
    weights["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.rand(4)
    names = sorted(weights)
    for number, part in enumerate((names[:9], names[9:]), start=1):
        file = folder / f"pytorch_model-0000{number}-of-00002.bin"
        torch.save({name: weights[name] for name in part}, file)
    return folder


def lora(folder: Path, model: Baichuan) -> Path:
    """An adapter as PEFT 0.4 saved it; the model is changed by it."""
    modules = ["o_proj", "W_pack", "gate_proj", "down_proj", "up_proj"]
    weights = {}
    for name, module in model.named_modules():
        if name.rpartition(".")[2] in modules:
            assert isinstance(module, nn.Linear)
            down, up = torch.randn(RANK, module.in_features), torch.randn(module.out_features, RANK) * 0.1
            weights[f"base_model.model.{name}.lora_A.weight"] = down
            weights[f"base_model.model.{name}.lora_B.weight"] = up
            module.weight.data += up @ down * ALPHA / RANK
    folder.mkdir()
    torch.save(weights, folder / "adapter_model.bin")
    config = {
        "base_model_name_or_path": "/cfs/baichuan-7b",
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "layers_pattern": None,
        "layers_to_transform": None,
        "lora_alpha": ALPHA,
        "lora_dropout": 0.1,
        "modules_to_save": None,
        "peft_type": "LORA",
        "r": RANK,
        "revision": None,
        "target_modules": modules,
        "task_type": "CAUSAL_LM",
    }
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="module")
def baichuan(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Tensor, Tensor]:
    """The folder with base/ and lora/, and the logits of IDS before and after the adapter."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("baichuan")
    model = Baichuan()
    published(folder / "base", model)
    with torch.no_grad():
        before = model(IDS)
        lora(folder / "lora", model)
        return folder, before, model(IDS)


IDS = torch.arange(3, 60)


def test_baichuan_is_llama_to_the_last_digit(baichuan: tuple[Path, Tensor, Tensor], tmp_path: Path) -> None:
    folder, before, after = baichuan
    convert(folder / "base", tmp_path / "base")
    convert(folder / "lora", tmp_path / "lora", str(tmp_path / "base"))
    model = loading.model(tmp_path / "base").eval()
    with torch.no_grad():
        assert torch.allclose(model(IDS[None]).logits[0], before, atol=1e-4)
        adapted = loading.adapted(model, tmp_path / "lora").eval()
        found = adapted(IDS[None]).logits[0]
    assert torch.allclose(found, after, atol=1e-3)
    assert not torch.allclose(before, after, atol=0.1)
    assert loading.base(tmp_path / "lora") == str(tmp_path / "base")
    assert {file.suffix for file in (tmp_path / "base").iterdir()} == {".json", ".safetensors"}


def test_one_can_chat_with_it(baichuan: tuple[Path, Tensor, Tensor], tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, ["convert", str(baichuan[0] / "base"), str(tmp_path / "base")])
    assert ran.exit_code == 0, ran.output
    options = ["--base", str(tmp_path / "base")]
    CliRunner().invoke(app, ["convert", str(baichuan[0] / "lora"), str(tmp_path / "mozi-7b"), *options])
    model = engines.load(Settings(engine="torch", adapter=str(tmp_path / "mozi-7b")))
    assert model.name == "mozi-7b"
    events = model.stream([Turn("user", "What data?")], GenerationSettings(max_new_tokens=4))
    assert [event for event in events if isinstance(event, str)]


@pytest.mark.parametrize("model_type", ["baichuan", "llama"])
@pytest.mark.parametrize(
    "options",
    [{}, {"add_dummy_prefix": False}, {"remove_extra_whitespaces": True}, {"user_defined_symbols": ["tree"]}],
)
def test_texts_become_the_tokens_that_sentencepiece_makes(
    baichuan: tuple[Path, Tensor, Tensor], tmp_path: Path, options: dict[str, Any], model_type: str
) -> None:
    shutil.copytree(baichuan[0] / "base", tmp_path / "base")
    pieces(tmp_path / "base", **options)
    config = tmp_path / "base" / "tokenizer_config.json"
    config.write_text(
        '{"bos_token": "", "eos_token": "", "unk_token": ""}' if model_type == "llama" else "{}"
    )
    original = spm.SentencePieceProcessor(model_file=str(tmp_path / "base" / "tokenizer.model"))
    size = original.get_piece_size()
    changed = {"model_type": "baichuan", "vocab_size": VOCABULARY}
    (tmp_path / "base" / "config.json").write_text(json.dumps(CONFIG | changed))
    assert size <= VOCABULARY
    convert(tmp_path / "base", tmp_path / "out")
    found = template.tokenizer(tmp_path / "out")
    assert (found.unk_token_id, found.bos_token_id, found.eos_token_id) == (0, 1, 2)
    for text in TEXTS:
        ids = template.ids(found, text)
        assert ids == original.encode(text), text
        assert found.decode(ids) == original.decode(ids)
    assert found("a")["input_ids"] == [1, *original.encode("a")]
    assert template.ids(found, "<s>a</s>")[0 :: len(original.encode("a")) + 1] == [1, 2]


def test_llama_without_special_tokens_is_given_them(
    baichuan: tuple[Path, Tensor, Tensor], tmp_path: Path
) -> None:
    """As decapoda-research published it: ends that are empty, and of the wrong numbers."""
    convert(baichuan[0] / "base", tmp_path / "split")
    folder = pieces(tmp_path / "llama")
    for file in (tmp_path / "split").glob("*.safetensors"):
        shutil.copy(file, folder)
    ends = {"bos_token": "", "eos_token": "", "unk_token": "", "tokenizer_class": "LLaMATokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(ends))
    config = {
        key: value for key, value in CONFIG.items() if key not in ("auto_map", "max_position_embeddings")
    }
    config |= {"model_type": "llama", "architectures": ["LLaMAForCausalLM"], "max_sequence_length": 256}
    (folder / "config.json").write_text(json.dumps(config | {"bos_token_id": 0, "eos_token_id": 1}))
    convert(folder, tmp_path / "out")
    model = loading.model(tmp_path / "out")
    assert (model.generation_config.bos_token_id, model.generation_config.eos_token_id) == (1, 2)
    assert model.config.max_position_embeddings == 256
    assert template.tokenizer(tmp_path / "out").eos_token == "</s>"
    with torch.no_grad():
        assert torch.allclose(model(IDS[None]).logits[0], baichuan[1], atol=1e-4)


def broken(folder: Path, change: str) -> None:
    weights = folder / "pytorch_model-00001-of-00002.bin"
    config = json.loads((folder / "config.json").read_text())
    match change:
        case "nothing":
            (folder / "config.json").unlink()
        case "config":
            (folder / "config.json").write_text("{")
        case "list":
            (folder / "config.json").write_text("[]")
        case "tokenizer":
            (folder / "tokenizer.model").unlink()
        case "pieces":
            (folder / "tokenizer.model").write_bytes(b"no protobuf \xff" * 9)
        case "unigram":
            pieces(folder, model_type="unigram")
        case "weights":
            for file in folder.glob("*.bin"):
                file.unlink()
        case "absent":
            weights.unlink()
        case "damaged":
            weights.write_bytes(weights.read_bytes()[:-100])
        case "code":
            torch.save({"model.norm.weight": shutil.rmtree}, weights)
        case "width":
            torch.save({"model.layers.0.self_attn.W_pack.weight": torch.zeros(3 * 30, 30)}, weights)
        case "third":
            torch.save({"model.layers.0.self_attn.W_pack.weight": torch.zeros(95, WIDTH)}, weights)
        case "baichuan2":
            (folder / "config.json").write_text(json.dumps(config | {"z_loss_weight": 0}))
        case "13b":
            del config["max_position_embeddings"]
            (folder / "config.json").write_text(json.dumps(config | {"model_max_length": 4096}))
        case "other":
            (folder / "config.json").write_text(json.dumps(config | {"model_type": "qwen2"}))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("nothing", "holds no checkpoint"),
        ("config", "config.json cannot be read"),
        ("list", "config.json is no object"),
        ("tokenizer", "tokenizer.model cannot be read"),
        ("pieces", r"tokenizer.model (cannot be read|is not of LLaMA's kind)"),
        ("unigram", "not of LLaMA's kind"),
        ("weights", "holds no weights"),
        ("absent", r"lacks .* more"),
        ("damaged", "cannot be read"),
        ("code", "cannot be read"),
        ("width", "has no place"),
        ("third", "not three matrices"),
        ("baichuan2", "Baichuan 2"),
        ("13b", "Baichuan-13B"),
        ("other", "a qwen2 model"),
    ],
)
def test_a_folder_that_is_something_else_is_named(
    baichuan: tuple[Path, Tensor, Tensor], tmp_path: Path, change: str, told: str
) -> None:
    shutil.copytree(baichuan[0] / "base", tmp_path / "base")
    broken(tmp_path / "base", change)
    with pytest.raises(ModelError, match=told):
        convert(tmp_path / "base", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["base"]


@pytest.mark.parametrize("change", [{"peft_type": "PREFIX_TUNING"}, {"target_modules": None}])
def test_an_adapter_that_is_no_lora_is_refused(
    baichuan: tuple[Path, Tensor, Tensor], tmp_path: Path, change: dict[str, Any]
) -> None:
    shutil.copytree(baichuan[0] / "lora", tmp_path / "lora")
    config = tmp_path / "lora" / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | change))
    with pytest.raises(MoziError, match="no LoRA"):
        convert(tmp_path / "lora", tmp_path / "out")
