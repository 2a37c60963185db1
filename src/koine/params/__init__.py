"""Everything a user may set, with types, defaults and descriptions: the one source of truth.

From these models come `params.yaml` (the default experiment, every key commented), the JSON schema that
editors check it with, and the command-line options of every step. After a change here run

    python -m koine.params

which rewrites both files; a test fails while they are stale. Recipes (`recipes/*.yaml`) are laid over
`params.yaml`: mappings merge, lists and scalars replace.

All blocks but `execution` hold *result parameters*: changing one reruns exactly the steps that read it.
`execution` holds what changes only speed: changing it reruns nothing.
"""

from koine.params.backbones import Architecture, Backbone, Direction, KindName, Optimisation, PartitionMode, Start, Tokenizer
from koine.params.base import BM25, DEFAULT, HELD_OUT, NAME, SETTINGS, Block, Fraction, NameOf, Names, Positive, Seed, Setting
from koine.params.collect import (
    Benchmark,
    BenchmarkReader,
    Candidate,
    Clean,
    Collect,
    File,
    HeldOut,
    Probe,
    QAReader,
    Sample,
    Source,
    language_of,
)
from koine.params.compute import Compute
from koine.params.encode import Encode
from koine.params.evaluate import Domains, Evaluate
from koine.params.execution import Execution
from koine.params.experiment import Params, flags, parse, pretrained_backbones
from koine.params.filter import Filter, Rules, Score, Scores
from koine.params.index import Index, IndexKind
from koine.params.recipe import at_scale, check_recipes, laid_over, load_recipe, recipe_file
from koine.params.report import Published, Report
from koine.params.train import Datasets, Languages, Mining, Train, Validation
from koine.params.translate import BackendName, ComputeType, Decoding, Translate
