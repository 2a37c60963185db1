"""Which models an experiment has: those of its tables, and those that they are made from."""

from koine.params import BM25, Params
from koine.strategies import Chain


class Models:
    """The models of an experiment, each as `backbone/strategy/seed-N`.

    Args:
        params: of the experiment.
        folder: of its models.
    """

    def __init__(self, params: Params, folder: str) -> None:
        self._params, self._folder = params, folder

    @property
    def runs(self) -> list[str]:
        """Every model of the tables."""
        train = self._params.train
        pairs = [(backbone, name) for backbone in train.backbones for name in train.strategies if self._can(backbone, name)]
        return [f"{backbone}/{strategy}/seed-{seed}" for backbone, strategy in pairs for seed in train.seeds]

    @property
    def evaluated(self) -> list[str]:
        """Every model, and BM25 where it is asked for: what has a row in the tables."""
        return [*self.runs, *([f"{BM25}/untrained/seed-0"] if self._params.evaluate.bm25 else [])]

    @property
    def trained(self) -> list[str]:
        """Every strategy that is trained: those of the tables, what a chain of them begins with, and the miner's."""
        names: list[str] = []
        for strategy in [*self._params.train.strategies, *([self.miner[1]] if self.miner else [])]:
            trainings = Chain.parse(strategy).model.split("+")
            names += ["+".join(trainings[: count + 1]) for count in range(len(trainings))]
        return list(dict.fromkeys(names))

    @property
    def shown(self) -> list[str]:
        """The models of the tables that were trained, and not only had their vectors changed."""
        return [run for run in self.runs if run.split("/")[1] in self.trained]

    @property
    def indexed(self) -> list[str]:
        """The models that get an index: those of `index.strategies`, first seed."""
        train, strategies = self._params.train, self._params.index.strategies
        first = f"seed-{train.seeds[0]}"
        return [f"{b}/{strategy}/{first}" for b in train.backbones for strategy in strategies if self._can(b, strategy)]

    @property
    def cards(self) -> list[str]:
        """The model card of each model of the tables."""
        return [f"{self._folder}/{run}/README.md" for run in self.shown]

    @property
    def miner(self) -> tuple[str, str] | None:
        """Backbone and strategy of the recipe's own model that finds hard negatives."""
        backbone, _, strategy = self._params.train.mining.model.partition("/")
        return (backbone, strategy) if backbone in self._params.backbones else None

    def _can(self, backbone: str, strategy: str) -> bool:
        """Whether a backbone can be trained so: `mlm` and `tsdae` teach to read tokens in their context."""
        contextual = any(training.strategy.needs_context for training in Chain.parse(strategy).trainings)
        return not contextual or self._params.backbones[backbone].reads_context
