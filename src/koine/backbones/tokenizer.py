"""Tokenizers, trained on the recipe's own texts or taken from a pretrained model, and texts as token ids."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from koine.params import Start, Tokenizer
from koine.runtime.errors import KoineError
from koine.runtime.files import atomic
from koine.runtime.hub import local_model

Side = Literal["query", "passage"]  # of a pair; each has its prefix
#: In XLM-R's order, so that padding is id 1 as its position embeddings expect.
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")


@dataclass(frozen=True)
class Tokens:
    """Ragged token ids: text i is `ids[offsets[i] : offsets[i + 1]]`; `ids` int32 `[T]`, `offsets` int64 `[n + 1]`."""

    ids: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def take(self, rows: npt.NDArray[np.int64]) -> "Tokens":
        """The texts at `rows`, in that order."""
        starts, lengths = self.offsets[rows], self.offsets[rows + 1] - self.offsets[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        positions = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
        return Tokens(self.ids[positions], offsets)

    def drop(self, rate: float, draw: np.random.Generator) -> "Tokens":
        """Leave out a share of the tokens at random; the first one of each text stays."""
        if not rate:
            return self
        keep = draw.random(len(self.ids)) >= rate
        keep[self.offsets[:-1][self.lengths > 0]] = True
        return self.keep(keep)

    def keep(self, which: npt.NDArray[np.bool_]) -> "Tokens":
        """The same texts with only some of their tokens; `which` is `[T]`."""
        kept = np.concatenate([[0], np.cumsum(which)])
        return Tokens(self.ids[which], kept[self.offsets])

    def padded(self, padding: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Token ids, padded on the right, and where they are no padding, both `[n, longest]`."""
        mask = np.arange(self.lengths.max(initial=0)) < self.lengths[:, None]
        ids = np.full(mask.shape, padding, dtype=np.int64)
        ids[mask] = self.ids
        return ids, mask

    def __add__(self, other: "Tokens") -> "Tokens":
        """The texts of both, one after the other."""
        ids = np.concatenate([self.ids, other.ids])
        return Tokens(ids, np.concatenate([self.offsets, other.offsets[1:] + self.offsets[-1]]))

    def document_frequency(self, vocab_size: int) -> npt.NDArray[np.int64]:
        """In how many texts each token occurs, int64 `[vocab_size]`."""
        text = np.repeat(np.arange(len(self)), self.lengths)
        return np.bincount(np.unique(text * vocab_size + self.ids) % vocab_size, minlength=vocab_size)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens per text, `[n]`."""
        return np.diff(self.offsets)


def train_tokenizer(texts: Iterable[str], wanted: Tokenizer, out: Path) -> None:
    """Train a byte-pair tokenizer and save it as tokenizer.json, with truncation, without padding.

    Byte pairs, because the trainers of `tokenizers` for WordPiece and Unigram give other files in each process
    (they number pieces in the order of a randomly seeded hash map), and tables here are the same to the byte.

    Args:
        texts: training texts of all languages; the same texts in the same order give the same file.
        wanted: size, case, length.
        out: the file.
    """
    tokenizer = tokenizers.Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.BertPreTokenizer(), pre_tokenizers.Metaspace()])
    folds: list[normalizers.Normalizer] = [normalizers.NFKC()]
    if wanted.lowercase:
        folds.append(normalizers.Lowercase())
    tokenizer.normalizer = normalizers.Sequence(folds)
    trainer = trainers.BpeTrainer(vocab_size=wanted.vocab_size, special_tokens=list(SPECIAL), show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    first, last = tokenizer.token_to_id("<s>"), tokenizer.token_to_id("</s>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", first), ("</s>", last)]
    )
    tokenizer.enable_truncation(wanted.max_length)
    with atomic(out) as temporary:
        temporary.write_text(tokenizer.to_str(pretty=True), encoding="utf-8")


def start_tokenizer(start: Start, longest: int) -> tokenizers.Tokenizer:
    """The tokenizer of a pretrained model, which cuts texts at `longest` tokens, its special tokens among them.

    Raises:
        KoineError: the model has none of the fast kind (tokenizer.json).
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast  # takes seconds

    folder = local_model(start.model, start.revision)
    try:
        fast = AutoTokenizer.from_pretrained(folder)
    except (OSError, ValueError, ImportError) as error:
        raise KoineError(f"{folder}: holds no tokenizer that transformers loads: {str(error).splitlines()[0]}") from None
    if not isinstance(fast, PreTrainedTokenizerFast):
        raise KoineError(f"{folder}: needs a tokenizer of the fast kind (tokenizer.json)")
    tokenizer = tokenizers.Tokenizer.from_str(fast.backend_tokenizer.to_str())
    tokenizer.enable_truncation(longest)
    tokenizer.no_padding()
    return tokenizer


def max_length(tokenizer: tokenizers.Tokenizer) -> int:
    """At how many tokens a tokenizer of `train_tokenizer` or `start_tokenizer` cuts a text."""
    truncation = tokenizer.truncation
    assert truncation is not None, "made by train_tokenizer or start_tokenizer, which set it"
    return int(truncation["max_length"])


def read_tokenizer(path: Path) -> tokenizers.Tokenizer:
    """Open a tokenizer.json.

    Raises:
        KoineError: missing, cut short or something else.
    """
    try:
        return tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise KoineError(f"{path}: not a whole tokenizer ({error}); delete it and run again") from None


def tokenize(tokenizer: tokenizers.Tokenizer, texts: Sequence[str], prefix: str, special: bool) -> Tokens:
    """Token ids of texts, each with `prefix` before it; `special` adds `<s>` and `</s>`."""
    encodings = tokenizer.encode_batch_fast([prefix + text for text in texts], add_special_tokens=special)
    ids = [np.array(encoding.ids, dtype=np.int32) for encoding in encodings]
    offsets = np.concatenate([[0], np.cumsum([len(text) for text in ids])]).astype(np.int64)
    return Tokens(np.concatenate([np.empty(0, dtype=np.int32), *ids]), offsets)


def write_tokens(path: Path, tokens: Tokens, rows: pl.DataFrame) -> None:
    """Write token ids beside the columns of `rows`, as an uncompressed Arrow file: reading it maps memory, copies nothing."""
    lists = pa.LargeListArray.from_arrays(pa.array(tokens.offsets), pa.array(tokens.ids))
    table = rows.rechunk().to_arrow().append_column("tokens", lists)  # in one piece, as it is mapped
    with atomic(path) as temporary, pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=max(1, len(table)))


def read_tokens(path: Path) -> tuple[Tokens, pl.DataFrame]:
    """Memory-map what `write_tokens` wrote: the token ids and the other columns.

    Raises:
        KoineError: missing or cut short.
    """
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    except (FileNotFoundError, pa.ArrowInvalid) as error:
        raise KoineError(f"{path}: not a whole token file ({error}); delete it and run again") from None
    lists = table.column("tokens").chunk(0)
    tokens = Tokens(lists.values.to_numpy(), lists.offsets.to_numpy())
    return tokens, pl.DataFrame(pl.from_arrow(table.drop_columns(["tokens"])))
