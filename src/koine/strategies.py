"""The strategies: what a model is trained on, one entry each, and the grammar of their names.

An entry says all that the rest of Koine wants to know of a strategy: which batches a step has, which parameters it reads,
on which questions and in how many languages it trains, and its words, its example and its colour on the page. To add one is
to add an entry (docs/extend.md).

A name may say more than a strategy: `hybrid@0.3` its own alpha, `hybrid-of-8` the first eight languages alone, `mlm+hybrid`
a chain of trainings, `hybrid+lir` what is done to the vectors afterwards.
"""

import re
from dataclasses import dataclass
from typing import Literal, Self

from koine.names import Registry, nearest


@dataclass(frozen=True)
class Batches:
    """How the rows of a batch draw their languages; `train.batches` draws them.

    Attributes:
        mono: probability that a batch is monolingual; None: alpha.
        rest: the other batches: `cross`, question and passage in different languages; `mixed`, each row in one language.
        source_only: whether monolingual batches are all in the source language.
    """

    mono: float | None
    rest: Literal["cross", "mixed"] = "cross"
    source_only: bool = False


SOURCE = Batches(mono=1.0, source_only=True)
MONO = Batches(mono=1.0)
CROSS = Batches(mono=0.0)
MIXED = Batches(mono=0.0, rest="mixed")
HYBRID = Batches(mono=None)

#: Objectives: functions that make the task of a training (`train.task`).
PAIRS = "koine.train.contrastive:contrastive"
MLM = "koine.train.adapt:mlm"
TSDAE = "koine.train.adapt:tsdae"


@dataclass(frozen=True, kw_only=True)
class Strategy:
    """One entry.

    Attributes:
        words: what it does, after its name on the page.
        colour: on the page, on white and on black: CSS colours.
        example: three batches, where they show what it does: `ar→fi zh→en | …`.
        objective: what is learnt: the function that makes the task; empty where nothing is, and the model stays as it starts.
        batches: the batches of a step, in the order of their losses; none of an objective that learns from texts alone.
        weighted: whether the losses of a step's two batches are weighted with alpha and 1 - alpha.
        gradients: what joins the gradients of a step's batches, a function that makes a `train.surgery.Surgery`; empty: their
            sum.
        steps: share of `max_steps` that it takes.
        data: which questions it trains on: those outside of `train.datasets.domain`, those of it, or all. Texts alone are
            those of the domain, where there is one.
        languages: in which it trains: none, the source language, or all.
    """

    words: str
    colour: tuple[str, str]
    example: str = ""
    objective: str
    batches: tuple[Batches, ...] = ()
    weighted: bool = False
    gradients: str = ""
    steps: float = 1.0
    data: Literal["outside", "domain", "all"] = "outside"
    languages: Literal["none", "source", "all"] = "all"

    @property
    def trains(self) -> bool:
        """Whether it changes the weights that it starts from."""
        return bool(self.objective)

    @property
    def takes_alpha(self) -> bool:
        """Whether alpha matters to it, so that `NAME@0.3` means something."""
        return self.weighted or any(batches.mono is None for batches in self.batches)

    @property
    def crosses(self) -> bool:
        """Whether it has batches whose questions and passages are in different languages."""
        return any(batches.rest == "cross" and batches.mono != 1 for batches in self.batches)

    @property
    def draws_languages(self) -> bool:
        """Whether it draws a language for a monolingual batch."""
        return any(batches.mono != 0 and not batches.source_only for batches in self.batches)

    @property
    def needs_context(self) -> bool:
        """Whether it teaches to read tokens in their context, which an encoder without any cannot learn."""
        return self.trains and not self.batches


STRATEGIES: Registry[Strategy] = {
    "untrained": Strategy(
        words="random or pretrained weights as they came",
        colour=("#878e99", "#959daa"),
        objective="",
        languages="none",
    ),
    "en-en": Strategy(
        words="every pair in the source language",
        colour=("#c98a00", "#f0b429"),
        example="en→en en→en | en→en en→en | en→en en→en",
        objective=PAIRS,
        batches=(SOURCE,),
        languages="source",
    ),
    "x-x": Strategy(
        words="each pair in one language, languages mixed in a batch",
        colour=("#b8568f", "#e08fbd"),
        example="ar→ar fi→fi | en→en ar→ar | fi→fi zh→zh",
        objective=PAIRS,
        batches=(MIXED,),
    ),
    "x-x-mono": Strategy(
        words="monolingual batches: the whole batch in one language",
        colour=("#0072b2", "#4ba6e3"),
        example="ar→ar ar→ar | fi→fi fi→fi | zh→zh zh→zh",
        objective=PAIRS,
        batches=(MONO,),
    ),
    "x-y": Strategy(
        words="cross-lingual batches: question and passage in different languages",
        colour=("#d55e00", "#f5803e"),
        example="ar→fi zh→en | fi→zh en→ar | zh→ar fi→en",
        objective=PAIRS,
        batches=(CROSS,),
    ),
    "hybrid": Strategy(
        words="some batches monolingual (a share α), the others cross-lingual",
        colour=("#00946b", "#2fc79b"),
        example="ar→ar ar→ar | fi→zh en→ar | zh→zh zh→zh",
        objective=PAIRS,
        batches=(HYBRID,),
    ),
    "grad-mix": Strategy(
        words="a monolingual and a cross-lingual batch in each of as many steps; their losses weighted with α and 1 − α",
        colour=("#6b5fc7", "#a59bf0"),
        objective=PAIRS,
        batches=(MONO, CROSS),
        weighted=True,
    ),
    "grad-mix-half": Strategy(
        words="a monolingual and a cross-lingual batch in each of half as many steps; their losses weighted with α and 1 − α",
        colour=("#6b5fc7", "#a59bf0"),
        objective=PAIRS,
        batches=(MONO, CROSS),
        weighted=True,
        steps=0.5,
    ),
    "pcgrad": Strategy(
        words="a monolingual and a cross-lingual batch in each of as many steps; each gradient without its part against the "
        "other",
        colour=("#8a6d3b", "#c9a66b"),
        objective=PAIRS,
        batches=(MONO, CROSS),
        gradients="koine.train.surgery:pcgrad",
    ),
    "pcgrad-half": Strategy(
        words="a monolingual and a cross-lingual batch in each of half as many steps; each gradient without its part against the "
        "other",
        colour=("#8a6d3b", "#c9a66b"),
        objective=PAIRS,
        batches=(MONO, CROSS),
        gradients="koine.train.surgery:pcgrad",
        steps=0.5,
    ),
    "gradvac": Strategy(
        words="a monolingual and a cross-lingual batch in each of as many steps; their gradients turned towards their usual "
        "angle",
        colour=("#3f8f9b", "#6cc3cf"),
        objective=PAIRS,
        batches=(MONO, CROSS),
        gradients="koine.train.surgery:gradvac",
    ),
    "gradvac-half": Strategy(
        words="a monolingual and a cross-lingual batch in each of half as many steps; their gradients turned towards their usual "
        "angle",
        colour=("#3f8f9b", "#6cc3cf"),
        objective=PAIRS,
        batches=(MONO, CROSS),
        gradients="koine.train.surgery:gradvac",
        steps=0.5,
    ),
    "daft": Strategy(
        words="monolingual batches of the target domain's pairs alone",
        colour=("#a4452c", "#e08467"),
        objective=PAIRS,
        batches=(MONO,),
        data="domain",
    ),
    "hybrid-daft": Strategy(
        words="as hybrid, on the target domain's pairs and all others",
        colour=("#2c7a4b", "#6fc592"),
        objective=PAIRS,
        batches=(HYBRID,),
        data="all",
    ),
    "mlm": Strategy(
        words="masked language modelling: no pairs, but texts some tokens of which are to be guessed",
        colour=("#7d6b8f", "#b9a6cc"),
        objective=MLM,
    ),
    "tsdae": Strategy(
        words="denoising: no pairs, but texts to be written again from the vector of a few of their tokens",
        colour=("#5c7a8c", "#98b8cb"),
        objective=TSDAE,
    ),
}

#: What may be done to the vectors of a model, after `+`; `lir` removes one component, `lir@3` three.
DEBIASING = {
    "centre": "each language's mean is taken from its vectors",
    "lir": "each language's first principal components are taken from its vectors",
}
DEBIASED = re.compile(r"centre|lir(@[1-9]\d{0,3})?")

_TRAINING = re.compile(r"(?P<name>[a-z0-9-]+?)(@(?P<alpha>0(\.\d+)?|1(\.0+)?))?(-of-(?P<count>[2-9]|[1-9]\d+))?")


@dataclass(frozen=True)
class Training:
    """One training of a chain: `hybrid@0.3-of-8`.

    Attributes:
        name: of its strategy.
        alpha: its own; None: the recipe's.
        count: of languages that it trains in, the first ones; None: all.
    """

    name: str
    alpha: float | None = None
    count: int | None = None

    @property
    def strategy(self) -> Strategy:
        """Its entry."""
        return STRATEGIES[self.name]


@dataclass(frozen=True)
class Chain:
    """What a strategy's name says: trainings one after the other, and what is done to the vectors in the end.

    Attributes:
        trainings: at least one.
        debias: `centre`, `lir@3`, …; empty for nothing.
        model: the name without that: of the model whose vectors they are.
        before: the name of the chain without its last training; empty where that is the only one.
    """

    trainings: tuple[Training, ...]
    debias: str
    model: str
    before: str

    @classmethod
    def parse(cls, name: str) -> Self:
        """Take a name apart.

        Raises:
            ValueError: no strategy is called so; the message has the nearest one.

        >>> chain = Chain.parse("mlm+hybrid@0.3-of-8+lir")
        >>> chain.last
        Training(name='hybrid', alpha=0.3, count=8)
        >>> chain.model, chain.before, chain.debias
        ('mlm+hybrid@0.3-of-8', 'mlm', 'lir')
        """
        links = name.split("+")
        debias = links.pop() if len(links) > 1 and DEBIASED.fullmatch(links[-1]) else ""
        trainings = tuple(_training(link, name) for link in links)
        idle = [training.name for training in trainings if not training.strategy.trains]
        if len(trainings) > 1 and idle:
            raise ValueError(f"unknown strategy {name!r}: {idle[0]!r} trains nothing, so it is no part of a chain; leave it out")
        return cls(trainings, debias, "+".join(links), "+".join(links[:-1]))

    @property
    def last(self) -> Training:
        """The last training."""
        return self.trainings[-1]


def _training(link: str, whole: str) -> Training:
    found = _TRAINING.fullmatch(link)
    strategy = STRATEGIES.get(found["name"]) if found else None
    if found is None or strategy is None or (found["alpha"] and not strategy.takes_alpha) or (
        found["count"] and strategy.languages != "all"
    ):  # fmt: skip
        single = re.split(r"@|-of-", link)[0]
        known = f"{', '.join(STRATEGIES)}; hybrid@ALPHA with ALPHA from 0 to 1; hybrid-of-N with N languages"
        near = f"; did you mean {single!r}?" if single in STRATEGIES else nearest(single, [*STRATEGIES, *DEBIASING])
        chains = "chains such as mlm+hybrid, hybrid+centre, hybrid+lir@2"
        raise ValueError(f"unknown strategy {whole!r}{near} (known: {known}; {chains})")
    return Training(found["name"], float(found["alpha"]) if found["alpha"] else None, int(found["count"] or 0) or None)


_OF = re.compile(r"(?P<name>.+)-of-(?P<count>[2-9]|[1-9]\d+)")


def count_of(name: str) -> tuple[str, int | None]:
    """A strategy's name without its `-of-N`, and N; of any name in a table, also of one that is no strategy of Koine's."""
    found = _OF.fullmatch(name)
    return (found["name"], int(found["count"])) if found else (name, None)
