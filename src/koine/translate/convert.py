"""The translate-convert step: a model of the Hub for CTranslate2, once for all languages and shards."""

from pathlib import Path
from typing import Any

import ctranslate2
from transformers import AutoConfig, AutoTokenizer

from koine.params import ComputeType
from koine.runtime.files import sha256, write_json
from koine.runtime.hub import local_model
from koine.translate.neural import family, loaded, vocabulary


def translate_convert(out: Path, *, model: str, revision: str = "", compute_type: ComputeType = "int8") -> None:
    """Convert a translation model for CTranslate2, once for all languages and shards.

    Args:
        out: Folder; gets model.bin, its vocabulary, the tokenizer's files, and koine.json, which says what it was made of.
        model: Hub id or folder of a translation model.
        revision: Its commit on the Hub.
        compute_type: Of the stored weights.

    Raises:
        KoineError: the model is not there, or is of a family that Koine does not know.
    """
    folder = local_model(model, revision)
    tokenizer = loaded(AutoTokenizer, folder)
    out.mkdir(parents=True, exist_ok=True)
    _Converter(str(folder)).convert(str(out), quantization=compute_type, force=True)
    tokenizer.save_pretrained(out / "tokenizer")
    loaded(AutoConfig, folder).save_pretrained(out / "tokenizer")
    write_json(
        out / "koine.json",
        {
            "model": model,
            "revision": revision,
            "family": family(folder),
            "precision": compute_type,
            "versions": {"ctranslate2": ctranslate2.__version__},
            "sha256": {"model.bin": sha256(out / "model.bin")},
        },
    )


class _Converter(ctranslate2.converters.TransformersConverter):  # type: ignore[misc]
    """CTranslate2's converter asks a tokenizer for special tokens in a way that transformers 5 no longer answers."""

    def load_tokenizer(self, tokenizer_class: Any, model_name_or_path: str, **options: Any) -> Any:
        """A tokenizer whose vocabulary has the language tokens too."""
        tokenizer = super().load_tokenizer(tokenizer_class, model_name_or_path, **options)
        whole = vocabulary(tokenizer)
        tokenizer.get_vocab = lambda: whole
        return tokenizer
