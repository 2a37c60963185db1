"""Neural translation with the Hub's models: their language tokens, and two engines that give the same translations.

`Ctranslate2` is the fast one; `Generate` is transformers' own `generate`, for devices and models that CTranslate2 lacks,
and the oracle of its tests. Both get token ids laid out by `Layout`, so neither depends on a tokenizer's idea of what the
source language is at the moment.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import ctranslate2
import torch
from transformers import AutoConfig, AutoModelForSeq2SeqLM, AutoTokenizer

from koine import languages
from koine.params import Decoding
from koine.runtime.errors import KoineError
from koine.runtime.files import sha256
from koine.runtime.hub import local_model
from koine.translate.base import Options

HALF = {"float16": torch.float16, "bfloat16": torch.bfloat16}
# A translation may be this many times longer in tokens than its source, and a few more.
_LONGER, _MORE = 3, 16
_LANGUAGE_TOKENS = {
    "nllb": re.compile(r"([a-z]{3}_[A-Z][a-z]{3})"),
    "m2m100": re.compile(r"__([a-z]{2,3})__"),
    "mbart50": re.compile(r"([a-z]{2}_[A-Z]{2})"),
    "madlad": re.compile(r"<2([a-z]{2,3}(?:_[A-Z][a-z]{3})?(?:-[A-Z]{2})?)>"),
    "marian": re.compile(r">>([a-z]{2,3}(?:_[A-Z][a-zA-Z]+)?)<<"),
}


@dataclass(frozen=True)
class Layout:
    """Where a model family wants its language tokens: `before` the source, as the first token of the target.

    The end token follows the source in all of them. Sources: the tokenizers of transformers (`MarianTokenizer`,
    `M2M100Tokenizer`, `NllbTokenizer`, `T5Tokenizer`, `MBart50Tokenizer`); tests compare with each.
    """

    before: str | None
    first: str | None


def layout(family: str, vocabulary: Sequence[str], source: str, target: str) -> Layout:
    """The language tokens of a direction.

    Args:
        family: a key of `_LANGUAGE_TOKENS`.
        vocabulary: the model's tokens.
        source, target: languages (BCP 47).

    Raises:
        KoineError: the model has no such language; the message lists the nearest.
    """
    codes = {match[1]: token for token in vocabulary if (match := _LANGUAGE_TOKENS[family].fullmatch(token))}

    def token(lang: str) -> str:
        return codes[languages.find(lang, codes, "this model")]

    if family == "marian":  # one direction, or several targets of which the first token names one
        return Layout(token(target) if codes else None, None)
    if family == "madlad":
        return Layout(token(target), None)
    return Layout(token(source), token(target))


def family(folder: Path) -> str:
    """The family of a model folder.

    Raises:
        KoineError: it is not a translation model that Koine knows.
    """
    kind = loaded(AutoConfig, folder).model_type
    if kind == "m2m_100":  # NLLB has M2M-100's architecture and other tokens
        return "nllb" if "eng_Latn" in vocabulary(loaded(AutoTokenizer, folder)) else "m2m100"
    families = {"marian": "marian", "mbart": "mbart50", "t5": "madlad"}
    if kind not in families:
        raise KoineError(f"{folder}: model type {kind!r} does not translate; known are marian, m2m_100 (NLLB too), mbart and t5")
    return families[kind]


def vocabulary(tokenizer: Any) -> dict[str, int]:
    """All tokens with their ids; M2M-100's tokenizer keeps its language tokens apart."""
    return {**tokenizer.get_vocab(), **getattr(tokenizer, "lang_token_to_id", {})}


class Texts:
    """Sentences to token ids and back, in one direction of one model."""

    def __init__(self, folder: Path, source: str, target: str) -> None:
        self.tokenizer = loaded(AutoTokenizer, folder)
        self.ids = vocabulary(self.tokenizer)
        own = layout(family(folder), sorted(self.ids, key=self.ids.__getitem__), source, target)
        self.first = None if own.first is None else self.ids[own.first]
        self._before = [] if own.before is None else [self.ids[own.before]]
        config = loaded(AutoConfig, folder)
        self._longest = int(getattr(config, "max_position_embeddings", 0) or 512)
        self.read = 0  # tokens so far

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text with its language and end tokens, cut to what the model can read."""
        ids = self.tokenizer(list(texts), add_special_tokens=False, verbose=False).input_ids
        end = self.tokenizer.eos_token_id
        room = self._longest - 1 - len(self._before)
        framed = [[*self._before, *own[:room], end] for own in ids]
        self.read += sum(map(len, framed))
        return framed

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        """Texts of generated token ids."""
        texts = self.tokenizer.batch_decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return [" ".join(text.split()) for text in texts]


class Generate:
    """transformers' `generate`, on batches of like length.

    Args:
        source, target: languages (BCP 47).
        options: model, compute type, beam and length; device, threads and tokens of a batch.

    Raises:
        KoineError: the compute type is one of ctranslate2's, or the model is not there or does not know a language.
    """

    def __init__(self, source: str, target: str, options: Options) -> None:
        decoding = options.decoding
        if decoding.compute_type.startswith("int8"):
            raise KoineError("translate.decoding.compute_type: int8 needs the backend ctranslate2; use float32 or bfloat16")
        torch.set_num_threads(options.threads)
        folder = local_model(model_id(decoding, source, target), decoding.revision)
        self._texts = Texts(folder, source, target)
        dtype = HALF.get(decoding.compute_type, torch.float32)
        self._model = loaded(AutoModelForSeq2SeqLM, folder, use_safetensors=True, dtype=dtype).to(options.device).eval()
        self._decoding, self._batch_tokens = decoding, options.batch_tokens
        self.version = f"transformers {folder.name} {decoding} {source}-{target}"

    @property
    def tokens(self) -> int:
        """See `base.Engine.tokens`."""
        return self._texts.read

    @torch.inference_mode()
    def translate(self, texts: Sequence[str]) -> list[str]:
        """See `base.Engine.translate`."""
        ids = self._texts.encode(texts)
        limit = longest(ids, self._decoding)
        order = sorted(range(len(ids)), key=lambda i: -len(ids[i]))
        results = [""] * len(ids)
        for batch in _batches(order, [len(tokens) for tokens in ids], self._batch_tokens):
            padded = self._texts.tokenizer.pad({"input_ids": [ids[i] for i in batch]}, return_tensors="pt")
            generated = self._model.generate(
                input_ids=padded["input_ids"].to(self._model.device),
                attention_mask=padded["attention_mask"].to(self._model.device),
                num_beams=self._decoding.num_beams,
                max_new_tokens=limit,
                max_length=None,
                do_sample=False,
                early_stopping=False,
                forced_bos_token_id=self._texts.first,
            )
            written = generated[:, 1 if self._texts.first is None else 2 :]  # after the start and the language token
            for i, text in zip(batch, self._texts.decode(written.tolist()), strict=True):
                results[i] = text
        return results


class Ctranslate2:
    """CTranslate2, on a model that `koine translate-convert` made.

    Args:
        source, target: languages (BCP 47).
        options: the converted model's folder, compute type, beam and length; device, threads and tokens of a batch. All GPUs that
            are visible are used.

    Raises:
        KoineError: the folder holds no converted model, the device lacks the compute type, or the model lacks a language.
    """

    def __init__(self, source: str, target: str, options: Options) -> None:
        decoding, folder, device = options.decoding, options.converted, options.device
        if folder is None or not (folder / "model.bin").is_file():
            raise KoineError(f"{folder}: no converted model; `koine translate-convert` makes it (the option is --converted)")
        supported = ctranslate2.get_supported_compute_types(device)
        if decoding.compute_type not in supported:
            known = ", ".join(sorted(supported))
            raise KoineError(f"translate.decoding.compute_type: {device} has no {decoding.compute_type}; it has {known}")
        self._texts = Texts(folder / "tokenizer", source, target)
        gpus = ctranslate2.get_cuda_device_count() if device == "cuda" else 0
        self._translator = ctranslate2.Translator(
            str(folder),
            device=device,
            device_index=list(range(gpus)) or 0,
            compute_type=decoding.compute_type,
            inter_threads=1 if gpus else options.threads,  # batches side by side are faster than threads in a batch
            intra_threads=1,
        )
        self._decoding, self._batch_tokens = decoding, options.batch_tokens
        self.version = f"ctranslate2 {ctranslate2.__version__} {sha256(folder / 'koine.json')} {decoding} {source}-{target}"

    @property
    def tokens(self) -> int:
        """See `base.Engine.tokens`."""
        return self._texts.read

    def translate(self, texts: Sequence[str]) -> list[str]:
        """See `base.Engine.translate`."""
        ids = self._texts.encode(texts)
        prefix = None if self._texts.first is None else [[self._tokens[self._texts.first]]] * len(ids)
        results = self._translator.translate_batch(
            [[self._tokens[i] for i in own] for own in ids],
            target_prefix=prefix,
            beam_size=self._decoding.num_beams,
            max_batch_size=self._batch_tokens,
            batch_type="tokens",
            max_decoding_length=longest(ids, self._decoding),
            max_input_length=0,
        )
        skipped = 0 if prefix is None else 1
        written = [result.hypotheses[0][skipped:] for result in results]
        return self._texts.decode([[self._texts.ids[token] for token in own if token in self._texts.ids] for own in written])

    @cached_property
    def _tokens(self) -> dict[int, str]:
        return {i: token for token, i in self._texts.ids.items()}


def model_id(decoding: Decoding, source: str, target: str) -> str:
    """The model of a direction: `{source}` and `{target}` are filled in."""
    return decoding.model.format(source=source, target=target)


def longest(ids: Sequence[Sequence[int]], decoding: Decoding) -> int:
    """Most tokens that the translations of a chunk may have: a decoder that loops is stopped."""
    return min(decoding.max_new_tokens, _LONGER * max(map(len, ids)) + _MORE)


def _batches(order: Sequence[int], lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Cut texts in order of falling length into batches of at most `tokens` with padding, at least one text each."""
    batches: list[list[int]] = []
    for i in order:
        if batches and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= tokens:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches


def loaded(loader: Any, folder: Path, **options: Any) -> Any:
    """`loader.from_pretrained`, with a message that says which folder lacks what."""
    try:
        return loader.from_pretrained(folder, **options)
    except (OSError, ValueError, ImportError, TypeError) as error:
        what = {AutoTokenizer: "tokenizer", AutoConfig: "configuration"}.get(loader, "translation model")
        raise KoineError(f"{folder}: holds no {what} that transformers loads: {str(error).splitlines()[0]}") from None
