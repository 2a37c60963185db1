"""LASER2 (arXiv 1812.10464): its published files made into a folder for `start.model`.

    python -m koine.backbones.laser2 FOLDER OUT

FOLDER holds laser2.pt and laser2.spm, of https://dl.fbaipublicfiles.com/nllb/laser/. The encoder is that of LASER's
laser_encoders/models.py, in sentence-transformers' own modules: embeddings (320), five bidirectional LSTM layers (2 x 512),
the maximum over the states of the tokens; then the vector is normalised, which LASER leaves to its users.

Texts are lower-cased and cut into pieces as LASER does it. Not done are its Moses steps, which differ by language: removing
characters that do not print, normalising punctuation. This follows LASER's source; the published files could not be had.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError

import tokenizers
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules.normalize import Normalize
from sentence_transformers.sentence_transformer.modules import LSTM, Pooling, WordEmbeddings
from tokenizers import models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from koine.backbones.manifest import MANIFEST
from koine.backbones.pretrained import PretrainedEncoder
from koine.backbones.tokenizer import SPECIAL
from koine.runtime.errors import KoineError
from koine.runtime.files import write_json

UNKNOWN = SPECIAL.index("<unk>")  # LASER's dictionary begins with the same four


def convert(folder: Path, out: Path) -> None:
    """Write the model in `folder` to `out`, as safetensors.

    Args:
        folder: holds laser2.pt, `{"model": weights, "dictionary": {piece: id}, …}`, and laser2.spm. The pickle is read by
            torch's restricted reader, which runs no code.
        out: a folder.

    Raises:
        KoineError: a file is missing, or is not what it should be.
    """
    from sentencepiece import sentencepiece_model_pb2  # and with it protobuf, which only this needs

    spm = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    try:
        checkpoint = torch.load(folder / "laser2.pt", map_location="cpu", weights_only=True)
        weights, ids = checkpoint["model"], checkpoint["dictionary"]
        spm.ParseFromString((folder / "laser2.spm").read_bytes())
    except (OSError, RuntimeError, UnpicklingError, KeyError) as error:
        raise KoineError(f"{folder}: needs laser2.pt and laser2.spm as published ({type(error).__name__})") from None
    if spm.trainer_spec.model_type != spm.trainer_spec.UNIGRAM:
        raise KoineError(f"{folder}/laser2.spm: not a unigram model")
    scores = {piece.piece: piece.score for piece in spm.pieces if piece.type == piece.NORMAL}
    # LASER cuts a text by the .spm and looks the pieces up in its dictionary. An id that is no piece of the .spm gets a name
    # with a space, which matches no text; a piece that is not in the dictionary gets an id of its own, with <unk>'s embedding.
    embeddings = weights["embed_tokens.weight"]
    vocabulary = [(f"no {i}", 0.0) for i in range(len(embeddings))]
    vocabulary[: len(SPECIAL)] = [(token, 0.0) for token in SPECIAL]
    for piece in scores.keys() & ids.keys():
        vocabulary[ids[piece]] = (piece, scores[piece])
    unlisted = [(piece, score) for piece, score in scores.items() if piece not in ids]
    embeddings = torch.cat([embeddings, embeddings[UNKNOWN].expand(len(unlisted), -1)])
    state = {key.removeprefix("lstm."): value for key, value in weights.items() if key.startswith("lstm.")}
    lstm = LSTM(
        embedding_dimension=embeddings.shape[1],
        hidden_dim=state["weight_hh_l0"].shape[1],
        num_layers=sum(bool(re.fullmatch(r"weight_hh_l\d+", key)) for key in state),
        bidirectional="weight_hh_l0_reverse" in state,
    )
    lstm.encoder.load_state_dict(state)
    write(out, vocabulary + unlisted, spm.normalizer_spec.precompiled_charsmap, embeddings, lstm)


def write(out: Path, vocabulary: Sequence[tuple[str, float]], charsmap: bytes, embeddings: torch.Tensor, lstm: LSTM) -> None:
    """Write a model of LASER2's architecture.

    Args:
        out: a folder.
        vocabulary: V pieces and their log probabilities; `SPECIAL` come first.
        charsmap: SentencePiece's normalisation, compiled; may be empty.
        embeddings: `[V, e]`.
        lstm: over them.
    """
    tokenizer = tokenizers.Tokenizer(models.Unigram(list(vocabulary), unk_id=UNKNOWN))
    # </s> joins the text before it is cut into pieces, not after: of a long text, WordEmbeddings takes a tokenizer's first ids,
    # whereas tokenizers would put a </s> of their own behind the cut.
    steps = [normalizers.Replace(tokenizers.Regex(r"\s*\z"), "</s>"), normalizers.Lowercase()]
    steps += [normalizers.Precompiled(charsmap)] if charsmap else []
    steps += [normalizers.Replace(tokenizers.Regex(r"\s+"), " "), normalizers.Strip(left=True, right=False)]
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>")  # type: ignore[no-untyped-call]
    words = WordEmbeddings(wrapped, embeddings, update_embeddings=True)
    modules = [words, lstm, Pooling(lstm.get_embedding_dimension(), "max"), Normalize()]
    model = SentenceTransformer(modules=modules, device="cpu")
    PretrainedEncoder(model, wrapped.backend_tokenizer, {"query": " ", "passage": " "}).save(out)  # see registry.yaml
    write_json(out / MANIFEST, {"kind": PretrainedEncoder.kind})


if __name__ == "__main__":
    convert(*map(Path, sys.argv[1:]))
