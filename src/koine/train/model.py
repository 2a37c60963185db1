"""The command of the train step: one model, from token files to a sentence-transformers folder."""

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from koine import __version__, backbones
from koine.backbones.base import Side, TrainableEncoder
from koine.params import Architecture, Datasets, Languages, Optimisation, Start, Validation
from koine.runtime.errors import KoineError
from koine.runtime.files import read_json, sha256, text_id, write_json, write_text
from koine.runtime.hub import local_model
from koine.strategies import CROSS, MONO, Batches, Chain, Strategy
from koine.train.batches import BatchPlan
from koine.train.checkpoint import Checkpoints, key
from koine.train.contrastive import Contrastive
from koine.train.loop import Task, descend, validations
from koine.train.metrics import Log, Tracker
from koine.train.ranks import Ranks
from koine.train.surgery import Surgery
from koine.train.tokens import TrainingSet


def train(
    tokens: Path, out: Path, *, kind: str, backbone: str, source: str, strategy: str, alpha: float, languages: Languages,
    seed: int, prefixes: dict[Side, str], architecture: Architecture, optimisation: Optimisation, device: str,
    start: Start = Start(), further: Path | None = None, mined: Path | None = None, datasets: Datasets = Datasets(),
    validation: Validation = Validation(), only: Sequence[str] = (), gradient_cosine_every: int = 0,
    checkpoint_seconds: float = 600, track: Tracker = "none",
) -> None:  # fmt: skip
    """Train one model.

    Args:
        tokens: folder of `tokens.tokenise`.
        out: the model's folder; besides the model it gets koine.json (how it was made, checksums), train.jsonl
            (loss and learning rate every few steps), speed.jsonl and a model card.
        kind, backbone: of the backbone, and its name in the tables.
        source: source language.
        strategy, alpha, languages: see `batches`; `untrained` saves what training starts from. Of a chain the last training
            is done.
        seed: draws weights and batches.
        prefixes: what the tokens' queries and passages were prefixed with; saved with the model.
        architecture, optimisation: of the backbone.
        device: where to train.
        start: the pretrained model that a backbone of that kind starts from.
        further: the model of the chain before, which is trained further.
        mined: negatives of `mine.mine`.
        datasets, validation: which questions are trained on, and on which the validation loss is measured instead.
        only: languages that are trained in; empty for all that there are.
        gradient_cosine_every: steps between two looks at the cosine of a monolingual and a cross-lingual gradient; 0: none.
        checkpoint_seconds: between two checkpoints, which lie in `.<name of out>` beside `out`; changes no result.
        track: where the curves are sent, too.

    Raises:
        KoineError: too little data for a batch, or the loss is no longer a number.
        SystemExit: SIGTERM or SIGUSR1 came; a checkpoint is written, and the same call goes on from it.
    """
    chain = Chain.parse(strategy)
    if chain.debias or bool(chain.before) != bool(further):
        raise KoineError(
            f"--strategy {strategy}: "
            + (f"{chain.debias} is done by encode-debias" if chain.debias else "--further goes with chains, as daft+hybrid")
        )
    torch.set_num_threads(optimisation.threads)
    ranks = Ranks.join(device)
    data = TrainingSet.open(tokens, source, mined)
    data = data.within(only) if only else data
    model = _start(further, tokens, kind, start, architecture, data, seed).to(ranks.device)
    model.prefixes = prefixes
    own = chain.last.strategy
    share = alpha if chain.last.alpha is None else chain.last.alpha
    shape = {"start": start.model_dump()} if kind == "pretrained" else {"architecture": architecture.model_dump()}
    settings = {
        **shape,
        "optimisation": optimisation.model_dump(),
        "datasets": datasets.model_dump(),
        "validation": validation.model_dump(),
    }
    inputs = {**settings, "kind": kind, "source": source, "plan": [strategy, share, languages.model_dump()], "seed": seed}
    inputs |= {
        "device": device,
        "languages": data.languages,
        "processes": ranks.size,
        "gradient_cosine_every": gradient_cosine_every,
    }
    files = [tokens / file for file in ("tokenizer.json", "queries.arrow", "passages.arrow")]
    files += [further / "model.safetensors"] if further else []
    files += [mined] if mined else []
    if start.model:
        files += sorted(local_model(start.model, start.revision).rglob("*.safetensors"))
    checkpoints = Checkpoints(out.parent / f".{out.name}", key(inputs, files), checkpoint_seconds)
    log: Log = []
    found: dict[str, object] = {}
    if own.objective != "nothing":
        whole, unseen = data, _unseen(data, validation)
        data = replace(data, negatives=np.where(np.isin(data.negatives, data.passage_of[unseen]), -1, data.negatives))
        available = data.available & _trained_on(own, data, datasets, unseen)[:, None]
        steps = max(1, int(optimisation.max_steps * own.steps))
        sources = np.unique(data.sources, return_inverse=True)[1]

        def contrastive(batches: list[tuple[Batches, float]]) -> Contrastive:
            plans = [
                (BatchPlan(
                    available, part, alpha=share, batch_size=optimisation.batch_size, steps=steps, seed=seed,
                    languages=languages, sources=sources, source_exponent=datasets.sampling_exponent,
                ), weight)
                for part, weight in batches
            ]  # fmt: skip
            return Contrastive(model, data, plans, optimisation, seed, ranks)

        task: Task
        probe = surgery = None
        if own.objective in ("mlm", "tsdae"):
            from koine.train.adapt import Unsupervised  # transformers takes seconds to import

            task = Unsupervised(own.objective, model, data, available, optimisation, seed, ranks)
        else:
            weights = (share, 1 - share) if own.weighted else (1.0,) * len(own.batches)
            task = contrastive(list(zip(own.batches, weights, strict=True)))
            if own.gradients != "sum":
                surgery = Surgery(own.gradients)
            elif gradient_cosine_every:
                watched = contrastive([(MONO, 1.0), (CROSS, 1.0)])
                watched.offset = task.offset
                probe = (watched, gradient_cosine_every)
        if optimisation.gradient_checkpointing:
            model.recompute()
        if optimisation.torch_compile:
            model.compile_states()
        if kind == "pretrained" and optimisation.bf16 and ranks.device.startswith("cuda"):
            model.use_flash_attention()
        validation_loss = None
        if validation.sources or validation.share:
            validation_loss = task.validation_loss(whole, np.flatnonzero(unseen), _validated(data.languages, validation))
        log = descend(
            model, task, steps, optimisation, checkpoints, ranks=ranks, surgery=surgery, probe=probe,
            validation_loss=validation_loss, every=validation.eval_steps, patience=validation.early_stopping_patience, track=track,
            name=str(out),
        )  # fmt: skip
        if validation_loss:
            lowest = min(validations(log), key=lambda line: float(str(line["loss"])))
            found["validated"] = {**lowest, "questions": int(unseen.sum())}
        if isinstance(task, Contrastive) and optimisation.learn_temperature:
            found["temperature"] = task.temperature
    ranks.leave()
    if not ranks.first:
        return
    model.save(out)
    write_text(out / "train.jsonl", "".join(json.dumps(line) + "\n" for line in log))
    if own.objective != "nothing":
        shutil.copyfile(checkpoints.folder / "speed.jsonl", out / "speed.jsonl")
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
            "sources": {
                name: {"questions": count, "licence": data.licences[name]}
                for name, count in sorted(Counter(data.sources).items())
            },
            **settings,
            **found,
            "versions": {package: version(package) for package in ("torch", "tokenizers", "transformers")}
            | {"koine": __version__},
            "sha256": {file: sha256(out / file) for file in ("model.safetensors", "tokenizer.json")},
        },
    )
    checkpoints.clear()


def _start(
    further: Path | None, tokens: Path, kind: str, start: Start, architecture: Architecture, data: TrainingSet, seed: int
) -> TrainableEncoder:
    """What training starts from."""
    if further is None:
        return backbones.create(kind, start, architecture, tokens / "tokenizer.json", data.passages, seed)
    model = backbones.load(str(further))
    same = [read_json(further / backbones.MANIFEST)["kind"], sha256(further / "tokenizer.json")]
    if not isinstance(model, TrainableEncoder) or same != [kind, sha256(tokens / "tokenizer.json")]:
        raise KoineError(f"{further}: no {kind} model with the tokenizer of {tokens}: it cannot be trained on them")
    return model


def _unseen(data: TrainingSet, validation: Validation) -> npt.NDArray[np.bool_]:
    """Which questions are for the validation loss, `[n]`; those on one passage stay together."""
    drawn = np.array([int(text_id(passage), 16) % 10_000 < validation.share * 10_000 for passage in data.passage_ids], dtype=bool)
    unseen: npt.NDArray[np.bool_] = np.isin(data.sources, validation.sources) | drawn[data.passage_of]
    return unseen


def _trained_on(own: Strategy, data: TrainingSet, datasets: Datasets, unseen: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which questions a strategy trains on, `[n]`."""
    domain = np.isin(data.sources, datasets.domain)
    if own.data == "domain" or (own.needs_context and domain.any()):
        return domain & ~unseen
    return ~unseen if own.data == "all" else ~domain & ~unseen


def _validated(languages: list[str], validation: Validation) -> list[int]:
    """Numbers of the languages of the validation loss."""
    for lang in validation.languages:
        if lang not in languages:
            raise KoineError(f"validation.languages: {lang!r} is not among {', '.join(languages)}")
    return [languages.index(lang) for lang in validation.languages or languages]
