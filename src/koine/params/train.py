"""Blocks of the train step: strategies, languages, data sets, validation, hard negatives."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from koine.params.base import Block, Fraction, Model, Positive, Seed
from koine.strategies import Chain


class Languages(Block):
    """How batches draw their languages; see docs/train.md."""

    equal_languages: bool = Field(
        False, description="Let x-y draw question and passage languages independently (LAReQA), so also equal ones."
    )
    sampling_exponent: Fraction = Field(
        0.0,
        description="Monolingual batches draw a language of n questions with probability ∝ n^sampling_exponent; 0 is uniform.",
    )
    pair_per: Literal["row", "batch"] = Field(
        "row", description="Whether each row of a cross-lingual batch draws its pair of languages, or the batch draws one."
    )


class Datasets(Block):
    """How data sets are mixed, and which of them are of the target domain; see docs/train.md."""

    prefix: ClassVar[str] = "datasets-"
    sampling_exponent: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None,
        description="A batch is of one data set, drawn with probability ∝ (its questions)^sampling_exponent; null: they share "
        "batches.",
    )
    domain: list[str] = Field(
        [],
        description="Sources of the target domain. Some strategies train on them alone (daft), some on all sources "
        "(hybrid-daft), the others on the rest.",
    )


class Validation(Block):
    """Questions that are kept from training, for the validation loss: it stops training early, and chooses alpha."""

    prefix: ClassVar[str] = "validation-"
    sources: list[str] = Field([], description="Sources whose questions these are, such as squadshifts.")
    share: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="Share of the passages whose questions these are, drawn by a hash."
    )
    languages: list[str] = Field([], description="Languages of the validation loss; empty for all.")
    eval_steps: int = Field(0, ge=0, description="Steps between two validations, the best weights are kept; 0: at the end alone.")
    early_stopping_patience: int = Field(
        0, ge=0, description="Validations without a lower loss that end the training; 0: it never ends early."
    )

    @model_validator(mode="after")
    def _holds_out(self) -> "Validation":
        if (self.eval_steps or self.languages) and not (self.sources or self.share):
            raise ValueError("no question is kept from training; set sources or share")
        if self.early_stopping_patience and not self.eval_steps:
            raise ValueError("early_stopping_patience: counts validations; set eval_steps")
        return self


class Mining(Block):
    """Hard negatives: the passages nearest to a question that do not answer it; see docs/train.md."""

    model: Model = Field(
        "", description="What finds them: folder, Hub id, or BACKBONE/STRATEGY of this recipe (first seed); empty for none."
    )
    revision: str = Field("", description="Commit, branch or tag of the Hub; empty for its main branch.")
    num_negatives: Positive = Field(4, description="Negatives of a question.")
    range_max: Positive = Field(100, description="Nearest passages that are looked at.")
    relative_margin: Annotated[float, Field(gt=-10, lt=1)] = Field(
        0.05,
        description="A passage scored above 1 - relative_margin times the positive's score may answer the question, too, and is "
        "no negative.",
    )


class Train(Block):
    """Which models are trained, and on which batches."""

    backbones: list[str] = Field(["static"], min_length=1, description="Names defined under `backbones`.")
    strategies: list[str] = Field(
        ["untrained", "en-en", "x-x-mono", "x-y", "hybrid"],
        min_length=1,
        description="docs/train.md has all of them, and what may be added to a name: hybrid@0.3 has its own alpha, hybrid-of-8 "
        "the first eight languages alone, mlm+hybrid is a chain, and hybrid+lir takes something from the vectors afterwards.",
    )
    seeds: list[Seed] = Field([1, 2, 3], min_length=1, description="One model per seed; intervals are taken over them too.")
    alpha: Fraction = Field(
        0.5, description="Probability that a batch is monolingual (hybrid), or weight of such a batch's loss (grad-mix)."
    )
    languages: Languages = Languages()
    datasets: Datasets = Datasets()
    validation: Validation = Validation()
    mining: Mining = Mining()
    gradient_cosine_every: int = Field(
        0,
        ge=0,
        description="Steps between two looks at the cosine of a monolingual and a cross-lingual gradient (train.jsonl); 0: none.",
    )

    @model_validator(mode="after")
    def _known_and_once(self) -> "Train":
        for strategy in self.strategies:
            chain = Chain.parse(strategy)
            if any(one.strategy.data != "outside" for one in chain.trainings) and not self.datasets.domain:
                raise ValueError(f"strategies: {strategy} trains on the target domain; name its sources under datasets.domain")
        for name in ("backbones", "strategies", "seeds"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ValueError(f"{name}: the same value stands twice in {values}")
        return self
