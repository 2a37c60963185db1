"""The training loop: AdamW with linear warm-up and decay over a batch plan; writes a sentence-transformers folder."""

import json
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch.optim.adamw import adamw

from koine import __version__, backbones
from koine.backbones.base import Kind, TrainableEncoder
from koine.params import Architecture, Optimisation
from koine.runtime.console import progress, say
from koine.runtime.errors import KoineError
from koine.runtime.files import sha256, write_json, write_text
from koine.train.batches import BatchPlan, parse_strategy
from koine.train.loss import info_nce
from koine.train.tokens import TrainingSet

_DROPOUT = 4  # first number of its random stream's seed; `batches` has 0 to 3
LOG_EVERY = 10  # steps between two lines of the training log


def train(
    tokens: Path, out: Path, *, kind: str, backbone: str, source: str, strategy: str, alpha: float, equal_languages: bool,
    seed: int, prefixes: dict[Kind, str], architecture: Architecture, optimisation: Optimisation, device: str,
) -> None:  # fmt: skip
    """Train one model from scratch.

    Args:
        tokens: folder of `tokens.tokenise`.
        out: the model's folder; besides the model it gets koine.json (how it was made, checksums), train.jsonl
            (loss and learning rate every few steps) and a model card.
        kind, backbone: of the backbone, and its name in the tables.
        source: source language.
        strategy, alpha, equal_languages: see `batches`; `untrained` saves the random weights.
        seed: draws weights and batches.
        prefixes: what the tokens' queries and passages were prefixed with; saved with the model.
        architecture, optimisation: of the backbone.
        device: where to train.

    Raises:
        KoineError: too little data for a batch, or the loss is no longer a number.
    """
    torch.set_num_threads(optimisation.threads)
    data = TrainingSet.open(tokens, source)
    model = backbones.create(kind, architecture, tokens / "tokenizer.json", data.passages, seed).to(device)
    model.prefixes = prefixes
    name, share = parse_strategy(strategy, alpha)
    log: list[dict[str, object]] = []
    if name != "untrained":
        plan = BatchPlan(
            data.available, name, alpha=share, batch_size=optimisation.batch_size, steps=optimisation.steps,
            seed=seed, equal_languages=equal_languages,
        )  # fmt: skip
        log = _descend(model, data, plan, optimisation, seed)
    model.save(out)
    write_text(out / "train.jsonl", "".join(json.dumps(line) + "\n" for line in log))
    write_text(out / "README.md", _card(strategy, data, seed))
    write_json(
        out / backbones.MANIFEST,
        {
            "kind": kind,
            "backbone": backbone,
            "strategy": strategy,
            "alpha": share,
            "seed": seed,
            "languages": data.languages,
            "questions": len(data.passage_of),
            "architecture": architecture.model_dump(),
            "optimisation": optimisation.model_dump(),
            "versions": {package: version(package) for package in ("torch", "tokenizers", "transformers")}
            | {"koine": __version__},
            "sha256": {file: sha256(out / file) for file in ("model.safetensors", "tokenizer.json")},
        },
    )


def _descend(
    model: TrainableEncoder, data: TrainingSet, plan: BatchPlan, settings: Optimisation, seed: int
) -> list[dict[str, object]]:
    """All steps of a plan; returns the log."""
    optimizer = AdamW(list(model.parameters()), settings.weight_decay)
    passage_of = torch.from_numpy(data.passage_of)
    log: list[dict[str, object]] = []
    model.train()
    start = time.perf_counter()
    for step, batch in enumerate(progress(plan, "training", len(plan))):
        rate = settings.lr * _schedule(step, settings)
        draw = np.random.default_rng([seed, _DROPOUT, step])
        queries = data.queries.take(data.query_rows[batch.questions, batch.query_langs]).drop(settings.query_dropout, draw)
        passages = data.passages.take(data.passage_rows[batch.questions, batch.passage_langs]).drop(
            settings.passage_dropout, draw
        )
        same = passage_of[torch.from_numpy(batch.questions)].to(model.device)
        with torch.autocast(model.device.type, torch.bfloat16, enabled=settings.bf16):
            vectors = model.pair(queries, passages)
            loss = info_nce(*vectors, same, temperature=settings.temperature, symmetric=settings.symmetric)
        model.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        optimizer.step(rate)
        if step % LOG_EVERY == 0 or step == len(plan) - 1:
            value = float(loss.detach())
            if not np.isfinite(value):
                raise KoineError(f"step {step}: the loss is {value}; lower optimisation.lr")
            log.append({"step": step, "type": batch.type.value, "loss": round(value, 5), "lr": round(rate, 8)})
    seconds = time.perf_counter() - start
    say(f"{len(plan):,} steps in {seconds:.1f} s: {len(plan) * settings.batch_size / seconds:,.0f} pairs/s")
    return log


class AdamW:
    """torch's fused AdamW (Loshchilov and Hutter 2019) with its defaults.

    `torch.optim.AdamW` computes the same, to the bit, but imports torch's compiler first, which takes longer than the
    sample's training.
    """

    def __init__(self, parameters: list[torch.nn.Parameter], weight_decay: float) -> None:
        self._parameters, self._weight_decay = parameters, weight_decay
        self._means = [torch.zeros_like(parameter) for parameter in parameters]
        self._squares = [torch.zeros_like(parameter) for parameter in parameters]
        self._steps = [torch.zeros((), device=parameter.device) for parameter in parameters]

    @torch.no_grad()
    def step(self, lr: float) -> None:
        """Move every parameter that has a gradient."""
        used = [i for i, parameter in enumerate(self._parameters) if parameter.grad is not None]
        states = [[state[i] for i in used] for state in (self._parameters, self._means, self._squares, self._steps)]
        parameters, means, squares, steps = states
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        adamw(
            parameters, gradients, means, squares, [], steps,
            fused=True, amsgrad=False, beta1=0.9, beta2=0.999, lr=lr, weight_decay=self._weight_decay, eps=1e-8, maximize=False,
        )  # fmt: skip


def _schedule(step: int, settings: Optimisation) -> float:
    """Share of the peak learning rate at a step: linear warm-up, then linear decay to 0."""
    warmup = round(settings.warmup * settings.steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return (settings.steps - step) / max(1, settings.steps - warmup)


def _card(strategy: str, data: TrainingSet, seed: int) -> str:
    """A short model card."""
    languages = "\n".join(f"- {lang}" for lang in data.languages)
    return f"""---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
language:
{languages}
---
# A Koine retriever

Trained from scratch with the `{strategy}` strategy (seed {seed}) on {len(data.passage_of):,} questions in
{len(data.languages)} languages. How it was made stands in `koine.json`; how well it retrieves, in the
`results/` of the experiment that made it.

    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer("this folder")
    vectors = model.encode_query(["a question"]) @ model.encode_document(["a passage"]).T
"""
