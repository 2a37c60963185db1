"""A whole experiment: all blocks together, recipes laid over the default, and the messages about mistakes."""

import shlex
from collections.abc import Container, Iterable
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import Field, ValidationError, model_validator

from koine.names import nearest
from koine.params.backbones import Architecture, Backbone, Optimisation, Tokenizer
from koine.params.base import BM25, DEFAULT, HELD_OUT, NAME, Block, same_language
from koine.params.collect import Collect, Sample
from koine.params.compute import Compute
from koine.params.encode import Encode
from koine.params.evaluate import Evaluate
from koine.params.execution import Execution
from koine.params.filter import Filter
from koine.params.index import Index
from koine.params.recipe import at_scale, laid_over
from koine.params.renamed import RENAMED
from koine.params.report import Report
from koine.params.train import Train
from koine.params.translate import Translate
from koine.runtime.errors import KoineError
from koine.strategies import STRATEGIES, Chain, count_of

#: Folders below data/ and models/ that recipes share.
SHARED = {"raw", "translation"}


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
    compute: Compute = Compute()
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
    def _fits_together(self) -> "Params":
        self._check_recipe()
        self._check_names()
        self._check_languages()
        self._check_backbones()
        return self

    def _check_recipe(self) -> None:
        if self.recipe in SHARED:
            raise ValueError(f"recipe: {self.recipe!r} is the name of a folder that all recipes share; choose another")
        if self.recipe == DEFAULT and self.collect.sources != ["sample"]:
            raise ValueError(f"recipe: give the recipe a name of its own; {DEFAULT!r} writes to results/ itself")
        if bool(self.collect.heldout.questions) != (HELD_OUT in self.evaluate.benchmarks):
            raise ValueError(
                f"collect.heldout.questions: {self.collect.heldout.questions}, and evaluate.benchmarks has "
                f"{'' if HELD_OUT in self.evaluate.benchmarks else 'no '}{HELD_OUT!r}: questions are put aside for that benchmark"
            )

    def _check_names(self) -> None:
        """Names that stand elsewhere in the recipe."""
        train, translate, evaluate, report = self.train, self.translate, self.evaluate, self.report
        benchmarks = ("evaluate.benchmarks", evaluate.benchmarks)
        sources = ("collect.sources", self.collect.sources)
        strategies = ("train.strategies", train.strategies)
        # Of hybrid-of-2 and hybrid-of-8, each is compared with its rivals in as many languages. One alone is compared with none.
        known = [*train.strategies, *(count_of(name)[0] for name in train.strategies)]
        compared = ("train.strategies", [*dict.fromkeys(known), *(STRATEGIES if len(train.strategies) == 1 else [])])
        languages = ("translate.languages", translate.languages)
        trained_in = ("the languages that are trained on", [translate.source, *translate.languages])
        references: list[tuple[str, Iterable[str], tuple[str, list[str]]]] = [
            ("evaluate.candidates", evaluate.candidates, benchmarks),
            ("evaluate.domains", [name for name, wanted in evaluate.domains.items() if wanted], benchmarks),
            ("report.home_benchmark", filter(None, [report.home_benchmark]), benchmarks),
            ("report.reference", [report.reference], compared),
            ("report.published", report.published.values(), ("train.backbones", train.backbones)),
            ("train.backbones", train.backbones, ("backbones, nor in the registry", [*self.backbones, *pretrained_backbones()])),
            ("train.datasets.domain", train.datasets.domain, sources),
            ("train.validation.sources", train.validation.sources, sources),
            ("train.validation.languages", train.validation.languages, trained_in),
            ("collect.heldout.sources", self.collect.heldout.sources, sources),
            ("index.strategies", self.index.strategies, strategies),
            ("translate.round_trip", translate.round_trip, languages),
            ("translate.backends", translate.backends, languages),
        ]
        for parameter, names, (where, known) in references:
            for name in names:
                if name not in known:
                    hint = nearest(name, known) or f" ({', '.join(known) or 'empty'})"
                    raise ValueError(f"{parameter}: {name!r} is not in {where}{hint}")

    def _check_languages(self) -> None:
        translate, train = self.translate, self.train
        if same_language([translate.source, *translate.languages]):
            raise ValueError(f"translate.languages: {translate.source!r} is the source language; leave it out, by any name")
        for pool in self.evaluate.pools:
            if reason := same_language(pool.split("+")):
                raise ValueError(f"evaluate.pools: {pool}: {reason}")
        there = 1 + len(translate.languages)
        for strategy in train.strategies:
            if max(training.count or 0 for training in Chain.parse(strategy).trainings) > there:
                raise ValueError(f"train.strategies: {strategy} asks for more languages than the {there} that there are")
        neural = [translate.backend_of(lang) for lang in translate.languages if translate.entry_for(lang).needs_model]
        if neural and not translate.decoding.model:
            raise ValueError(f"translate.decoding.model: the backend {neural[0]} needs a model")

    def _check_backbones(self) -> None:
        if BM25 in self.backbones:
            raise ValueError(f"backbones.{BM25}: this is the lexical baseline's name (evaluate.bm25); choose another")
        for name, backbone in self.backbones.items():
            optimisation = backbone.optimisation
            if not backbone.reads_context and (optimisation.gradient_checkpointing or optimisation.torch_compile):
                raise ValueError(
                    f"backbones.{name}.optimisation: gradient_checkpointing and torch_compile are for transformers, "
                    f"`{backbone.kind}` has no states"
                )
        backbone_name, _, strategy = self.train.mining.model.partition("/")
        if backbone_name in self.backbones:  # a miner of the recipe's own is trained on pairs, without the negatives it finds
            chain = Chain.parse(strategy)
            if chain.debias or self.backbones[backbone_name].optimisation.num_negatives:
                raise ValueError("train.mining.model: the miner is a trained model whose backbone takes no negatives itself")
            backbone, contextual = self.backbones[backbone_name], any(one.strategy.needs_context for one in chain.trainings)
            if contextual and not backbone.reads_context:
                raise ValueError(f"train.mining.model: {backbone_name} is {backbone.kind}, which {strategy} cannot train")


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


def flags(block: Block, but: Container[str] = ()) -> str:
    """The command-line options that say what `block` says: `--learning-rate 0.02 --no-bf16 …`, shell-quoted.

    The options themselves are made from the same models (`koine.cli.takes`), so both always agree.
    """
    words: list[str] = []
    for name, value in block:
        if name in but:
            continue
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
