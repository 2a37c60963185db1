"""Blocks of the collect step: sources, the sample, cleaning, held-out questions; and what a source, a benchmark or a probe is."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from koine.collect.readers import READERS, readers_of
from koine.metrics import USUAL, MetricName
from koine.params.base import SETTINGS, Block, Fraction, LanguageList, Name, NameOf, OwnPath, Positive, Setting

# Names of readers by what they are used for.
QAReader = Annotated[str, NameOf(readers_of("questions"), "reader of questions")]
SourceReader = Annotated[str, NameOf(readers_of("questions", "memory", "dictionary"), "reader of a source")]
BenchmarkReader = Annotated[str, NameOf(readers_of("questions", "benchmark"), "reader of a benchmark")]
ProbeReader = Annotated[str, NameOf(readers_of("nli"), "reader of a probe")]


class File(Block):
    """One file of a source."""

    name: str = Field(description="File name (for BEIR: folder name); fills {name} in url, mirror or path.")
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$", description="Checksum; required with a url.")


def language_of(key: str) -> str:
    """The language of a key of `files`: `ja/2` is a second file of `ja`."""
    return key.partition("/")[0]


class Source(Block):
    """Where data comes from and how it is read. Exactly one of url, mirror, path and hub is given."""

    url: str | None = Field(None, description="https address with {name}; checked by sha256.")
    mirror: str | None = Field(None, description="Path with {name} below KOINE_MIRROR; has no public address.")
    path: OwnPath | None = Field(None, description="Your own file: a path with {name} in or beside the checkout.")
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
    reader: SourceReader = Field(description="Format of the files.")
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
        reader = READERS[self.reader]
        if reader.files and self.path is None and not (self.hub and reader.tables):
            raise ValueError(f"reader {self.reader} reads a folder: download it, and give its path")
        if self.columns and not (self.hub or reader.columns):
            taking = ", ".join(name for name, other in READERS.items() if other.columns)
            raise ValueError(
                f"columns: reader {self.reader} knows its columns; only {taking} and data sets of the Hub have others"
            )
        return self


Candidate = Literal["sentence", "sentence+context", "passage"]


class Benchmark(Source):
    """A source whose files are the parallel languages of one benchmark."""

    reader: BenchmarkReader = Field(
        description="Format of the files; `lines`: line n of each language's file says the same; `trec`: folders of topics, "
        "qrels and docs.jsonl.gz, as MIRACL and Mr. TyDi have them."
    )
    settings: list[Setting] = Field(
        list(SETTINGS), min_length=1, description="What is asked: translations retrieve each other in `cross` alone."
    )
    metrics: list[MetricName] = Field(
        list(USUAL), min_length=1, description="What is reported, as map, ndcg@10, rank_distance; docs/evaluate.md lists them."
    )
    candidate: Candidate = Field("passage", description="What is retrieved; `sentence+context` is LAReQA's.")
    parallel_only: bool = Field(False, description="Keep only the questions that exist in every language.")
    native: bool = Field(False, description="Each language has questions of its own: equal ids do not mean the same question.")


class Probe(Source):
    """A classification task put to frozen vectors: its files are `train` and `test`."""

    reader: ProbeReader = Field(description="Format of the files: XNLI's and MultiNLI's.")

    @model_validator(mode="after")
    def _trains_and_tests(self) -> "Probe":
        if set(self.files) != {"train", "test"}:
            raise ValueError("files: a probe has train and test")
        return self


class Sample(Block):
    """The embedded data set, made from CLDR facts (see docs/sample.md)."""

    languages: LanguageList = Field(
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

    sources: list[Name] = Field(["sample"], min_length=1, description="Names in the registry, or defined under `registry` below.")
    registry: dict[Name, Source] = Field({}, description="Your own sources; see docs/collect.md.")
    sample: Sample = Sample()
    clean: Clean = Clean()
    heldout: HeldOut = HeldOut()
