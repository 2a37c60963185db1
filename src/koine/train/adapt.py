"""Unsupervised domain adaptation: objectives that train an encoder on texts alone, before it is trained on pairs.

    mlm     masked language modelling: tokens are hidden, and the state at each has to tell which it was
            (BERT, arXiv 1810.04805; on texts of the domain it is DAPT, arXiv 2004.10964)
    tsdae   most tokens are deleted, and from the vector of what is left a decoder has to write the text
            (arXiv 2104.06979)

An objective trains the encoder's own weights, so that the encoder can be saved at any time, and has a head besides: that of
the architecture in transformers, with the weights that the encoder's folder holds for it, the rest new.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from copy import deepcopy
from logging import ERROR
from pathlib import Path
from typing import Any, ClassVar, Self, cast

import numpy as np
import numpy.typing as npt
import torch
from sentence_transformers.sentence_transformer.losses.denoising_auto_encoder import _tie_encoder_decoder_weights
from torch import nn
from torch.nn import functional
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_MASKED_LM_MAPPING, PreTrainedConfig, PreTrainedModel
from transformers.utils import logging

from koine.backbones.base import TrainableEncoder, length_groups
from koine.backbones.tokenizer import Tokens
from koine.runtime.errors import KoineError
from koine.train.optimiser import biases_and_norms
from koine.train.task import VALIDATION, BatchLoss, Setup
from koine.train.tokens import TrainingSet

HIDDEN = 0.15  # of the tokens, in `mlm`
MASKED, SWAPPED = 0.8, 0.1  # of the hidden ones; the others stay as they are
DELETED = 0.6  # of the tokens, in `tsdae`
_DAMAGE, _TEXTS = 8, 9  # first numbers of the seeds of random streams; `batches` and `contrastive` have the others
IGNORED = -100  # label of a token that is not to be told


class Objective(nn.Module, ABC):
    """A loss of texts. Its parameters are the encoder's, then those of the head.

    Args:
        encoder: is trained.
        model: language model that has the encoder's weights and a head.

    Attributes:
        name: in logs and messages.
        heads: transformers' classes with such a head, by the class of the configuration.
        able: the backbones of ours that have one.
    """

    name: ClassVar[str]
    heads: ClassVar[Any]
    able: ClassVar[str]

    def __init__(self, encoder: TrainableEncoder, model: PreTrainedModel) -> None:
        super().__init__()
        self.encoder = encoder
        self.model = model
        added = encoder.tokenizer.get_added_tokens_decoder()
        self._special = np.array([token for token, content in added.items() if content.special])

    @classmethod
    @abstractmethod
    def of(cls, encoder: TrainableEncoder, base: PreTrainedModel) -> Self:
        """The objective of an encoder whose transformer is `base`."""

    @classmethod
    def takes(cls, config: PreTrainedConfig) -> bool:
        """Whether transformers has such a head for an architecture."""
        return type(config) in cls.heads and not config.is_encoder_decoder

    @classmethod
    def with_head(cls, config: PreTrainedConfig, dtype: torch.dtype) -> PreTrainedModel:
        """The model of a configuration with its head, and the weights that the folder of the configuration has for it."""
        made = cls.heads[type(config)]
        folder = config._name_or_path
        verbosity = logging.get_verbosity()
        logging.set_verbosity(ERROR)  # a head that the folder lacks is no news
        try:
            if folder and (Path(folder) / "config.json").is_file():
                return cast(PreTrainedModel, made.from_pretrained(folder, config=config, dtype=dtype, use_safetensors=True))
            return cast(PreTrainedModel, made(config))
        finally:
            logging.set_verbosity(verbosity)

    @abstractmethod
    def forward(self, tokens: Tokens, draw: np.random.Generator) -> torch.Tensor:
        """Mean loss, a scalar, of n texts; `draw` damages them."""

    def _nll(self, inputs: Tokens, labels: Tokens, vectors: torch.Tensor | None = None) -> torch.Tensor:
        """Mean of `-log p(label | inputs, vector of the text)`; texts of like length are read together.

        Args:
            inputs: n texts.
            labels: of each token of `inputs`, or `IGNORED`.
            vectors: what a decoder attends to, `[n, d]`.
        """
        device, sums = self.encoder.device, []
        for rows in length_groups(inputs.lengths, device):
            ids, mask = inputs.take(rows).padded(self.model.config.pad_token_id)
            self.encoder.read += int(mask.sum()), mask.size
            targets = labels.take(rows).padded(IGNORED)[0].ravel()
            told = np.flatnonzero(targets != IGNORED)
            places = torch.from_numpy(told).to(device)

            def at_places(module: nn.Module, arguments: Any, output: Any, places: torch.Tensor = places) -> Any:
                output.last_hidden_state = output.last_hidden_state.flatten(0, 1)[places][None]
                return output

            texts = {"input_ids": torch.from_numpy(ids).to(device), "attention_mask": torch.from_numpy(mask).to(device)}
            if vectors is not None:
                texts["encoder_hidden_states"] = vectors[torch.from_numpy(rows).to(device), None]
            # Logits are as wide as the vocabulary: only where there is something to tell.
            with self.model.base_model.register_forward_hook(at_places):
                logits = self.model(**texts).logits[0]
            sums.append(functional.cross_entropy(logits.float(), torch.from_numpy(targets[told]).to(device), reduction="sum"))
        return torch.stack(sums).sum() / max(1, int((labels.ids != IGNORED).sum()))


class MaskedLanguageModel(Objective):
    """`mlm`: 15 % of the tokens are to be told; 80 % of them are masked, 10 % swapped for others, 10 % as they were."""

    name = "mlm"
    heads = MODEL_FOR_MASKED_LM_MAPPING
    able = "XLM-R (also E5, BGE-M3), BERT (mBERT, LaBSE), ModernBERT (mmBERT) or kind transformer"

    def __init__(self, encoder: TrainableEncoder, model: PreTrainedModel) -> None:
        super().__init__(encoder, model)
        self._mask = encoder.mask_token
        self._ordinary = np.setdiff1d(np.arange(encoder.tokenizer.get_vocab_size()), self._special)

    @classmethod
    def of(cls, encoder: TrainableEncoder, base: PreTrainedModel) -> Self:
        """See `Objective.of`."""
        model = cls.with_head(deepcopy(base.config), base.dtype)
        setattr(model, model.base_model_prefix, base)
        model.tie_weights()
        return cls(encoder, model)

    def forward(self, tokens: Tokens, draw: np.random.Generator) -> torch.Tensor:
        """See `Objective.forward`."""
        return self._nll(*self.mask(tokens, draw))

    def mask(self, tokens: Tokens, draw: np.random.Generator) -> tuple[Tokens, Tokens]:
        """The texts with some tokens hidden, and labels: what these were, `IGNORED` for the others."""
        hidden = (draw.random(len(tokens.ids)) < HIDDEN) & ~np.isin(tokens.ids, self._special)
        fate, other = draw.random(len(tokens.ids)), draw.choice(self._ordinary, len(tokens.ids))
        shown = np.select([~hidden, fate < MASKED, fate < MASKED + SWAPPED], [tokens.ids, self._mask, other], tokens.ids)
        labels = np.where(hidden, tokens.ids, IGNORED)
        return Tokens(shown.astype(np.int32), tokens.offsets), Tokens(labels.astype(np.int32), tokens.offsets)


class DenoisingAutoEncoder(Objective):
    """`tsdae`: 60 % of the tokens are deleted, and a decoder, whose weights are the encoder's, writes the text from its vector.

    The vector is the encoder's as retrieval uses it, normalised (the paper's is not): its direction has to say everything.
    Tokens are deleted, not words: Chinese and Thai have no spaces.
    """

    name = "tsdae"
    heads = MODEL_FOR_CAUSAL_LM_MAPPING
    able = "XLM-R (also E5, BGE-M3), BERT (mBERT, LaBSE) or kind transformer"

    @classmethod
    def of(cls, encoder: TrainableEncoder, base: PreTrainedModel) -> Self:
        """See `Objective.of`."""
        config = deepcopy(base.config)
        config.is_decoder = config.add_cross_attention = True
        config.use_cache = False
        model = cls.with_head(config, base.dtype)
        # The helper gives its first argument the second one's parameters: the encoder keeps its own.
        _tie_encoder_decoder_weights(model.base_model, base)
        model.tie_weights()
        return cls(encoder, model)

    @classmethod
    def takes(cls, config: PreTrainedConfig) -> bool:
        """Whether transformers has such a decoder for an architecture, one that attends to a vector."""
        return super().takes(config) and hasattr(config, "add_cross_attention")

    def forward(self, tokens: Tokens, draw: np.random.Generator) -> torch.Tensor:
        """See `Objective.forward`."""
        first, last = (np.isin(np.arange(len(tokens.ids)), ends) for ends in (tokens.offsets[:-1], tokens.offsets[1:] - 1))
        return self._nll(tokens.keep(~last), tokens.keep(~first), self.encoder(self.delete(tokens, draw)))

    def delete(self, tokens: Tokens, draw: np.random.Generator) -> Tokens:
        """The texts without most of their tokens; the special ones stay, and at least one other."""
        special = np.isin(tokens.ids, self._special)
        luck = np.where(special, 1.0, draw.random(len(tokens.ids)))
        luckiest = np.maximum.reduceat(np.where(special, 0.0, luck), tokens.offsets[:-1])
        return tokens.keep((luck >= DELETED) | (luck == np.repeat(luckiest, tokens.lengths)))


def objective(kind: type[Objective], model: TrainableEncoder, seed: int = 0) -> Objective:
    """What an encoder is adapted with.

    Args:
        kind: of objective.
        model: the encoder, a transformer; its weights are trained in place.
        seed: draws the new weights of the head.

    Raises:
        KoineError: the encoder has no context, or transformers has no such head for its architecture.
    """
    base = model.language_model
    if not kind.takes(base.config):
        name = base.config.model_type
        raise KoineError(f"{kind.name}: transformers has no head for encoders of type {name}; take {kind.able}")
    torch.manual_seed(seed)
    return kind.of(model, base).to(model.device)


def mlm(setup: Setup) -> "Unsupervised":
    """Masked language modelling on a strategy's texts."""
    return Unsupervised(MaskedLanguageModel, setup)


def tsdae(setup: Setup) -> "Unsupervised":
    """Denoising of a strategy's texts."""
    return Unsupervised(DenoisingAutoEncoder, setup)


class Unsupervised:
    """Training on texts alone: batches of questions and passages of all languages, each text once in an epoch; see `task.Task`.

    Args:
        kind: of objective.
        setup: what is trained, and on which texts; a batch has `batch_size` of them. The loss is the mean of the processes'.

    Raises:
        KoineError: there are fewer texts than a batch has, or the encoder cannot be adapted so.
    """

    batches = 1

    def __init__(self, kind: type[Objective], setup: Setup) -> None:
        self._objective = objective(kind, setup.model, setup.seed)
        self._objective.train()
        self._optimisation, self._seed, self._processes = setup.optimisation, setup.seed, setup.processes
        self._texts = _texts(setup.data, setup.available)
        size = self._optimisation.batch_size
        if len(self._texts) < size:
            raise KoineError(f"{kind.name}: only {len(self._texts)} texts, fewer than batch_size {size}; lower it")

    @property
    def parameters(self) -> list[torch.nn.Parameter]:
        """The encoder's and the head's."""
        return list(self._objective.parameters())

    @property
    def undecayed(self) -> list[torch.nn.Parameter]:
        """Biases and norms."""
        return biases_and_norms(self._objective)

    def draw(self, step: int) -> np.random.Generator:
        """The random numbers of a step, which are a process's own."""
        return np.random.default_rng([self._seed, _DAMAGE, step, self._processes.number])

    def learned(self) -> dict[str, float]:
        """Nothing but weights."""
        return {}

    def watched(self) -> None:
        """There are no pairs."""

    def backward(self, batch: int, step: int, draw: np.random.Generator) -> BatchLoss:
        """Add the gradient of a step's batch; it has one."""
        size = self._optimisation.batch_size
        epoch, place = divmod(step, len(self._texts) // size)
        order = np.random.default_rng([self._seed, _TEXTS, epoch]).permutation(len(self._texts))
        rows = np.array_split(order[place * size : (place + 1) * size], self._processes.count)[self._processes.number]
        texts = self._texts.take(rows)
        torch.manual_seed((self._seed << 32) + step)
        with torch.autocast(self._objective.encoder.device.type, torch.bfloat16, enabled=self._optimisation.bf16):
            loss = self._objective(texts, draw)
        torch.autograd.backward(loss / self._processes.count)
        return BatchLoss(self._objective.name, loss.detach(), len(rows), len(texts.ids))

    def validation_loss(
        self, data: TrainingSet, questions: npt.NDArray[np.int64], languages: list[int]
    ) -> Callable[[], dict[str, float]]:
        """See `task.Task.validation_loss`: the loss of the objective, on texts that are damaged in the same way each time."""
        counted = np.isin(np.arange(len(data.available)), questions)[:, None] & np.isin(np.arange(len(data.languages)), languages)
        texts = _texts(data, data.available & counted)
        if not len(texts):
            raise KoineError("train.validation: no question is left for the validation loss; raise share")
        batches = np.array_split(np.arange(len(texts)), math.ceil(len(texts) / self._optimisation.batch_size))
        device = self._objective.encoder.device.type

        @torch.no_grad()
        def measured() -> dict[str, float]:
            self._objective.eval()
            total = 0.0
            for number, rows in enumerate(batches):
                draw = np.random.default_rng([VALIDATION, _DAMAGE, number])
                with torch.autocast(device, torch.bfloat16, enabled=self._optimisation.bf16):
                    total += float(self._objective(texts.take(rows), draw)) * len(rows)
            self._objective.train()
            return {"loss": round(total / len(texts), 5)}

        return measured


def _texts(data: TrainingSet, available: npt.NDArray[np.bool_]) -> Tokens:
    """The questions that count in a language, `[n, L]`, and their passages, each once."""
    return data.queries.take(data.query_rows[available]) + data.passages.take(np.unique(data.passage_rows[available]))
