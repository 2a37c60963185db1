"""Everything a user may set, with types, defaults and descriptions: the one source of truth.

From these models come `params.yaml` (the default experiment, every key commented), the JSON schema that
editors check it with, and the command-line options of every step. After a change here run

    python -m koine.params

which rewrites both files; a test fails while they are stale. Recipes (`recipes/*.yaml`) are laid over
`params.yaml`: mappings merge, lists and scalars replace.

All blocks but `execution` hold *result parameters*: changing one reruns exactly the steps that read it.
`execution` holds what changes only speed: changing it reruns nothing.
"""

import difflib
import json
import math
import re
import shlex
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema, model_validator

from koine.runtime.errors import KoineError
from koine.runtime.files import write_text

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
Domains = Annotated[int, Field(ge=0)] | str
Published = Literal["xlm-r", "labse"]

#: Strategies that mix the gradients of a monolingual and a cross-lingual batch in every step; `-half`: in half as many steps.
MIXING = ("grad-mix", "pcgrad", "gradvac")
#: Training on texts alone.
UNSUPERVISED = ("mlm", "tsdae")
#: Training on pairs; `daft` on those of the domain, `hybrid-daft` on all.
CONTRASTIVE = (
    *("en-en", "x-x", "x-x-mono", "x-y", "hybrid", "daft", "hybrid-daft"),
    *(name + half for name in MIXING for half in ("", "-half")),
)
#: What is done to the vectors of a trained model.
DEBIASING = ("centre", "lir")
STRATEGIES = ("untrained", *CONTRASTIVE, *UNSUPERVISED)
_TRAINED = re.compile(rf"{'|'.join([*CONTRASTIVE, *UNSUPERVISED])}|(hybrid|hybrid-daft|grad-mix(-half)?)@(0(\.\d+)?|1(\.0+)?)")
#: `hybrid-of-8`: trained in the first eight languages alone.
_OF = re.compile(r"(?P<name>.+)-of-(?P<count>[2-9]|[1-9]\d+)")
#: `lir` removes one component, `lir@3` three.
DEBIASED = re.compile(r"centre|lir(@[1-9]\d{0,3})?")
#: Query and corpus in one language; an ordered pair of two; a query against the union of all languages' corpora.
SETTINGS = ("mono", "cross", "multi")
#: Metrics of every setting, and those that compare languages in the pool of all; `@k` is any cut-off.
RANKED = re.compile(r"map(@[1-9]\d*)?|ndcg@[1-9]\d*|recall@[1-9]\d*|mrr(@[1-9]\d*)?|accuracy")
POOLED = re.compile(r"rank_distance|tlr@[1-9]\d*|same_language@1|rankc@[1-9]\d*|mrc@[1-9]\d*|language_probe")
METRICS = (
    *("map", "map@20", "ndcg@10", "recall@1", "recall@10", "mrr"),
    *("rank_distance", "tlr@10", "same_language@1", "rankc@10", "mrc@10", "language_probe"),
)
#: Backends that translate anything, and those of them that need a model; the others look translations up.
ENGINES = {"apertium", "ctranslate2", "transformers"}
NEURAL = {"ctranslate2", "transformers"}
#: The lexical baseline's name in the tables.
BM25 = "bm25"
#: The recipe whose tables stand in results/ itself.
DEFAULT = "sample"
#: The benchmark that a recipe makes of its own questions (`HeldOut`).
HELD_OUT = "heldout"
#: Readers of folders; the others read files.
FOLDERS = {"beir", "trec", "mewsli-x", "triples"}
NAME = r"^[a-z0-9][a-z0-9._-]*$"


class Block(BaseModel):
    """A group of parameters; unknown keys are errors. `prefix` stands before its command-line options."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
    prefix: ClassVar[str] = ""


# --- collect ---------------------------------------------------------------------------------------------


class File(Block):
    """One file of a source."""

    name: str = Field(description="File name (for BEIR: folder name); fills {name} in url, mirror or path.")
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="Checksum; required with a url.")


#: Formats of questions and passages; `koine.collect.published` has all but the first five.
QAReader = Literal[
    "squad", "jsonl", "csv", "beir", "passages", "triples", "articles", "dpr", "wikiqa", "duorc", "newsqa", "faq", "medquad",
    "pubmedqa", "selqa", "qed", "omos-qa",
]  # fmt: skip


def language_of(key: str) -> str:
    """The language of a key of `files`: `ja/2` is a second file of `ja`."""
    return key.partition("/")[0]


class Source(Block):
    """Where data comes from and how it is read. Exactly one of url, mirror, path and hub is given."""

    url: str | None = Field(None, description="https address with {name}; checked by sha256.")
    mirror: str | None = Field(None, description="Path with {name} below KOINE_MIRROR; has no public address.")
    path: str | None = Field(None, description="Your own file: a path with {name} in or beside the checkout.")
    hub: str | None = Field(None, description="A data set of the Hugging Face Hub, `org/name`, read with `datasets`.")
    revision: str = Field("", description="Commit of the Hub data set.")
    config: str = Field(
        "",
        description="Configuration of the Hub data set; {name} is filled with each file's name, {part} with corpus, queries and "
        "qrels, the three tables of reader beir.",
    )
    split: str = Field("train", description="Split of the Hub data set (or the only one that it has), or of a folder's topics.")
    columns: dict[str, str] = Field(
        {}, description="Our field to the column of a Hub data set, or of a jsonl or csv file, as {question: query}."
    )
    files: dict[str, File] = Field(description="Files by language (`ja/2` is a second one), by pair `en-fi`, or by split.")
    reader: Literal[QAReader, "lines", "memory", "dictionary"] = Field(description="Format of the files.")
    lang: str = Field("en", description="Language of the questions and passages (BCP 47).")
    domain: str = Field("", description="Kept with every record, where the file itself says nothing.")
    licence: str = Field("", description="Kept with every record and listed in the report.")
    version: str = Field("", description="Commit or release of the data; of a Hub data set, its revision says so.")
    home: str = Field("", description="Where the data can be had, and which files; said where those of a `path` are missing.")
    expected: Positive | None = Field(
        None, description="Questions after cleaning, as the literature reports; collect says where it keeps another number."
    )
    size: tuple[int, int] | None = Field(
        None, description="About how many questions and passages in all languages: `koine plan`."
    )

    @model_validator(mode="after")
    def _one_origin(self) -> "Source":
        if sum(origin is not None for origin in (self.url, self.mirror, self.path, self.hub)) != 1:
            raise ValueError("give exactly one of url, mirror, path and hub")
        if self.url and any(file.sha256 is None for file in self.files.values()):
            raise ValueError("files of a url need their sha256 (`sha256sum FILE` prints it)")
        if self.reader in FOLDERS and self.path is None and not (self.hub and self.reader == "beir"):
            raise ValueError(f"reader {self.reader} reads a folder: download it, and give its path")
        return self


Candidate = Literal["sentence", "sentence+context", "passage"]
BenchmarkReader = Literal[QAReader, "lines", "trec", "belebele", "mkqa", "mewsli-x"]
Metric = Annotated[str, Field(pattern=f"^({RANKED.pattern}|{POOLED.pattern})$")]


class Benchmark(Source):
    """A source whose files are the parallel languages of one benchmark."""

    reader: BenchmarkReader = Field(  # type: ignore[assignment]  # other formats than a source's
        description="Format of the files; `lines`: line n of each language's file says the same; `trec`: folders of topics, "
        "qrels and docs.jsonl.gz, as MIRACL and Mr. TyDi have them."
    )
    settings: list[Literal["mono", "cross", "multi"]] = Field(
        ["mono", "cross", "multi"], min_length=1, description="What is asked: translations retrieve each other in `cross` alone."
    )
    metrics: list[Metric] = Field(
        list(METRICS), min_length=1, description="What is reported, as map, ndcg@10, rank_distance; docs/evaluate.md lists them."
    )
    candidate: Candidate = Field("passage", description="What is retrieved; `sentence+context` is LAReQA's.")
    parallel_only: bool = Field(False, description="Keep only the questions that exist in every language.")
    native: bool = Field(False, description="Each language has questions of its own: equal ids do not mean the same question.")


class Probe(Source):
    """A classification task put to frozen vectors: its files are `train` and `test`."""

    reader: Literal["nli"] = Field(description="Format of the files: XNLI's and MultiNLI's.")  # type: ignore[assignment]

    @model_validator(mode="after")
    def _trains_and_tests(self) -> "Probe":
        if set(self.files) != {"train", "test"}:
            raise ValueError("files: a probe has train and test")
        return self


class Sample(Block):
    """The embedded data set, made from CLDR facts (see docs/sample.md)."""

    languages: list[str] = Field(
        ["en", "ar", "de", "es", "fi", "hi", "ru", "sw", "tr", "zh"],
        min_length=2,
        description="Languages of the sample; English first.",
    )
    seed: int = Field(1, description="Draws the split, the wording and the planted defects.")
    defect_rate: Fraction = Field(0.05, description="Share of translations spoilt on purpose, to test the filter.")


class Clean(Block):
    """Duplicates and contamination."""

    near_duplicate: Fraction = Field(
        0.9, description="Passages whose word 5-grams overlap this much (Jaccard) are one; 1 keeps all but equal ones."
    )
    contamination_ngram: Positive = Field(
        25,
        description="Words in a row shared with any benchmark text, in any language, that make a pair go; "
        "13 suits natural text, the sample's sentences come from templates.",
    )
    contamination_titles: bool = Field(True, description="Also drop articles that share their title with a benchmark's.")
    max_questions: int = Field(0, ge=0, description="Keep this many questions, drawn by a hash of their id; 0 is all.")


class HeldOut(Block):
    """Questions put aside before training: with their translations they become the benchmark `heldout`."""

    prefix: ClassVar[str] = "heldout-"
    questions: int = Field(
        0, ge=0, description="At most this many, whole groups at a time, drawn by a hash; 0: none. `heldout` is the benchmark."
    )
    sources: list[str] = Field([], description="Sources that they are taken from; empty for all.")


class Collect(Block):
    """Raw questions and passages: from the registry (src/koine/collect/sources.yaml) or from your own files."""

    sources: list[str] = Field(["sample"], min_length=1, description="Names in the registry, or defined under `registry` below.")
    registry: dict[str, Source] = Field({}, description="Your own sources; see docs/collect.md.")
    sample: Sample = Sample()
    clean: Clean = Clean()
    heldout: HeldOut = HeldOut()


# --- translate -------------------------------------------------------------------------------------------


class Decoding(Block):
    """Which model translates, and how, for the backends `ctranslate2` and `transformers`."""

    model: str = Field(
        "",
        description="Hub id or folder of a Marian (OPUS-MT), M2M-100, NLLB, MADLAD or mBART-50 model; {source} and {target} are "
        "filled in, as in Helsinki-NLP/opus-mt-{source}-{target}.",
    )
    revision: str = Field("", description="Its commit on the Hub.")
    precision: Literal["float32", "bfloat16", "float16", "int8", "int8_bfloat16", "int8_float16"] = Field(
        "int8", description="Of weights and products; `int8` suits CPUs, `float16` and `bfloat16` GPUs."
    )
    beam: Positive = Field(2, description="Width of the beam; 1 is greedy.")
    max_tokens: Positive = Field(256, description="Most tokens of a translated sentence.")


BackendName = Literal["memory", "released", "lexicon", "apertium", "ctranslate2", "transformers"]


class Translate(Block):
    """From the source language into the others; each distinct text once."""

    source: str = Field("en", description="Language of the collected questions.")
    languages: list[str] = Field(
        ["ar", "de", "es", "fi", "hi", "ru", "sw", "tr", "zh"], min_length=1, description="Languages to translate into."
    )
    backend: BackendName = Field(
        "memory",
        description="`memory` looks up a translation memory, `released` published translations with the same ids, "
        "`lexicon` goes word by word; engines: `apertium` (rules), `ctranslate2` (neural, fast), `transformers` (neural).",
    )
    backends: dict[str, BackendName] = Field({}, description="Other backends of single languages, as {fi: memory, ca: apertium}.")
    resources: list[str] = Field(
        ["sample-memory"],
        description="Registry names of the memories, releases or dictionaries; the first match wins. Engines need none.",
    )
    reverse: list[str] = Field(
        ["sample-reverse"], description="Memories back into the source language, for the round-trip filter."
    )
    round_trip: list[str] = Field(
        [], description="Languages that an engine also translates back, for the round-trip filter; doubles the work."
    )
    decoding: Decoding = Decoding()
    shards: Positive = Field(1, description="Jobs per language; fixed, so that the plan is known before any data.")

    def ways(self, lang: str) -> list[tuple[str, str]]:
        """The directions (source, target) that a language needs: there, and back where round trips are asked for."""
        return [(self.source, lang), *([(lang, self.source)] if lang in self.round_trip else [])]

    def backend_of(self, lang: str) -> BackendName:
        """What translates into a language."""
        return self.backends.get(lang, self.backend)


# --- filter ----------------------------------------------------------------------------------------------


class Score(Block):
    """What the scores of a translation are computed with."""

    neighbours: list[str] = Field(
        [], description="More languages that the language identifier may choose from, besides the recipe's own."
    )
    encoder: str = Field(
        "", description="Folder or Hub id of a sentence encoder: adds the cosine of source and translation (rule `cosine`)."
    )
    external: str = Field(
        "",
        description="Your own scores, such as COMET-QE's or bicleaner-ai's: JSONL with `id` and `score`; {lang} is filled in "
        "(rule `external`).",
    )


_SHARE = r"^\d+(\.\d+)?%$"


def _score(low: float, high: float, value: float | str | None) -> float | str | None:
    """Check a threshold: a score, or the share of pairs with the worst scores as `2%`; null turns the rule off."""
    if isinstance(value, str) and not re.fullmatch(_SHARE, value):
        raise ValueError(f"{value!r} is neither a number nor a share of the worst pairs such as 2%")
    if isinstance(value, float) and not low <= value <= high:
        raise ValueError(f"{value:g} does not lie between {low:g} and {high:g}")
    return value


def _schema(**limits: float) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"type": "number", **limits}, {"type": "string", "pattern": _SHARE}, {"type": "null"}]})


LeastShare = Annotated[float | str | None, AfterValidator(partial(_score, 0, 1)), _schema(minimum=0, maximum=1)]
Deviations = Annotated[float | str | None, AfterValidator(partial(_score, 0, math.inf)), _schema(minimum=0)]
AnyScore = Annotated[float | str | None, AfterValidator(partial(_score, -math.inf, math.inf)), _schema()]


class Rules(Block):
    """A pair is kept when its question and its passage pass every rule. `2%` drops the worst 2 %; null turns a rule off."""

    language: LeastShare = Field(0.1, description="Least confidence that the text is in its language (lingua).")
    script: LeastShare = Field(0.3, description="Least share of letters in the language's own script.")
    length: Deviations = Field(
        3.25, description="Most standard deviations longer or shorter than human translations into the language."
    )
    numbers: LeastShare = Field(1.0, description="Least share of numbers, units and links that were not replaced or lost.")
    copied: LeastShare = Field(0.9, description="Most of the translation's words that stand in the source too.")
    repetition: LeastShare = Field(0.3, description="Largest share of repeated runs of words in excess of the source's.")
    ending: LeastShare = Field(1.0, description="1: where the source ends its sentence, the translation must.")
    question: LeastShare = Field(1.0, description="1: a question must stay a question, and a statement a statement.")
    alignment: AnyScore = Field(
        None,
        description="Least evidence, in standard deviations from the usual, that the translation is of this source and not of "
        "another (by the corpus itself); -2.4 suits natural text.",
    )
    answer: LeastShare = Field(None, description="1: the translated answer must stand in the translated passage.")
    round_trip_chrf: LeastShare = Field(0.95, description="Least chrF++ of the back-translation against the source.")
    round_trip_bleu: LeastShare = Field(None, description="Least BLEU of the back-translation against the source.")
    cosine: LeastShare = Field(None, description="Least cosine of source and translation under `score.encoder`.")
    external: AnyScore = Field(None, description="Least score of `score.external`.")
    clean_source: bool = Field(True, description="Drop translations that share long n-grams with a benchmark.")


class Filter(Block):
    """Scores first, decisions later: changing a rule recomputes no score."""

    score: Score = Score()
    rules: Rules = Rules()


# --- backbones and train ---------------------------------------------------------------------------------


class Tokenizer(Block):
    """A byte-pair tokenizer trained on the recipe's own texts, for backbones that start from scratch."""

    vocab_size: Positive = Field(8000, description="Number of tokens.")
    lowercase: bool = Field(True, description="Fold case before tokenising.")
    max_length: Positive = Field(128, description="Tokens of a text that are read.")
    query_prefix: str = Field("", description="Put before each query.")
    passage_prefix: str = Field("", description="Put before each passage.")


class Start(Block):
    """What a `pretrained` backbone starts from."""

    model: str = Field("", description="Hub id or folder; safetensors weights only.")
    revision: str = Field("", description="Commit, branch or tag of the Hub; empty for its main branch.")
    pooling: Literal["", "mean", "cls", "max", "lasttoken"] = Field(
        "", description="How states become a vector; empty for the model's own sentence-transformers modules."
    )


class Architecture(Block):
    """The encoder's shape, for backbones that start from scratch."""

    dim: Positive = Field(256, description="Dimensions of a vector.")
    layers: int = Field(0, ge=0, description="Transformer layers; 0 for `static`.")
    heads: int = Field(0, ge=0, description="Attention heads; 0 for `static`.")
    idf: bool = Field(
        True, description="Start `static` with rare tokens long and frequent ones short (inverse document frequency)."
    )


Direction = Literal["query_to_doc", "doc_to_query", "query_to_query", "doc_to_doc"]


class Optimisation(Block):
    """How a backbone is trained."""

    steps: Positive = Field(800, description="Batches.")
    batch_size: Positive = Field(256, description="Pairs in a batch; every other passage is a negative.")
    lr: float = Field(0.1, gt=0, description="Peak learning rate of AdamW; decays linearly to 0.")
    warmup: Fraction = Field(0.1, description="Share of the steps in which the learning rate rises.")
    weight_decay: float = Field(0.0, ge=0, description="Weight decay of AdamW; biases and normalisation layers have none.")
    max_grad_norm: float = Field(
        1.0, ge=0, description="A step's gradient that is longer than this is shortened to it (clipping); 0 turns it off."
    )
    temperature: float = Field(0.06, gt=0, description="Cosines are divided by it.")
    learn_temperature: bool = Field(False, description="Train the temperature, too, from this start.")
    directions: list[Direction] = Field(
        ["query_to_doc"],
        min_length=1,
        description="What is compared with what, as in sentence-transformers: query_to_doc, "
        "doc_to_query, query_to_query, doc_to_doc.",
    )
    joint: bool = Field(True, description="One softmax over all directions; else the mean of one for each.")
    negatives: int = Field(0, ge=0, description="Explicit negatives of each question, from the data or mined.")
    in_batch: bool = Field(
        True,
        description="Other questions' positives are negatives; false: explicit ones alone, the paper's equation 1 as printed.",
    )
    query_dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="Share of a query's tokens left out in training.")
    passage_dropout: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="Share of a passage's tokens left out in training."
    )
    chunk: int = Field(
        0,
        ge=0,
        description="Rows of a batch that are held in memory at once (GradCache); 0 is all. The loss is that of the batch.",
    )
    recompute: bool = Field(
        False,
        description="Compute a transformer's states again on the way back (gradient checkpointing): less memory, slower.",
    )
    fuse: bool = Field(
        False,
        description="Compile a transformer (torch.compile): faster steps after a start of seconds; needs a C++ compiler.",
    )
    bf16: bool = Field(False, description="Compute in bfloat16 where that is safe (autocast).")
    threads: Positive = Field(1, description="CPU threads; fixed, since sums in another order give other bytes.")

    @model_validator(mode="after")
    def _makes_sense(self) -> "Optimisation":
        if self.learn_temperature and self.temperature < 0.01:
            raise ValueError("temperature: one that is learned is at least 0.01")
        if not self.in_batch and not self.negatives:
            raise ValueError("in_batch: false leaves explicit negatives alone; set negatives to 1 or more")
        if self.directions[0] != "query_to_doc":
            raise ValueError("directions: query_to_doc comes first")
        if not self.joint and set(self.directions) - {"query_to_doc", "doc_to_query"}:
            raise ValueError("joint: false takes query_to_doc and doc_to_query alone")
        return self


class Backbone(Block):
    """An encoder and how it is trained."""

    kind: Literal["static", "transformer", "pretrained"] = Field(
        description="`static` averages token embeddings; `transformer` has XLM-R's architecture; both from scratch. "
        "`pretrained` starts from a model."
    )
    start: Start = Start()
    tokenizer: Tokenizer = Tokenizer()
    architecture: Architecture = Architecture()
    optimisation: Optimisation = Optimisation()

    @model_validator(mode="after")
    def _starts_somewhere(self) -> "Backbone":
        if (self.kind == "pretrained") != bool(self.start.model):
            raise ValueError("start.model: a backbone of kind `pretrained` needs one, and no other kind has one")
        return self


class Languages(Block):
    """How batches draw their languages; see docs/train.md."""

    equal_languages: bool = Field(
        False, description="Let x-y draw question and passage languages independently (LAReQA), so also equal ones."
    )
    exponent: Fraction = Field(
        0.0, description="Monolingual batches draw a language of n questions with probability ∝ n^exponent; 0 is uniform."
    )
    pairs: Literal["row", "batch"] = Field(
        "row", description="Whether each row of a cross-lingual batch draws its pair of languages, or the batch draws one."
    )


class Datasets(Block):
    """How data sets are mixed, and which of them are of the target domain; see docs/train.md."""

    prefix: ClassVar[str] = "datasets-"
    exponent: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None,
        description="A batch is of one data set, drawn with probability ∝ (its questions)^exponent; null: they share batches.",
    )
    domain: list[str] = Field(
        [],
        description="Sources of the target domain: for `daft`, `mlm`, `tsdae`; `hybrid-daft` trains on all, others on the rest.",
    )


class Validation(Block):
    """Questions that are kept from training, for the validation loss: it stops training early, and chooses alpha."""

    prefix: ClassVar[str] = "validation-"
    sources: list[str] = Field([], description="Sources whose questions these are, such as squadshifts.")
    share: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="Share of the passages whose questions these are, drawn by a hash."
    )
    languages: list[str] = Field([], description="Languages of the validation loss; empty for all.")
    every: int = Field(0, ge=0, description="Steps between two validations, the best weights are kept; 0: at the end alone.")
    patience: int = Field(0, ge=0, description="Validations without a lower loss that end the training; 0: it never ends early.")

    @model_validator(mode="after")
    def _holds_out(self) -> "Validation":
        if (self.every or self.languages) and not (self.sources or self.share):
            raise ValueError("no question is kept from training; set sources or share")
        if self.patience and not self.every:
            raise ValueError("patience: counts validations; set every")
        return self


class Mining(Block):
    """Hard negatives: the passages nearest to a question that do not answer it; see docs/train.md."""

    model: str = Field(
        "", description="What finds them: folder, Hub id, or BACKBONE/STRATEGY of this recipe (first seed); empty for none."
    )
    count: Positive = Field(4, description="Negatives of a question.")
    depth: Positive = Field(100, description="Nearest passages that are looked at.")
    margin: Annotated[float, Field(gt=0)] = Field(
        0.95,
        description="A passage scored above this share of the positive's score may answer the question, too, and is no negative.",
    )


class Train(Block):
    """Which models are trained, and on which batches."""

    backbones: list[str] = Field(["static"], min_length=1, description="Names defined under `backbones`.")
    strategies: list[str] = Field(
        ["untrained", "en-en", "x-x-mono", "x-y", "hybrid"],
        min_length=1,
        description="untrained, en-en, x-x, x-x-mono, x-y, hybrid (or hybrid@0.3 for another alpha), the rivals grad-mix, "
        "pcgrad, gradvac, daft, mlm, tsdae, hybrid-of-8 (in the first eight languages alone), and chains: mlm+hybrid, "
        "hybrid+centre, hybrid+lir (see docs/train.md).",
    )
    seeds: list[Seed] = Field([1, 2, 3], min_length=1, description="One model per seed; intervals are taken over them too.")
    alpha: Fraction = Field(
        0.5, description="Probability that a batch of `hybrid` is monolingual; weight of that loss in `grad-mix`."
    )
    languages: Languages = Languages()
    datasets: Datasets = Datasets()
    validation: Validation = Validation()
    mining: Mining = Mining()
    cosine_every: int = Field(
        0,
        ge=0,
        description="Steps between two looks at the cosine of a monolingual and a cross-lingual gradient (train.jsonl); 0: none.",
    )

    @model_validator(mode="after")
    def _known_and_once(self) -> "Train":
        for strategy in self.strategies:
            check_strategy(strategy)
            if "daft" in strategy and not self.datasets.domain:
                raise ValueError(f"strategies: {strategy} trains on the target domain; name its sources under datasets.domain")
        for name in ("backbones", "strategies", "seeds"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ValueError(f"{name}: the same value stands twice in {values}")
        return self


def check_strategy(strategy: str) -> None:
    """Raise a ValueError that names the nearest strategy, where there is none of this name."""
    parts = strategy.split("+")

    def fits(place: int, whole: str) -> bool:
        part, count = count_of(whole)
        if count:
            return part != "en-en" and bool(_TRAINED.fullmatch(part))
        ends = 0 < place == len(parts) - 1 and DEBIASED.fullmatch(part)
        alone = part == "untrained" and place == 0 and all(DEBIASED.fullmatch(other) for other in parts[1:])
        return bool(_TRAINED.fullmatch(part) or ends or alone)

    for wrong in (part for place, part in enumerate(parts) if not fits(place, part)):
        single = wrong.partition("-of-")[0]
        near = [name for name in difflib.get_close_matches(single, [*STRATEGIES, *DEBIASING], n=1) if name != wrong]
        hint = f"; did you mean {near[0]!r}?" if near else ""
        chains = "chains such as mlm+hybrid, hybrid+centre, hybrid+lir@2"
        known = f"{', '.join(STRATEGIES)}; hybrid@ALPHA with ALPHA from 0 to 1; hybrid-of-N with N languages; {chains}"
        raise ValueError(f"unknown strategy {strategy!r}{hint} (known: {known})")


def count_of(part: str) -> tuple[str, int | None]:
    """A training of a chain without its `-of-N`, and N: the number of languages that it is done in, None for all."""
    found = _OF.fullmatch(part)
    return (found["name"], int(found["count"])) if found else (part, None)


def steps_of(strategy: str) -> tuple[str, str, str]:
    """The chain before a strategy's last training, that training, and what is done to its vectors; `""` where there is none."""
    parts = strategy.split("+")
    after = parts.pop() if len(parts) > 1 and DEBIASED.fullmatch(parts[-1]) else ""
    return "+".join(parts[:-1]), parts[-1], after


# --- encode, index, evaluate, report ---------------------------------------------------------------------


class Encode(Block):
    """Each text of a benchmark once per model."""

    dtype: Literal["float32", "float16"] = Field("float32", description="Precision of stored vectors; scored in float32.")


class IndexKind(Block):
    """A kind of index, and how much work goes into it."""

    kind: Literal["flat", "ivf", "ivfpq", "sq", "hnsw"] = Field(
        "flat",
        description="`flat` is exact; `ivf` looks into the nearest lists, `sq` too, with 8-bit codes; `ivfpq` scans short codes "
        "and ranks the best again; `hnsw` walks a graph.",
    )
    lists: int = Field(
        0,
        ge=0,
        description="Lists of ivf, ivfpq, sq; 0 for 4 times the root of the number of vectors, and for one list in an ivfpq of "
        "up to 10 million.",
    )
    train_sample: int = Field(0, ge=0, description="Vectors that lists and codes are learnt from; 0 for 40 a list.")
    probes: Positive = Field(256, description="Lists that a query looks into; more find more, and cost as much more.")
    code_bytes: Positive = Field(32, description="Bytes of an ivfpq code; their half bytes divide the dimensions.")
    rerank: int = Field(
        20,
        ge=0,
        description="Of ivfpq, this many times as many as are asked for are ranked again, by 8-bit codes; 0: none, and smaller.",
    )
    links: Annotated[int, Field(ge=2)] = Field(32, description="Links of an hnsw vector.")
    ef_construction: Positive = Field(80, description="Candidates of hnsw while it is built.")
    ef_search: Positive = Field(512, description="Candidates of hnsw when it is searched; more find more, and cost more.")


class Index(IndexKind):
    """A FAISS index over the pool of all languages, to search in and to ship."""

    strategies: list[str] = Field(["hybrid"], description="Strategies that get an index, for their first seed.")


class Evaluate(Block):
    """All ordered language pairs and the pool of all languages, from one score matrix per query language."""

    benchmarks: list[str] = Field(
        ["sample"], min_length=1, description="Names in the registry, or defined under `registry` below."
    )
    registry: dict[str, Benchmark] = Field({}, description="Your own benchmarks; see docs/evaluate.md.")
    candidates: dict[str, Candidate] = Field(
        {}, description="Another candidate text than a benchmark's usual one, as {xquad-r: sentence}."
    )
    probes: list[str] = Field([], description="Probes of the vectors by a linear classifier: `xnli`; see docs/evaluate.md.")
    bm25: bool = Field(True, description="Also evaluate BM25, the lexical baseline: one row, `bm25 untrained`.")
    pools: list[str] = Field(
        [], description="Sub-pools such as `en+fi`, evaluated beside the whole where a benchmark has these languages."
    )
    domains: dict[str, Domains] = Field(
        {},
        description="Benchmarks to report by domain: {mlqa-r: 8} for 8 clusters, 0 for none, or a CSV of query_id and domain.",
    )


class Report(Block):
    """Tables, intervals and the page."""

    confidence: Annotated[float, Field(gt=0, lt=1)] = Field(0.95, description="Coverage of the intervals.")
    resamples: Positive = Field(1000, description="Bootstrap samples, over seeds and question ids.")
    permutations: Positive = Field(10000, description="Of the randomisation tests.")
    seed: int = Field(1, description="Seed of the bootstrap and of the randomisation tests.")
    reference: str = Field("hybrid", description="The strategy that every other one is compared with.")
    metrics: list[Metric] = Field(
        ["map", "ndcg@10", "accuracy", "rank_distance", "language_probe"],
        min_length=1,
        description="Metrics of the comparisons and of the means by kind of language, where a benchmark has them.",
    )
    margin: Annotated[float, Field(gt=0)] = Field(0.01, description="A smaller difference between fractions does not matter.")
    margin_share: Annotated[float, Field(gt=0)] = Field(
        0.05,
        description="As `margin`, as a share of the two means' mean: the lower of both counts; for ranks, this one.",
    )
    home: str = Field(
        "", description="A benchmark of the domain that models were trained in: what they lose on the others is reported (drops)."
    )
    published: dict[Published, str] = Field(
        {}, description="Backbones of arXiv 2408.10536 to yours, as {xlm-r: static}: its tables beside yours."
    )


class Execution(Block):
    """What changes only speed. Nothing reruns when these change."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where encoders run.")
    encode_batch: Positive = Field(256, description="Texts encoded at once.")
    workers: Positive = Field(1, description="Processes that score translations.")
    translate_threads: Positive = Field(1, description="CPU threads of one translation job.")
    translate_batch_tokens: Positive = Field(4096, description="Tokens translated at once; smaller needs less memory.")
    checkpoint_minutes: Annotated[float, Field(ge=0)] = Field(
        10.0, description="Between two checkpoints of a training run; a run that was stopped goes on from the last."
    )
    processes: Positive = Field(
        1,
        description="Of one training or encoding job, each on a GPU of its own (torchrun); they share its work.",
    )
    track: Literal["none", "tensorboard", "wandb"] = Field("none", description="Where training curves are sent, too.")


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
                architecture=Architecture(dim=128, layers=2, heads=4),
                optimisation=Optimisation(batch_size=64, lr=1e-3, weight_decay=0.01),
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
        home = [self.report.home] if self.report.home else []
        domains = [name for name, wanted in self.evaluate.domains.items() if wanted]
        used = {"evaluate.candidates": [*self.evaluate.candidates], "evaluate.domains": domains, "report.home": home}
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
            if max(count_of(part)[1] or 0 for part in strategy.split("+")) > there:
                raise ValueError(f"train.strategies: {strategy} asks for more languages than the {there} that there are")
        for name in self.report.published.values():
            if name not in self.train.backbones:
                raise ValueError(f"report.published: {name!r} is not in train.backbones")
        if BM25 in self.backbones:
            raise ValueError(f"backbones.{BM25}: this is the lexical baseline's name (evaluate.bm25); choose another")
        for name, backbone in self.backbones.items():
            if backbone.kind == "static" and (backbone.optimisation.recompute or backbone.optimisation.fuse):
                raise ValueError(
                    f"backbones.{name}.optimisation: recompute and fuse are for transformers, `static` has no states"
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
            check_strategy(strategy)
            chain, last, after = steps_of(strategy)
            if after or self.backbones[backbone].optimisation.negatives:
                raise ValueError("train.mining.model: the miner is a trained model whose backbone takes no negatives itself")
            if self.backbones[backbone].kind == "static" and {*UNSUPERVISED} & {*chain.split("+"), last}:
                raise ValueError(f"train.mining.model: {backbone} is static, which {strategy} cannot train")


def laid_over(base: dict[str, Any], layer: dict[str, Any]) -> dict[str, Any]:
    """`layer` over `base`: mappings merge, all else replaces."""
    both = {key: laid_over(base[key], value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
            for key, value in layer.items()}  # fmt: skip
    return {**base, **both}


def at_scale(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration at the scale that it names.

    Raises:
        KoineError: there is no such scale; the message lists those that there are.
    """
    scale, scales = config.get("scale"), config.get("scales") or {}
    if not scale or not isinstance(scales, dict):  # what is no mapping is told with the other mistakes
        return config
    if scale not in scales:
        raise KoineError(f"scale: {scale!r} is not among the recipe's: {', '.join(scales) or 'it has none'}")
    if not isinstance(scales[scale], dict):
        raise KoineError(f"scales.{scale}: expected parameters, as under the recipe itself")
    return {**laid_over(config, scales[scale]), "recipe": f"{config.get('recipe', DEFAULT)}@{scale}"}


@cache
def pretrained_backbones() -> dict[str, dict[str, Any]]:
    """The registry of pretrained encoders, backbones/registry.yaml, as blocks of `Backbone`."""
    import yaml

    entries = yaml.safe_load((Path(__file__).parent / "backbones" / "registry.yaml").read_text(encoding="utf-8"))
    usual = {"steps": 2000, "batch_size": 100, "lr": 3e-5, "weight_decay": 0.01, "temperature": 0.05, "bf16": True}
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
                siblings = _keys_at(problem["loc"][:-1])
                near = difflib.get_close_matches(str(problem["loc"][-1]), siblings, n=1)
                message = "no such parameter" + (f"; did you mean {near[0]!r}?" if near else f" (known: {', '.join(siblings)})")
            lines.append(f"  {path}: {message}" if path else f"  {message}")
        raise KoineError(f"params.yaml, or the recipe laid over it: {len(lines)} mistake(s)\n" + "\n".join(lines)) from None


def _keys_at(location: tuple[int | str, ...]) -> list[str]:
    """Known keys of the block at a location; the free names of a mapping (backbones, registry) are stepped over."""
    block: type[Block] = Params
    for part in location:
        if part in block.model_fields:
            annotation = block.model_fields[str(part)].annotation
            blocks = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type) and issubclass(kind, Block)]
            if not blocks:
                return []
            block = blocks[0]
    return list(block.model_fields)


def flags(block: Block) -> str:
    """The command-line options that say what `block` says: `--lr 0.02 --no-bf16 …`, shell-quoted.

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


# --- the generated files -----------------------------------------------------------------------------------

PARAMS_FILE = Path("params.yaml")
SCHEMA_FILE = Path("workflow/schemas/params.schema.json")

HEAD = """\
# yaml-language-server: $schema=workflow/schemas/params.schema.json
#
# The default experiment: Koine's embedded sample. Snakemake's configfile and DVC's params file at once.
# Your own experiment is a file in recipes/ that is laid over this one:
#     snakemake --cores all --configfile recipes/squad-fi.yaml
# Made from src/koine/params.py by `python -m koine.params`; values may be edited here, keys come from there.
#
# What it gives (`koine check`): benchmark, backbone, strategy, setting, metric, value, tolerance.
# expect:
#   - [sample, static, untrained, mono, map, 0.235, 0.02]
#   - [sample, static, untrained, cross, map, 0.034, 0.02]
#   - [sample, static, untrained, multi, map, 0.030, 0.02]
#   - [sample, static, untrained, multi, rank_distance, 9505, 950]
#   - [sample, static, en-en, mono, map, 0.360, 0.02]
#   - [sample, static, en-en, cross, map, 0.073, 0.02]
#   - [sample, static, en-en, multi, map, 0.063, 0.02]
#   - [sample, static, en-en, multi, rank_distance, 9390, 939]
#   - [sample, static, x-x-mono, mono, map, 0.880, 0.02]
#   - [sample, static, x-x-mono, cross, map, 0.116, 0.02]
#   - [sample, static, x-x-mono, multi, map, 0.144, 0.02]
#   - [sample, static, x-x-mono, multi, rank_distance, 8828, 883]
#   - [sample, static, x-y, mono, map, 0.877, 0.02]
#   - [sample, static, x-y, cross, map, 0.757, 0.02]
#   - [sample, static, x-y, multi, map, 0.666, 0.02]
#   - [sample, static, x-y, multi, rank_distance, 74, 7]
#   - [sample, static, hybrid, mono, map, 0.881, 0.02]
#   - [sample, static, hybrid, cross, map, 0.723, 0.02]
#   - [sample, static, hybrid, multi, map, 0.621, 0.02]
#   - [sample, static, hybrid, multi, rank_distance, 96, 10]
#   - [sample, bm25, untrained, mono, map, 0.502, 0.02]
#   - [sample, bm25, untrained, cross, map, 0.078, 0.02]
#   - [sample, bm25, untrained, multi, map, 0.066, 0.02]
#   - [sample, bm25, untrained, multi, rank_distance, 10568, 1057]
"""


def render() -> str:
    """`params.yaml` with every default and its description."""
    return HEAD + "".join(_render_field(name, getattr(Params(), name), Params, 0) for name in Params.model_fields)


def _render_field(name: str, value: Any, owner: type[Block], depth: int) -> str:
    pad = "  " * depth
    description = owner.model_fields[name].description
    gap = "\n" if depth == 0 else ""
    if isinstance(value, Block):
        comment = f"{pad}# {(type(value).__doc__ or '').splitlines()[0]}\n"
        body = "".join(_render_field(child, getattr(value, child), type(value), depth + 1) for child in type(value).model_fields)
        return f"{gap}{comment}{pad}{name}:\n{body}"
    comment = f"{pad}# {description}\n" if description else ""
    if isinstance(value, dict) and value:
        body = "".join(_render_entry(key, entry, depth + 1) for key, entry in value.items())
        return f"{gap}{comment}{pad}{name}:\n{body}"
    return f"{gap}{comment}{pad}{name}: {json.dumps(value, ensure_ascii=False)}\n"


def _render_entry(name: str, value: Block, depth: int) -> str:
    pad = "  " * depth
    body = "".join(_render_field(child, getattr(value, child), type(value), depth + 1) for child in type(value).model_fields)
    return f"{pad}{name}:\n{body}"


def schema() -> str:
    """The JSON schema of `params.yaml`, as text."""
    return json.dumps(Params.model_json_schema(), indent=2) + "\n"


if __name__ == "__main__":
    write_text(PARAMS_FILE, render())
    write_text(SCHEMA_FILE, schema())
