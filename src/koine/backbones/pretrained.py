"""`pretrained`: any sentence-transformers model, from a folder or the Hub, as it is."""

from collections.abc import Sequence

import numpy as np

from koine.backbones.base import Kind, Vectors
from koine.runtime.errors import KoineError
from koine.runtime.hub import on_disk


class PretrainedEncoder:
    """A frozen sentence-transformers model with its own prompts and pooling.

    Args:
        model: folder or Hub id; `KOINE_MODELS=DIR` answers a Hub id with DIR/ORG/NAME.
        device: where it computes.

    Raises:
        KoineError: neither a model folder nor reachable on the Hub.
    """

    def __init__(self, model: str, device: str) -> None:
        from sentence_transformers import SentenceTransformer

        try:
            self._model = SentenceTransformer(str(on_disk(model) or model), device=device)
        except (OSError, ValueError) as error:
            raise KoineError(f"{model}: no model that sentence-transformers loads ({error}); offline, see KOINE_MODELS") from None

    def encode(self, texts: Sequence[str], kind: Kind, *, batch_size: int) -> Vectors:
        """See `Encoder.encode`; `kind` uses the model's own query and document prompts."""
        encode = self._model.encode_query if kind == "query" else self._model.encode_document
        vectors = encode(list(texts), batch_size=batch_size, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32)
