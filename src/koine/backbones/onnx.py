"""Models that `koine export` wrote, run by onnxruntime on the CPU; needs the extra `onnx`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from koine.backbones.base import Vectors
from koine.backbones.manifest import MANIFEST
from koine.backbones.tokenizer import Side, read_tokenizer
from koine.runtime.device import threads
from koine.runtime.errors import KoineError
from koine.runtime.files import read_json

GRAPH = "model.onnx"
#: int64 `[n, longest]`: token ids, and 1 where they are no padding.
INPUTS = ("input_ids", "attention_mask")
ONLY_ERRORS = 3  # of onnxruntime's log


class OnnxEncoder:
    """An exported model; see `Encoder`.

    Args:
        folder: of `koine export`.

    Raises:
        KoineError: onnxruntime is not installed, or the folder is not whole.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise KoineError(f"{folder}: onnxruntime is not installed ({error}); pip install 'koine[onnx]'") from None
        about = read_json(folder / MANIFEST)
        self.prefixes: dict[Side, str] = about["prefixes"]
        self._dim: int = about["dim"]
        self._tokenizer = read_tokenizer(folder / "tokenizer.json")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads()  # 0: all cores
        options.log_severity_level = ONLY_ERRORS
        try:
            self._session = onnxruntime.InferenceSession(folder / GRAPH, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the library's errors have no parent of their own
            raise KoineError(
                f"{folder / GRAPH}: not a whole model ({str(error).splitlines()[0]}); run koine export again"
            ) from None

    @classmethod
    def load(cls, model: str | Path, device: str = "cpu", revision: str = "") -> Self:
        """See `Encoder.load`; it computes on the CPU, whatever `device` says."""
        return cls(Path(model))

    def encode(self, texts: Sequence[str], side: Side, *, batch_size: int) -> Vectors:
        """See `Encoder.encode`."""
        order = np.argsort([len(text) for text in texts], kind="stable")  # texts of like length together: little padding
        vectors = np.empty((len(texts), self._dim), dtype=np.float32)
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            encodings = self._tokenizer.encode_batch([self.prefixes[side] + texts[row] for row in rows])
            ids, mask = ([getattr(encoding, field) for encoding in encodings] for field in ("ids", "attention_mask"))
            inputs = {name: np.array(values, dtype=np.int64) for name, values in zip(INPUTS, (ids, mask), strict=True)}
            vectors[rows] = self._session.run(None, inputs)[0]
        return vectors
