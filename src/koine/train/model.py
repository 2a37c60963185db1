"""Train one model, from token files to a sentence-transformers folder."""

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field

from koine import __version__, backbones, code
from koine.backbones.base import TrainableEncoder
from koine.backbones.kinds import KINDS, trained_kind
from koine.backbones.manifest import MANIFEST, kind_of
from koine.names import target
from koine.params import (
    Architecture,
    Datasets,
    Fraction,
    KindName,
    Languages,
    Optimisation,
    Seed,
    Start,
    Validation,
)
from koine.runtime import resume
from koine.runtime.device import Device, resolve
from koine.runtime.errors import KoineError
from koine.runtime.files import sha256, text_id, write_json, write_text
from koine.runtime.hub import local_model
from koine.runtime.processes import Processes
from koine.strategies import Chain, Strategy
from koine.train.checkpoint import Checkpoints
from koine.train.log import Log, Tracker
from koine.train.loop import Descent, Watch, validations
from koine.train.task import Setup, Task
from koine.train.tokens import TrainingSet


def train(
    tokens: Path,
    out: Path,
    strategy: str,
    kind: KindName,
    start: Start = Start(),
    architecture: Architecture = Architecture(),
    optimisation: Optimisation = Optimisation(),
    languages: Languages = Languages(),
    datasets: Datasets = Datasets(),
    validation: Validation = Validation(),
    *,
    alpha: Fraction = 0.5,
    seed: Seed = 1,
    backbone: str = "",
    source: str = "en",
    query_prefix: str = "",
    passage_prefix: str = "",
    further: Path | None = None,
    mined: Path | None = None,
    only: Sequence[str] = (),
    gradient_cosine_every: Annotated[int, Field(ge=0)] = 0,
    checkpoint_minutes: Annotated[float, Field(ge=0)] = 10.0,
    track: Tracker = "none",
    device: Device = "auto",
) -> None:
    """Train one model on the batches of a strategy; resumes where it was stopped.

    On four GPUs of one machine: torchrun --standalone --nproc-per-node 4 --no-python koine train …

    Args:
        tokens: Folder of koine train-tokens.
        out: The model's folder.
        strategy: What is trained, as hybrid, hybrid@0.3 (its own alpha), hybrid-of-8 (languages); of a chain such as mlm+hybrid
            the last training is done.
        kind: Kind of backbone.
        start: the model that a backbone of that kind starts from.
        architecture: of a backbone that starts from scratch.
        optimisation: of the backbone.
        languages, datasets: how batches draw languages, and which questions are trained on.
        validation: on which questions the validation loss is measured instead.
        alpha: Probability that a batch is monolingual, or weight of its loss, where the strategy takes one.
        seed: Draws weights and batches.
        backbone: Name in the tables; by default the kind.
        source: Source language (BCP 47).
        query_prefix: What the tokens' queries were prefixed with; saved with the model.
        passage_prefix: The same of passages.
        further: Of a chain, the model of the trainings before, which is trained further.
        mined: Negatives of koine train-mine.
        only: Train in these languages alone, the source language among them; repeatable.
        gradient_cosine_every: Steps between two cosines of a monolingual and a cross-lingual gradient; 0 for none.
        checkpoint_minutes: Between two checkpoints, which lie in `.NAME` beside the model NAME; changes no result.
        track: Where curves are sent, too.
        device: Where to train.

    Raises:
        KoineError: there is too little data for a batch, or the loss is no longer a number.
        SystemExit: SIGTERM or SIGUSR1 came; a checkpoint is written, and the same call resumes from it.
    """
    chain = _chain(strategy, further)
    training, entry = chain.last, chain.last.strategy
    alpha = alpha if training.alpha is None else training.alpha
    torch.set_num_threads(optimisation.threads)
    processes = Processes.join(resolve(device))
    data = TrainingSet.open(tokens, source, mined)
    data = data.within(only) if only else data
    model = _start(further, tokens, trained_kind(kind), start, architecture, data, seed).to(processes.device)
    model.prefixes = {"query": query_prefix, "passage": passage_prefix}
    made = {
        "kind": kind,
        "backbone": backbone or kind,
        "strategy": strategy,
        "alpha": alpha,
        "seed": seed,
        "languages": data.languages,
        "questions": len(data.passage_of),
        "sources": _sources(data),
        "device": torch.device(processes.device).type,
        "processes": processes.count,
        **_shape(kind, start, architecture),
        "optimisation": optimisation.model_dump(),
        "datasets": datasets.model_dump(),
        "validation": validation.model_dump(),
    }
    key = resume.key(
        [made, source, languages.model_dump(), gradient_cosine_every, torch.__version__],
        _files(tokens, further, mined, start),
        code.digest("train", [f"koine.strategies:STRATEGIES[{training.name}]", f"koine.backbones.kinds:KINDS[{kind}]"]),
    )
    checkpoints = Checkpoints(out.parent / f".{out.name}", key, 60 * checkpoint_minutes)
    log, learned = Log(), {}
    if entry.trains:
        unseen = _unseen(data, validation)
        seen = replace(data, negatives=np.where(np.isin(data.negatives, data.passage_of[unseen]), -1, data.negatives))
        available = data.available & _trained_on(entry, data, datasets, unseen)[:, None]
        steps = max(1, int(optimisation.max_steps * entry.steps))
        setup = Setup(model, seen, available, entry, alpha, steps, seed, optimisation, languages, datasets, processes)
        task: Task = target(entry.objective)(setup)
        _prepare(model, optimisation)
        watch = _watch(task, data, unseen, validation, 0 if entry.gradients else gradient_cosine_every)
        surgery = target(entry.gradients)() if entry.gradients else None
        log = Descent(model, task, steps, optimisation, checkpoints, processes, surgery, watch, track, str(out)).run()
        learned = _validated(log, unseen) | task.learned()
    processes.leave()
    if processes.first:
        _save(out, model, log, checkpoints, made | learned)


def _chain(strategy: str, further: Path | None) -> Chain:
    """What a name says, if it can be trained with or without a model that is trained further."""
    try:
        chain = Chain.parse(strategy)
    except ValueError as error:
        raise KoineError(f"--strategy: {error}") from None
    if chain.debias:
        raise KoineError(f"--strategy {strategy}: {chain.debias} is done by encode-debias")
    if bool(chain.before) != bool(further):
        raise KoineError(f"--strategy {strategy}: --further goes with chains, as daft+hybrid")
    return chain


def _start(
    further: Path | None, tokens: Path, kind: str, start: Start, architecture: Architecture, data: TrainingSet, seed: int
) -> TrainableEncoder:
    """What training starts from."""
    if further is None:
        return backbones.create(kind, start, architecture, tokens / "tokenizer.json", data.passages, seed)
    model = backbones.load(str(further))
    same = [kind_of(further), sha256(further / "tokenizer.json")]
    if not isinstance(model, TrainableEncoder) or same != [kind, sha256(tokens / "tokenizer.json")]:
        raise KoineError(f"{further}: no {kind} model with the tokenizer of {tokens}: it cannot be trained on them")
    return model


def _shape(kind: str, start: Start, architecture: Architecture) -> dict[str, Any]:
    """What an encoder was before training: a model, or layers with random weights."""
    if KINDS[kind].starts_from == "model":
        return {"start": start.model_dump()}
    return {"architecture": architecture.model_dump()}


def _sources(data: TrainingSet) -> dict[str, dict[str, Any]]:
    """How many questions are of each data set, and its licence."""
    counts = sorted(Counter(data.sources).items())
    return {name: {"questions": count, "licence": data.licences[name]} for name, count in counts}


def _files(tokens: Path, further: Path | None, mined: Path | None, start: Start) -> list[Path]:
    """The files that determine the weights."""
    files = [tokens / name for name in ("tokenizer.json", "queries.arrow", "passages.arrow")]
    files += [further / "model.safetensors"] if further else []
    files += [mined] if mined else []
    return files + (sorted(local_model(start.model, start.revision).rglob("*.safetensors")) if start.model else [])


def _unseen(data: TrainingSet, validation: Validation) -> npt.NDArray[np.bool_]:
    """Which questions are for the validation loss, bool `[n]`; those on one passage stay together."""
    drawn = np.array([int(text_id(passage), 16) % 10_000 < validation.share * 10_000 for passage in data.passage_ids], dtype=bool)
    unseen: npt.NDArray[np.bool_] = np.isin(data.sources, validation.sources) | drawn[data.passage_of]
    return unseen


def _trained_on(
    strategy: Strategy, data: TrainingSet, datasets: Datasets, unseen: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Which questions a strategy trains on, bool `[n]`."""
    domain = np.isin(data.sources, datasets.domain)
    if strategy.data == "domain" or (strategy.needs_context and domain.any()):
        return domain & ~unseen
    return ~unseen if strategy.data == "all" else ~domain & ~unseen


def _prepare(model: TrainableEncoder, optimisation: Optimisation) -> None:
    """Make a model ready for training: less memory, faster steps, where they are asked for."""
    if optimisation.gradient_checkpointing:
        model.checkpoint_gradients()
    if optimisation.torch_compile:
        model.compile_model()
    if optimisation.bf16 and model.device.type == "cuda":
        model.use_flash_attention()


def _watch(task: Task, data: TrainingSet, unseen: npt.NDArray[np.bool_], validation: Validation, cosine_every: int) -> Watch:
    """What is measured while a task is trained."""
    validation_loss = None
    if validation.sources or validation.share:
        for lang in validation.languages:
            if lang not in data.languages:
                raise KoineError(f"validation.languages: {lang!r} is not among {', '.join(data.languages)}")
        languages = [data.languages.index(lang) for lang in validation.languages or data.languages]
        validation_loss = task.validation_loss(data, np.flatnonzero(unseen), languages)
    batches = task.watched() if cosine_every else None
    return Watch(validation_loss, validation.eval_steps, validation.early_stopping_patience, batches, cosine_every)


def _validated(log: Log, unseen: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """The lowest validation loss of a run, and on how many questions it was measured."""
    measured = validations(log)
    if not measured:
        return {}
    lowest = min(measured, key=lambda line: float(str(line["loss"])))
    return {"validated": {**lowest, "questions": int(unseen.sum())}}


def _save(out: Path, model: TrainableEncoder, log: Log, checkpoints: Checkpoints, made: dict[str, Any]) -> None:
    """Write the model's folder: the model, its logs, and koine.json last, which says how it was made."""
    model.save(out)
    write_text(out / "train.jsonl", "".join(json.dumps(line) + "\n" for line in log))
    if log:
        shutil.copyfile(checkpoints.folder / "speed.jsonl", out / "speed.jsonl")
    versions = {package: version(package) for package in ("torch", "tokenizers", "transformers")}
    digests = {name: sha256(out / name) for name in ("model.safetensors", "tokenizer.json")}
    write_json(out / MANIFEST, {**made, "versions": {**versions, "koine": __version__}, "sha256": digests})
    checkpoints.clear()
