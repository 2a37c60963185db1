"""A whole experiment: all blocks together, recipes laid over the default, and the messages about mistakes."""

import shlex
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import Field, ValidationError, model_validator

from koine.names import nearest
from koine.params.backbones import Architecture, Backbone, Optimisation, Tokenizer
from koine.params.base import BM25, DEFAULT, HELD_OUT, NAME, Block
from koine.params.collect import Collect, Sample
from koine.params.encode import Encode
from koine.params.evaluate import Evaluate
from koine.params.execution import Execution
from koine.params.filter import Filter
from koine.params.index import Index
from koine.params.recipe import at_scale, laid_over
from koine.params.renamed import RENAMED
from koine.params.report import Report
from koine.params.train import Train
from koine.params.translate import NEURAL, Translate
from koine.runtime.errors import KoineError
from koine.strategies import Chain


class Params(Block):
    """A complete experiment."""

    recipe: str = Field(
        "sample",
        pattern=f"{NAME[:-1]}(@[a-z0-9-]+)?$",
        description="Name in every table, with the scale's after @. The default writes to results/, others to results/<recipe>/.",
    )
    scale: str = Field("", description="Which of its scales a recipe is run at, as `--config scale=full`; empty: as it stands.")
    scales: dict[str, dict[str, Any]] = Field(
        {}, description="Of a recipe: parameters by scale, laid over it where that scale is run; its name gets the scale's, too."
    )
    collect: Collect = Collect()
    translate: Translate = Translate()
    filter: Filter = Filter()
    backbones: dict[Annotated[str, Field(pattern=NAME)], Backbone] = Field(
        {
            "static": Backbone(kind="static"),
            "tiny": Backbone(
                kind="transformer",
                tokenizer=Tokenizer(max_length=96, query_prefix="Query: ", passage_prefix="Passage: "),
                architecture=Architecture(hidden_size=128, num_hidden_layers=2, num_attention_heads=4),
                optimisation=Optimisation(batch_size=64, learning_rate=1e-3, weight_decay=0.01),
            ),
        },
        description="Encoders by name; a recipe may add its own.",
    )
    train: Train = Train()
    encode: Encode = Encode()
    index: Index = Index()
    evaluate: Evaluate = Evaluate()
    report: Report = Report()
    execution: Execution = Execution()

    @property
    def sample_folder(self) -> str:
        """Where `collect-sample` writes: the default's files serve all recipes that do not change what they are."""
        usual = self.recipe == DEFAULT or self.collect.sample == Sample()
        return f"data/{DEFAULT}/raw" if usual else f"data/{self.recipe}/raw"

    @model_validator(mode="before")
    @classmethod
    def _pretrained_by_name(cls, given: Any) -> Any:
        """Backbones without a `kind` come from the registry, with what the recipe says of them laid over."""
        defined = given.get("backbones") if isinstance(given, dict) else None
        if not isinstance(defined, dict) or not isinstance(given.get("train"), dict):
            return given
        trained = given["train"].get("backbones")
        names = [*defined, *(trained if isinstance(trained, list) else [])]
        named = [name for name in names if isinstance(name, str) and name in pretrained_backbones()]
        own = {name: defined.get(name) or {} for name in named}
        whole = {name: laid_over(pretrained_backbones()[name], block) for name, block in own.items() if "kind" not in block}
        return {**given, "backbones": {**defined, **whole}}

    @model_validator(mode="after")
    def _names_exist(self) -> "Params":
        for name in self.train.backbones:
            if name not in self.backbones:
                known = ", ".join([*self.backbones, *pretrained_backbones()])
                raise ValueError(f"train.backbones: {name!r} is neither defined under backbones nor in the registry ({known})")
        if self.recipe == DEFAULT and self.collect.sources != ["sample"]:
            raise ValueError(f"recipe: give the recipe a name of its own; {DEFAULT!r} writes to results/ itself")
        if bool(self.collect.heldout.questions) != (HELD_OUT in self.evaluate.benchmarks):
            raise ValueError(
                f"collect.heldout.questions: {self.collect.heldout.questions}, and evaluate.benchmarks has "
                f"{'' if HELD_OUT in self.evaluate.benchmarks else 'no '}{HELD_OUT!r}: questions are put aside for that benchmark"
            )
        home = [self.report.home_benchmark] if self.report.home_benchmark else []
        domains = [name for name, wanted in self.evaluate.domains.items() if wanted]
        used = {"evaluate.candidates": [*self.evaluate.candidates], "evaluate.domains": domains, "report.home_benchmark": home}
        for key, named in used.items():
            for name in named:
                if name not in self.evaluate.benchmarks:
                    raise ValueError(f"{key}: {name!r} is not in evaluate.benchmarks")
        for kind, names in (
            ("datasets.domain", self.train.datasets.domain),
            ("validation.sources", self.train.validation.sources),
        ):
            for name in names:
                if name not in self.collect.sources:
                    raise ValueError(f"train.{kind}: {name!r} is not in collect.sources")
        for name in self.collect.heldout.sources:
            if name not in self.collect.sources:
                raise ValueError(f"collect.heldout.sources: {name!r} is not in collect.sources")
        for lang in self.train.validation.languages:
            if lang not in (self.translate.source, *self.translate.languages):
                raise ValueError(f"train.validation.languages: {lang!r} is not trained on")
        there = 1 + len(self.translate.languages)
        for strategy in self.train.strategies:
            if max(one.count or 0 for one in Chain.parse(strategy).trainings) > there:
                raise ValueError(f"train.strategies: {strategy} asks for more languages than the {there} that there are")
        for name in self.report.published.values():
            if name not in self.train.backbones:
                raise ValueError(f"report.published: {name!r} is not in train.backbones")
        if BM25 in self.backbones:
            raise ValueError(f"backbones.{BM25}: this is the lexical baseline's name (evaluate.bm25); choose another")
        for name, backbone in self.backbones.items():
            if backbone.kind == "static" and (
                backbone.optimisation.gradient_checkpointing or backbone.optimisation.torch_compile
            ):
                raise ValueError(
                    f"backbones.{name}.optimisation: gradient_checkpointing and torch_compile are for transformers, "
                    "`static` has no states"
                )
        self._miner_can_be_trained()
        for strategy in self.index.strategies:
            if strategy not in self.train.strategies:
                raise ValueError(f"index.strategies: {strategy!r} is not in train.strategies")
        for lang in self.translate.round_trip:
            if lang not in self.translate.languages:
                raise ValueError(f"translate.round_trip: {lang!r} is not in translate.languages")
        for lang in self.translate.backends:
            if lang not in self.translate.languages:
                raise ValueError(f"translate.backends: {lang!r} is not in translate.languages")
        neural = [name for lang in self.translate.languages if (name := self.translate.backend_of(lang)) in NEURAL]
        if neural and not self.translate.decoding.model:
            raise ValueError(f"translate.decoding.model: the backend {neural[0]} needs a model")
        if self.translate.source in self.translate.languages:
            raise ValueError(f"translate.languages: {self.translate.source!r} is the source language")
        return self

    def _miner_can_be_trained(self) -> None:
        """A miner of this recipe's own is trained on pairs, and without the negatives that it is to find."""
        backbone, _, strategy = self.train.mining.model.partition("/")
        if backbone in self.backbones:
            chain = Chain.parse(strategy)
            if chain.debias or self.backbones[backbone].optimisation.num_negatives:
                raise ValueError("train.mining.model: the miner is a trained model whose backbone takes no negatives itself")
            if self.backbones[backbone].kind == "static" and any(one.strategy.needs_context for one in chain.trainings):
                raise ValueError(f"train.mining.model: {backbone} is static, which {strategy} cannot train")


@cache
def pretrained_backbones() -> dict[str, dict[str, Any]]:
    """The registry of pretrained encoders, backbones/registry.yaml, as blocks of `Backbone`."""
    import yaml

    entries = yaml.safe_load((Path(__file__).parents[1] / "backbones" / "registry.yaml").read_text(encoding="utf-8"))
    usual = {"max_steps": 2000, "batch_size": 100, "learning_rate": 3e-5, "weight_decay": 0.01, "temperature": 0.05, "bf16": True}
    return {
        name: {"kind": "pretrained", **entry, "optimisation": {**usual, **entry.get("optimisation", {})}}
        for name, entry in entries.items()
    }


def parse(config: dict[str, Any]) -> Params:
    """Validate a merged configuration.

    Raises:
        KoineError: one line per mistake, with the path of the key, and the nearest known key for a typo.
    """
    try:
        return Params.model_validate(at_scale(config))
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            path = ".".join(str(part) for part in problem["loc"])
            message = problem["msg"].removeprefix("Value error, ")
            if problem["type"] == "extra_forbidden":
                block, key = _block_at(problem["loc"][:-1]), str(problem["loc"][-1])
                known = list(block.model_fields) if block else []
                if new := RENAMED.get(block.__name__ if block else "", {}).get(key):
                    message = f"is called {new} now"
                else:
                    message = "no such parameter" + (nearest(key, known) or f" (known: {', '.join(known)})")
            lines.append(f"  {path}: {message}" if path else f"  {message}")
        raise KoineError(f"params.yaml, or the recipe laid over it: {len(lines)} mistake(s)\n" + "\n".join(lines)) from None


def _block_at(location: tuple[int | str, ...]) -> type[Block] | None:
    """The block at a location; the free names of a mapping (backbones, registry) are stepped over."""
    block: type[Block] = Params
    for part in location:
        if part in block.model_fields:
            annotation = block.model_fields[str(part)].annotation
            blocks = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type) and issubclass(kind, Block)]
            if not blocks:
                return None
            block = blocks[0]
    return block


def flags(block: Block) -> str:
    """The command-line options that say what `block` says: `--learning-rate 0.02 --no-bf16 …`, shell-quoted.

    The options themselves are made from the same models (`koine.cli.takes`), so both always agree.
    """
    words: list[str] = []
    for name, value in block:
        option = "--" + block.prefix + name.replace("_", "-")
        if isinstance(value, bool):
            words.append(option if value else option.replace("--", "--no-", 1))
        elif isinstance(value, list):
            words += [word for item in value for word in (option, str(item))]
        elif isinstance(value, dict):
            words += [word for key, item in value.items() for word in (option, f"{key}={item}")]
        elif value is None:
            words += [option, "none"]
        else:
            words += [option, str(value)]
    return shlex.join(words)
