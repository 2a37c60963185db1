"""Stand-ins for pretrained models: tiny random checkpoints of their true architectures, in the shape of the Hub.

With `KOINE_MODELS` set to the folder, every entry of the registry trains, saves and encodes without a network, and the
translators of the recipes translate; vectors and translations mean nothing.
"""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sentencepiece
import tokenizers
import torch
import transformers
from babel import Locale
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Transformer
from sentence_transformers.base.modules.normalize import Normalize
from sentence_transformers.sentence_transformer.modules import LSTM, Pooling
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers
from torch import nn
from transformers import M2M100Tokenizer, MBart50Tokenizer, NllbTokenizer, PreTrainedTokenizerFast

from koine.backbones import laser2
from koine.runtime.errors import KoineError

DIM, LAYERS, HEADS, LONGEST, VOCABULARY = 32, 2, 4, 512, 600
_BERT: dict[str, Any] = {
    "hidden_size": DIM,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": 2 * DIM,
}
_DECODER = {**_BERT, "num_key_value_heads": 2, "head_dim": DIM // HEADS, "max_position_embeddings": LONGEST}
_T5: dict[str, Any] = {"d_model": DIM, "d_kv": DIM // HEADS, "d_ff": 2 * DIM, "num_layers": LAYERS, "num_heads": HEADS}
_MBART: dict[str, Any] = {
    "d_model": DIM,
    "encoder_layers": LAYERS,
    "decoder_layers": LAYERS,
    "encoder_attention_heads": HEADS,
    "decoder_attention_heads": HEADS,
    "encoder_ffn_dim": 2 * DIM,
    "decoder_ffn_dim": 2 * DIM,
    "scale_embedding": True,
    "max_position_embeddings": LONGEST,
}
#: Hub id of a translator of M2M-100's architecture: its tokenizer.
TRANSLATORS = {
    "facebook/m2m100_1.2B": M2M100Tokenizer,
    "facebook/m2m100_418M": M2M100Tokenizer,
    "facebook/nllb-200-distilled-600M": NllbTokenizer,
}
#: Hub id: configuration, its arguments, kind of tokenizer, and the modules after the language model.
STANDINS: dict[str, tuple[str, dict[str, Any], str, tuple[str, ...]]] = {
    "FacebookAI/xlm-roberta-base": ("XLMRobertaConfig", _BERT | {"max_position_embeddings": LONGEST + 2}, "unigram", ()),
    "FacebookAI/xlm-roberta-large": ("XLMRobertaConfig", _BERT | {"max_position_embeddings": LONGEST + 2}, "unigram", ()),
    "intfloat/multilingual-e5-base": (
        "XLMRobertaConfig", _BERT | {"max_position_embeddings": LONGEST + 2}, "unigram", ("mean", "normalize"),
    ),
    "BAAI/bge-m3": ("XLMRobertaConfig", _BERT | {"max_position_embeddings": LONGEST + 2}, "unigram", ("cls", "normalize")),
    "sentence-transformers/LaBSE": ("BertConfig", _BERT, "wordpiece", ("cls", "tanh", "normalize")),
    "google-bert/bert-base-multilingual-cased": ("BertConfig", _BERT, "wordpiece", ()),
    "sentence-transformers/all-MiniLM-L6-v2": ("BertConfig", _BERT, "wordpiece", ("mean", "normalize")),
    "google/mt5-base": ("MT5Config", _T5, "unigram-t5", ()),
    "facebook/mbart-large-50": ("MBartConfig", _MBART, "unigram-mbart50", ()),
    "nllb/laser/laser2": ("LSTM", {"hidden_dim": DIM // 2, "num_layers": 5}, "unigram", ("max", "normalize")),
    "jhu-clsp/mmBERT-base": ("ModernBertConfig", _BERT | {"max_position_embeddings": LONGEST}, "bpe", ()),
    "google/embeddinggemma-300m": (
        "Gemma3TextConfig", _DECODER | {"use_bidirectional_attention": True}, "bpe", ("mean", "linear", "linear", "normalize"),
    ),
    "Qwen/Qwen3-Embedding-0.6B": ("Qwen3Config", _DECODER, "bpe-left", ("lasttoken", "normalize")),
}  # fmt: skip


def write_standins(out: Path, names: Sequence[str] = ()) -> list[Path]:
    """Write the stand-ins as `out/ORG/NAME`.

    Args:
        out: what `KOINE_MODELS` is to name.
        names: Hub ids; all without any.

    Returns:
        The folders.

    Raises:
        KoineError: there is no stand-in for a name.
    """
    everything = [*STANDINS, *TRANSLATORS]
    for name in names:
        if name not in everything:
            raise KoineError(f"{name}: no stand-in; there are {', '.join(everything)}")
    return [
        _write_translator(out / name, TRANSLATORS[name]) if name in TRANSLATORS else _write(out / name, *STANDINS[name])
        for name in names or everything
    ]


def _write(folder: Path, config: str, arguments: dict[str, Any], kind: str, after: Sequence[str]) -> Path:
    tokenizer = _tokenizer(kind)
    torch.manual_seed(0)
    if config == "LSTM":
        vocabulary = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["vocab"]
        embeddings = torch.randn(len(vocabulary), DIM)
        laser2.write(folder, [(piece, score) for piece, score in vocabulary], b"", embeddings, LSTM(DIM, **arguments))
        return folder
    special = {
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.cls_token_id,
        "eos_token_id": tokenizer.sep_token_id,
    }
    made = getattr(transformers, config)(vocab_size=len(tokenizer), **special, **arguments)
    model: Any = transformers.AutoModel
    model.from_config(made).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if after:
        states = Transformer(str(folder), max_seq_length=LONGEST)
        made_of = {"tanh": nn.Tanh(), "linear": nn.Identity()}
        modules: list[nn.Module] = [states, Pooling(DIM, after[0])]
        modules += [Dense(DIM, DIM, bias=name == "tanh", activation_function=made_of[name]) for name in after[1:-1]]
        SentenceTransformer(modules=[*modules, Normalize()], device="cpu").save_pretrained(str(folder), create_model_card=False)
    return folder


def _write_translator(folder: Path, kind: Any) -> Path:
    texts = _texts()
    folder.mkdir(parents=True, exist_ok=True)
    if kind is M2M100Tokenizer:
        with tempfile.TemporaryDirectory() as scratch:
            made: dict[str, Any] = {
                "model_prefix": f"{scratch}/pieces",
                "vocab_size": VOCABULARY,
                "minloglevel": 2,
                "num_threads": 1,
            }
            sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(texts), character_coverage=1.0, **made)
            pieces = sentencepiece.SentencePieceProcessor(model_file=f"{scratch}/pieces.model")
            tokens = [
                token for number in range(len(pieces)) if (token := pieces.id_to_piece(number)) not in ("<s>", "</s>", "<unk>")
            ]
            ids = {token: number for number, token in enumerate(["<s>", "<pad>", "</s>", "<unk>", *tokens])}
            vocabulary = Path(scratch) / "vocab.json"
            vocabulary.write_text(json.dumps(ids), encoding="utf-8")
            tokenizer = kind(vocab_file=str(vocabulary), spm_file=f"{scratch}/pieces.model", model_max_length=LONGEST)
            tokenizer.save_pretrained(folder)
        size = max(tokenizer.lang_token_to_id.values()) + 1 + tokenizer.num_madeup_words
    else:
        letters = sorted({letter for text in texts for letter in text.replace(" ", "▁")})
        ids = {token: number for number, token in enumerate(["<s>", "<pad>", "</s>", "<unk>", *letters])}
        tokenizer = kind(vocab=ids, merges=[], model_max_length=LONGEST)
        tokenizer.save_pretrained(folder)
        size = len(tokenizer)
    torch.manual_seed(0)
    special = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 2}
    config: Any = transformers.M2M100Config
    model: Any = transformers.M2M100ForConditionalGeneration
    # Tied to the random embeddings, the output would repeat the code of the language, which is no text.
    model(config(vocab_size=size, tie_word_embeddings=False, **special, **_MBART)).save_pretrained(folder)
    return folder


def _texts() -> list[str]:
    """Names of countries in many scripts."""
    return [name for lang in ("en", "de", "ru", "ar", "hi", "th") for name in Locale(lang).territories.values()]


def _tokenizer(kind: str) -> PreTrainedTokenizerFast:
    """A small tokenizer of the right kind."""
    texts = _texts()
    first, last, pad, unknown = ("[CLS]", "[SEP]", "[PAD]", "[UNK]") if kind == "wordpiece" else ("<s>", "</s>", "<pad>", "<unk>")
    special = [first, pad, last, unknown]
    if kind == "wordpiece":
        tokenizer = tokenizers.Tokenizer(models.WordPiece(unk_token=unknown))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer: trainers.Trainer = trainers.WordPieceTrainer(vocab_size=VOCABULARY, special_tokens=special, show_progress=False)
    elif kind.startswith("unigram"):
        tokenizer = tokenizers.Tokenizer(models.Unigram())
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        trainer = trainers.UnigramTrainer(vocab_size=VOCABULARY, special_tokens=special, unk_token=unknown, show_progress=False)
    else:
        tokenizer = tokenizers.Tokenizer(models.BPE(byte_fallback=True, unk_token=unknown))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=special,
            show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        )
    tokenizer.train_from_iterator(texts, trainer)
    if kind == "unigram-mbart50":
        pieces = json.loads(tokenizer.to_str())["model"]["vocab"][len(special) :]
        codes: Any = MBart50Tokenizer  # puts its own specials in the place of three, and adds the codes of 52 languages
        return codes([(token, 0.0) for token in special[:3]] + pieces, model_max_length=LONGEST)  # type: ignore[no-any-return]
    # T5 ends texts and does not begin them; so does Qwen3-Embedding.
    frame = f"$A {last}" if kind in ("unigram-t5", "bpe-left") else f"{first} $A {last}"
    ids = [(token, tokenizer.token_to_id(token)) for token in (first, last)]
    tokenizer.post_processor = processors.TemplateProcessing(single=frame, special_tokens=ids)
    wrapped: Any = PreTrainedTokenizerFast
    side = "left" if kind == "bpe-left" else "right"
    names = {"cls_token": first, "sep_token": last, "bos_token": first, "eos_token": last, "pad_token": pad, "unk_token": unknown}
    return wrapped(tokenizer_object=tokenizer, padding_side=side, model_max_length=LONGEST, **names)  # type: ignore[no-any-return]
