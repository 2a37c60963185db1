"""The training loop: AdamW with linear warm-up and decay over a batch plan; writes a sentence-transformers folder."""

import json
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch.optim.adamw import adamw

from koine import __version__, backbones
from koine.backbones.base import Kind, TrainableEncoder
from koine.params import Architecture, Languages, Optimisation, Start
from koine.runtime.console import progress, say
from koine.runtime.errors import KoineError
from koine.runtime.files import sha256, write_json, write_text
from koine.runtime.hub import local_model
from koine.train.batches import Batch, BatchPlan, parse_strategy, parts
from koine.train.checkpoint import Checkpoints, Log, State, key, stop, stopping
from koine.train.loss import info_nce
from koine.train.surgery import Surgery
from koine.train.tokens import TrainingSet

_DROPOUT = 4  # first number of its random stream's seed; `batches` has 0 to 3
LOG_EVERY = 10  # steps between two lines of the training log


def train(
    tokens: Path, out: Path, *, kind: str, backbone: str, source: str, strategy: str, alpha: float, languages: Languages,
    seed: int, prefixes: dict[Kind, str], architecture: Architecture, optimisation: Optimisation, device: str,
    start: Start | None = None, checkpoint_seconds: float = 600,
) -> None:  # fmt: skip
    """Train one model.

    Args:
        tokens: folder of `tokens.tokenise`.
        out: the model's folder; besides the model it gets koine.json (how it was made, checksums), train.jsonl
            (loss and learning rate every few steps) and a model card.
        kind, backbone: of the backbone, and its name in the tables.
        source: source language.
        strategy, alpha, languages: see `batches`; `untrained` saves the random weights.
        seed: draws weights and batches.
        prefixes: what the tokens' queries and passages were prefixed with; saved with the model.
        architecture, optimisation: of the backbone.
        device: where to train.
        start: the pretrained model that a backbone of that kind starts from.
        checkpoint_seconds: between two checkpoints, which lie in `.<name of out>` beside `out`; changes no result.

    Raises:
        KoineError: too little data for a batch, or the loss is no longer a number.
        SystemExit: SIGTERM or SIGUSR1 came; a checkpoint is written, and the same call goes on from it.
    """
    torch.set_num_threads(optimisation.threads)
    data = TrainingSet.open(tokens, source)
    model = backbones.create(kind, start or Start(), architecture, tokens / "tokenizer.json", data.passages, seed).to(device)
    model.prefixes = prefixes
    name, share = parse_strategy(strategy, alpha)
    shape = (
        {"start": start.model_dump()}
        if start is not None and kind == "pretrained"
        else {"architecture": architecture.model_dump()}
    )
    settings = {**shape, "optimisation": optimisation.model_dump()}
    log: Log = []
    if name != "untrained":
        steps = max(1, optimisation.steps // 2) if name.endswith("-half") else optimisation.steps
        plans = [
            (BatchPlan(
                data.available, part, alpha=share, batch_size=optimisation.batch_size, steps=steps, seed=seed,
                languages=languages,
            ), weight)
            for part, weight in parts(name, share)
        ]  # fmt: skip
        surgery = Surgery(name.removesuffix("-half")) if name.startswith(("pcgrad", "gradvac")) else None
        inputs = {
            **settings,
            "kind": kind,
            "source": source,
            "plan": [name, share, languages.model_dump()],
            "seed": seed,
            "device": device,
        }
        files = [tokens / file for file in ("tokenizer.json", "queries.arrow", "passages.arrow")]
        if start is not None and start.model:
            files += sorted(local_model(start.model, start.revision).rglob("*.safetensors"))
        checkpoints = Checkpoints(out.parent / f".{out.name}", key(inputs, files), checkpoint_seconds)
        log = _descend(model, data, plans, surgery, optimisation, seed, checkpoints)
        checkpoints.clear()
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
            **settings,
            "versions": {package: version(package) for package in ("torch", "tokenizers", "transformers")}
            | {"koine": __version__},
            "sha256": {file: sha256(out / file) for file in ("model.safetensors", "tokenizer.json")},
        },
    )


def _descend(
    model: TrainableEncoder, data: TrainingSet, plans: list[tuple[BatchPlan, float]], surgery: Surgery | None,
    settings: Optimisation, seed: int, checkpoints: Checkpoints,
) -> Log:  # fmt: skip
    """All steps that are not done yet; returns the log. A step has a batch of every plan, its loss times the plan's weight."""
    parameters = list(model.parameters())
    optimizer = AdamW(parameters, settings.weight_decay)
    steps = len(plans[0][0])
    first, log = 0, Log()
    if state := checkpoints.latest():
        optimizer.load(state.tensors)
        if surgery:
            surgery.load(state.tensors)
        first, log = state.step, state.log
        say(f"goes on after step {first:,} of {steps:,}")
    model.train()
    pairs, tokens, start = 0, 0, time.perf_counter()

    def rates() -> str:
        seconds = time.perf_counter() - start
        return f", {pairs / seconds:,.0f} pairs/s, {tokens / seconds:,.0f} tokens/s"

    with checkpoints.stream(log) as written, stopping() as signalled:
        for step in progress(range(first, steps), "training", note=rates):
            rate = settings.lr * _schedule(step, steps, settings)
            torch.manual_seed((seed << 32) + step)  # dropout of pretrained models: of this step, wherever the run began
            draw = np.random.default_rng([seed, _DROPOUT, step])
            model.zero_grad(set_to_none=True)
            losses, gradients = [], []
            for plan, weight in plans:
                loss, read = _backward(model, data, plan[step], weight, settings, draw)
                pairs, tokens = pairs + settings.batch_size, tokens + read
                losses.append((plan.type(step), loss))
                if surgery:
                    gradients.append(_taken(parameters))
            cosine = None
            if surgery:
                joint, cosine = surgery.join(gradients)
                for parameter, gradient in zip(parameters, joint, strict=True):
                    parameter.grad = gradient
            optimizer.step(rate)
            if step % LOG_EVERY == 0 or step == steps - 1:
                norm = round(_norm(parameters), 5)
                for kind, loss in losses:
                    if not torch.isfinite(loss):
                        raise KoineError(f"step {step}: the loss is {float(loss)}; lower optimisation.lr")
                    line: dict[str, object] = {
                        "step": step,
                        "type": kind.value,
                        "loss": round(float(loss), 5),
                        "lr": round(rate, 8),
                    }
                    written(line | {"gradient_norm": norm} | ({} if cosine is None else {"cosine": round(cosine, 5)}))
            if (came := signalled()) or checkpoints.due():
                checkpoints.save(State(step + 1, optimizer.state() | (surgery.state() if surgery else {}), log))
            if came:
                stop(came, f"after step {step + 1:,} of {steps:,}")
    return log


def _backward(
    model: TrainableEncoder, data: TrainingSet, batch: Batch, weight: float, settings: Optimisation, draw: np.random.Generator
) -> tuple[torch.Tensor, int]:
    """Add the gradient of a batch's weighted loss; returns the loss, and how many tokens were read.

    With `settings.chunk`, by GradCache (arXiv 2101.06983): vectors without a graph, the loss and its gradient by them, then
    each chunk again with a graph, and dropout as it was. Memory is that of a chunk, the gradient that of the batch.
    """
    queries = data.queries.take(data.query_rows[batch.questions, batch.query_langs]).drop(settings.query_dropout, draw)
    passages = data.passages.take(data.passage_rows[batch.questions, batch.passage_langs]).drop(settings.passage_dropout, draw)
    read = len(queries.ids) + len(passages.ids)
    same = torch.from_numpy(data.passage_of[batch.questions]).to(model.device)
    rows = np.arange(len(queries))
    chunks = np.split(rows, rows[settings.chunk :: settings.chunk]) if 0 < settings.chunk < len(rows) else [rows]
    dropout = torch.initial_seed()

    def encoded(number: int) -> tuple[torch.Tensor, torch.Tensor]:
        torch.manual_seed(dropout + (number << 48))
        with torch.autocast(model.device.type, torch.bfloat16, enabled=settings.bf16):
            return model.pair(queries.take(chunks[number]), passages.take(chunks[number]))

    def loss_of(vectors: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        with torch.autocast(model.device.type, torch.bfloat16, enabled=settings.bf16):
            return info_nce(*vectors, same, temperature=settings.temperature, symmetric=settings.symmetric)

    if len(chunks) == 1:
        loss = loss_of(encoded(0))
        torch.autograd.backward(weight * loss)
        return loss.detach(), read
    with torch.no_grad():
        parts = [encoded(number) for number in range(len(chunks))]
    one, two = (torch.cat(side).requires_grad_() for side in zip(*parts, strict=True))
    loss = loss_of((one, two))
    torch.autograd.backward(weight * loss)
    for number, own in enumerate(chunks):
        torch.autograd.backward(encoded(number), (one.grad[own], two.grad[own]))  # type: ignore[index]
    return loss.detach(), read


def _taken(parameters: list[torch.nn.Parameter]) -> list[torch.Tensor]:
    """The gradients, which are then none."""
    gradients = []
    for parameter in parameters:
        gradients.append(torch.zeros_like(parameter) if parameter.grad is None else parameter.grad)
        parameter.grad = None
    return gradients


def _norm(parameters: list[torch.nn.Parameter]) -> float:
    """Euclidean length of the gradient."""
    norms = [parameter.grad.norm() for parameter in parameters if parameter.grad is not None]
    return float(torch.stack(norms).norm())


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

    def state(self) -> dict[str, torch.Tensor]:
        """The parameters and all that a later step depends on."""
        return {name: value.detach().cpu().contiguous() for name, value in self._named().items()}

    @torch.no_grad()
    def load(self, state: dict[str, torch.Tensor]) -> None:
        """Take up a `state`."""
        for name, value in self._named().items():
            value.copy_(state[name])

    def _named(self) -> dict[str, torch.Tensor]:
        lists: dict[str, Sequence[torch.Tensor]]
        lists = {"parameter": self._parameters, "mean": self._means, "square": self._squares, "steps": self._steps}
        return {f"{name}.{i}": value for name, own in lists.items() for i, value in enumerate(own)}

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


def _schedule(step: int, steps: int, settings: Optimisation) -> float:
    """Share of the peak learning rate at a step: linear warm-up, then linear decay to 0."""
    warmup = round(settings.warmup * steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return (steps - step) / max(1, steps - warmup)


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

Trained with the `{strategy}` strategy (seed {seed}) on {len(data.passage_of):,} questions in
{len(data.languages)} languages. How it was made stands in `koine.json`; how well it retrieves, in the
`results/` of the experiment that made it.

    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer("this folder")
    vectors = model.encode_query(["a question"]) @ model.encode_document(["a passage"]).T
"""
