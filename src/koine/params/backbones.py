"""What a backbone is: an encoder, its tokenizer, and how it is trained."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from koine.backbones.kinds import KINDS, trained_kind
from koine.params.base import Block, Fraction, Model, Positive

_TRAINED = {name: kind for name, kind in KINDS.items() if kind.is_trained}
KindName = Annotated[str, AfterValidator(trained_kind), Field(json_schema_extra={"enum": [*_TRAINED]})]


class Tokenizer(Block):
    """A byte-pair tokenizer trained on the recipe's own texts, for backbones that start from scratch."""

    vocab_size: Annotated[int, Field(gt=0, le=10**7)] = Field(8000, description="Number of tokens.")
    lowercase: bool = Field(True, description="Fold case before tokenising.")
    max_length: Positive = Field(128, description="Tokens of a text that are read.")
    query_prefix: str = Field("", description="Put before each query.")
    passage_prefix: str = Field("", description="Put before each passage.")


class Start(Block):
    """What a backbone starts from that does not start from scratch."""

    model: Model = Field("", description="Hub id or folder; safetensors weights only.")
    revision: str = Field("", description="Commit, branch or tag of the Hub; empty for its main branch.")
    pooling: Literal["", "mean", "cls", "max", "lasttoken"] = Field(
        "", description="How states become a vector; empty for the model's own sentence-transformers modules."
    )


class Architecture(Block):
    """The encoder's shape, for backbones that start from scratch."""

    hidden_size: Annotated[int, Field(gt=0, le=65536)] = Field(256, description="Dimensions of a vector.")
    num_hidden_layers: int = Field(0, ge=0, description="Transformer layers; 0 for `static`.")
    num_attention_heads: int = Field(0, ge=0, description="Attention heads; 0 for `static`.")
    idf: bool = Field(
        True, description="Start `static` with rare tokens long and frequent ones short (inverse document frequency)."
    )


Direction = Literal["query_to_doc", "doc_to_query", "query_to_query", "doc_to_doc"]
PartitionMode = Literal["joint", "per_direction"]


class Optimisation(Block):
    """How a backbone is trained."""

    max_steps: Positive = Field(800, description="Batches.")
    batch_size: Annotated[int, Field(ge=2)] = Field(256, description="Pairs in a batch; every other passage is a negative.")
    learning_rate: float = Field(0.1, gt=0, le=10, description="Peak learning rate of AdamW; decays linearly to 0.")
    warmup_ratio: Fraction = Field(0.1, description="Share of the steps in which the learning rate rises.")
    weight_decay: float = Field(0.0, ge=0, le=10, description="Weight decay of AdamW; biases and normalisation layers have none.")
    max_grad_norm: float = Field(
        1.0, ge=0, description="A step's gradient that is longer than this is shortened to it (clipping); 0 turns it off."
    )
    temperature: float = Field(0.06, ge=1e-4, le=100, description="Cosines are divided by it.")
    learn_temperature: bool = Field(False, description="Train the temperature, too, from this start.")
    directions: list[Direction] = Field(
        ["query_to_doc"],
        min_length=1,
        description="What is compared with what, as in sentence-transformers: query_to_doc, "
        "doc_to_query, query_to_query, doc_to_doc.",
    )
    partition_mode: PartitionMode = Field(
        "joint", description="`joint`: one softmax over all directions; `per_direction`: the mean of one softmax for each."
    )
    num_negatives: int = Field(0, ge=0, description="Explicit negatives of each question, from the data or mined.")
    in_batch_negatives: bool = Field(
        True,
        description="Other questions' positives are negatives; false: explicit ones alone, the paper's equation 1 as printed.",
    )
    query_dropout: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="Share of a query's tokens left out in training.")
    passage_dropout: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="Share of a passage's tokens left out in training."
    )
    mini_batch_size: int = Field(
        0,
        ge=0,
        description="Rows of a batch that are held in memory at once (GradCache); 0 is all. The loss is that of the batch.",
    )
    gradient_checkpointing: bool = Field(
        False,
        description="Compute a transformer's states again on the way back (gradient checkpointing): less memory, slower.",
    )
    torch_compile: bool = Field(
        False,
        description="Compile a transformer (torch.compile): faster steps after a start of seconds; needs a C++ compiler.",
    )
    bf16: bool = Field(False, description="Compute in bfloat16 where that is safe (autocast).")
    threads: Positive = Field(1, description="CPU threads; fixed, since sums in another order give other bytes.")

    @model_validator(mode="after")
    def _makes_sense(self) -> "Optimisation":
        if self.learn_temperature and self.temperature < 0.01:
            raise ValueError("temperature: one that is learned is at least 0.01")
        if not self.in_batch_negatives and not self.num_negatives:
            raise ValueError("in_batch_negatives: false leaves explicit negatives alone; set num_negatives to 1 or more")
        if self.directions[0] != "query_to_doc":
            raise ValueError("directions: query_to_doc comes first")
        if self.partition_mode == "per_direction" and set(self.directions) - {"query_to_doc", "doc_to_query"}:
            raise ValueError("partition_mode: per_direction takes query_to_doc and doc_to_query alone")
        return self


class Backbone(Block):
    """An encoder and how it is trained."""

    kind: KindName = Field(description="; ".join(f"`{name}` {kind.words}" for name, kind in _TRAINED.items()) + ".")
    start: Start = Start()
    tokenizer: Tokenizer = Tokenizer()
    architecture: Architecture = Architecture()
    optimisation: Optimisation = Optimisation()

    @model_validator(mode="after")
    def _starts_somewhere(self) -> "Backbone":
        if self.starts_from_model != bool(self.start.model):
            names = ", ".join(f"`{name}`" for name, kind in _TRAINED.items() if kind.starts_from == "model")
            raise ValueError(f"start.model: a backbone of kind {names} needs one, and no other kind has one")
        return self

    @property
    def starts_from_model(self) -> bool:
        """Whether training starts from a model, and not from random weights."""
        return KINDS[self.kind].starts_from == "model"

    @property
    def reads_context(self) -> bool:
        """Whether it is a transformer."""
        return KINDS[self.kind].reads_context
