"""What the claims of the literature come to on a recipe's numbers: results/claims.csv and results/claims.md.

The claims stand in claims.yaml. A contrast supports its claim, contradicts it, or leaves it undecided:

- *better*: supported where the difference has the right sign, its interval excludes 0 and its adjusted p is below the level;
  contradicted where all that holds of the wrong sign, or where the systems are equal within the margin.
- *not worse*: supported where the interval's worse end is within the margin; contradicted where the system is significantly
  worse.
- *equal*: supported where the equivalence test rejects that the difference lies outside the margin; contradicted where the
  difference is significant and outside it.

A claim is supported if all its contrasts are, and contradicted if one of them is: it says "always".
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

import polars as pl
import yaml
from pydantic import AfterValidator, Field, model_validator

from koine.metrics import MetricName, metric
from koine.params import Block, Setting
from koine.records import CLAIMS
from koine.report.contrasts import Outcome
from koine.strategies import Chain

Verdict = Literal["supported", "contradicted", "undecided"]


def _is_strategy(name: str) -> str:
    Chain.parse(name)
    return name


StrategyName = Annotated[str, AfterValidator(_is_strategy)]


class Contrast(Block):
    """One line of a claim's `contrasts`."""

    of: StrategyName
    than: list[StrategyName]
    setting: Setting
    metric: MetricName
    says: Literal["better", "not worse", "equal"]


class Starts(Block):
    """Two backbones, as shell patterns."""

    of: str
    than: str


class Claim(Block):
    """One entry of claims.yaml."""

    id: str
    claim: str
    source: str
    contrasts: list[Contrast] = Field([])
    backbones: list[str] = Field(["*"], min_length=1)
    benchmarks: list[str] = Field(["*"], min_length=1)
    starts: Starts | None = None
    unseen: bool = False
    cells: dict[str, dict[str, int]] = Field({})
    clean: bool = False

    @model_validator(mode="after")
    def _one_kind(self) -> "Claim":
        if [bool(self.contrasts), bool(self.cells), self.clean].count(True) != 1:
            raise ValueError(f"{self.id}: give exactly one of contrasts, cells and clean")
        return self


@dataclass(frozen=True)
class Findings:
    """What claims are put to.

    Attributes:
        recipe: name in the tables.
        contrasts: `records.CONTRASTS`.
        pairs: `records.PAIRS`.
        collected: collect.json; empty if there is none.
        trained: languages that models were trained in.
        confidence: one less the level of the tests.
    """

    recipe: str
    contrasts: pl.DataFrame
    pairs: pl.DataFrame
    collected: Mapping[str, Any]
    trained: Sequence[str]
    confidence: float


def claims() -> list[Claim]:
    """The entries of claims.yaml."""
    entries = yaml.safe_load(Path(__file__).with_name("claims.yaml").read_text(encoding="utf-8"))
    return [Claim.model_validate(entry) for entry in entries]


def verdicts(findings: Findings) -> pl.DataFrame:
    """One row per claim and contrast (`records.CLAIMS`); a claim that this recipe cannot test has one row that says so."""
    rows: list[dict[str, Any]] = []
    for claim in claims():
        found = list(_rows(claim, findings))
        rows += [{"recipe": findings.recipe, "claim": claim.id, **_UNKNOWN, **row} for row in found or [_untested(claim)]]
    return CLAIMS.frame(rows)


def overall(found: Sequence[str]) -> Verdict:
    """The verdict on a claim from those on its contrasts."""
    if "contradicted" in found:
        return "contradicted"
    return "supported" if found and set(found) == {"supported"} else "undecided"


_UNKNOWN = {"backbone": "", "benchmark": "", "estimate": None, "ci_low": None, "ci_high": None, "p_holm": None}


def _untested(claim: Claim) -> dict[str, Any]:
    named = list(dict.fromkeys(name for contrast in claim.contrasts for name in (contrast.of, *contrast.than)))
    needs = [", ".join(named)] if named else []
    if claim.starts:
        needs.append(f"backbones {claim.starts.of} and {claim.starts.than}")
    needs += [f"{kind} {', '.join(names)}" for kind, names in (("backbone", claim.backbones), ("benchmark", claim.benchmarks))
              if names != ["*"]]  # fmt: skip
    needs += [f"benchmark {name}" for name in claim.cells]
    needs += ["languages that were not trained"] * claim.unseen
    return {"contrast": "", "verdict": "undecided", "why": f"not tested here: it needs {'; '.join(needs)}"}


def _rows(claim: Claim, findings: Findings) -> Iterator[dict[str, Any]]:
    if claim.clean:
        yield from _clean(findings)
    for benchmark, wanted in claim.cells.items():
        yield from _cells(benchmark, wanted, findings.pairs)
    for contrast in claim.contrasts:
        for row, turned in _matching(claim, contrast, findings):
            yield _decided(contrast, row, turned, findings.confidence)


def _clean(findings: Findings) -> Iterator[dict[str, Any]]:
    """Texts that training shares with a benchmark are dropped before; the counts are those of `koine collect`."""
    if not findings.collected:
        return
    dropped = sum(entry["len"] for entry in findings.collected["contamination"])
    why = f"{dropped:,} questions that share a title, a question or a long n-gram with a benchmark were dropped before training"
    yield {"contrast": "kept questions against every benchmark", "verdict": "supported", "why": why}


def _cells(benchmark: str, wanted: Mapping[str, int], pairs: pl.DataFrame) -> Iterator[dict[str, Any]]:
    own = pairs.filter(benchmark=benchmark)
    for setting, number in wanted.items() if len(own) else ():
        found = own.filter(setting=setting).select("query_lang", "doc_lang").unique().height
        verdict = "supported" if found == number else "contradicted"
        yield {
            "benchmark": benchmark,
            "contrast": f"{setting} settings",
            "verdict": verdict,
            "why": f"{found}, expected {number}",
        }


def _matching(claim: Claim, contrast: Contrast, findings: Findings) -> Iterator[tuple[dict[str, Any], bool]]:
    """The rows of contrasts.csv that a contrast of a claim is about; True where a row has the two systems the other way."""
    for row in findings.contrasts.filter(setting=contrast.setting, metric=contrast.metric).iter_rows(named=True):
        if not any(fnmatchcase(row["benchmark"], f"{pattern}*") for pattern in claim.benchmarks):
            continue
        if claim.unseen != row["benchmark"].endswith(":unseen"):
            continue
        if not claim.unseen and not _mostly_trained(row["benchmark"], findings):
            continue
        for turned in (False, True):
            own, other = ("other_", "") if turned else ("", "other_")
            strategies = row[own + "strategy"] == contrast.of and row[other + "strategy"] in contrast.than
            if claim.starts:
                starts = fnmatchcase(row[own + "backbone"], claim.starts.of) and fnmatchcase(
                    row[other + "backbone"], claim.starts.than
                )
                fits = starts and row["strategy"] == row["other_strategy"]
            else:
                same = row["backbone"] == row["other_backbone"]
                fits = same and any(fnmatchcase(row["backbone"], pattern) for pattern in claim.backbones)
            if fits and strategies:
                yield row, turned
                break


def _mostly_trained(benchmark: str, findings: Findings) -> bool:
    """Whether models were trained in half of a benchmark's languages or more: the others are the matter of zero-shot claims."""
    languages = findings.pairs.filter(benchmark=benchmark)["query_lang"].unique()
    return 2 * int(languages.is_in(list(findings.trained)).sum()) >= len(languages)


def _judged(contrast: Contrast, outcome: Outcome) -> tuple[Verdict, str]:
    """The verdict on a contrast, and why."""
    if contrast.says == "better":
        return BETTER[outcome.word]
    if contrast.says == "not worse":
        if outcome.worst > -outcome.margin:
            return "supported", "at worst within the margin" if outcome.worst <= 0 else "significantly better"
        if outcome.real and outcome.gain < 0:
            return "contradicted", "significantly worse"
        return "undecided", "it may be worse by more than the margin"
    if outcome.equal:
        return "supported", "equal within the margin"
    if outcome.real and abs(outcome.gain) > outcome.margin:
        return "contradicted", "they differ by more than the margin"
    return "undecided", "neither a difference nor equality could be shown"


#: What an outcome says of a contrast that says `better`.
BETTER: dict[str, tuple[Verdict, str]] = {
    "better": ("supported", "significantly better"),
    "worse": ("contradicted", "significantly worse"),
    "equal": ("contradicted", "equal within the margin"),
    "open": ("undecided", "no difference could be shown"),
}


def _decided(contrast: Contrast, row: Mapping[str, Any], turned: bool, confidence: float) -> dict[str, Any]:
    estimate, low, high = row["difference"], row["ci_low"], row["ci_high"]
    if turned:
        estimate, low, high = -estimate, -high, -low
    verdict, why = _judged(contrast, Outcome.of(row, 1 - confidence, turned=turned))
    own, other = ("other_", "") if turned else ("", "other_")
    names = [row[part + "strategy"] for part in (own, other)]
    if row["backbone"] != row["other_backbone"]:
        names = [f"{row[part + 'backbone']} {row[part + 'strategy']}" for part in (own, other)]
    return {
        "backbone": row["backbone"] if row["backbone"] == row["other_backbone"] else "",
        "benchmark": row["benchmark"],
        "contrast": f"{names[0]} {contrast.says} {'to' if contrast.says == 'equal' else 'than'} {names[1]}, "
        f"{contrast.setting} {contrast.metric}",
        "estimate": estimate,
        "ci_low": low,
        "ci_high": high,
        "p_holm": row["p_holm"],
        "verdict": verdict,
        "why": why,
    }


MARK = {"supported": "**supported**", "contradicted": "**contradicted**", "undecided": "undecided"}


def markdown(found: pl.DataFrame, confidence: float) -> str:
    """results/claims.md: each claim with its verdict, then the numbers."""
    known = claims()
    recipe = found["recipe"][0]
    lines = [
        f"# Claims of the literature on `{recipe}`",
        "",
        "A claim is supported if all its contrasts are, contradicted if one of them is, and undecided otherwise. Differences "
        f"have {100 * confidence:.0f} % intervals over seeds and questions; p is of a randomisation test over questions, "
        "adjusted (Holm) within its family. What these words mean: docs/report.md.",
        "",
        "| claim | verdict | contrasts |",
        "|---|---|---|",
    ]
    for claim in known:
        own = found.filter(claim=claim.id)
        lines.append(f"| {claim.claim} | {MARK[overall(own['verdict'].to_list())]} | {counted(own)} |")
    for claim in known:
        lines += ["", f"## {claim.claim}", "", f"Source: {claim.source}.", ""]
        own = found.filter(claim=claim.id)
        if not own["contrast"][0]:
            lines.append(own["why"][0][0].upper() + own["why"][0][1:] + ".")
            continue
        lines += ["| where | contrast | difference | p | verdict | |", "|---|---|---|---|---|---|"]
        for row in own.iter_rows(named=True):
            where = ", ".join(part for part in (row["benchmark"], row["backbone"]) if part) or recipe
            p = "" if row["p_holm"] is None else f"{row['p_holm']:.4f}"
            lines.append(f"| {where} | {row['contrast']} | {_difference(row)} | {p} | {MARK[row['verdict']]} | {row['why']} |")
    return "\n".join(lines) + "\n"


def counted(own: pl.DataFrame) -> str:
    """How many contrasts of one claim came out how."""
    if not own["contrast"][0]:
        return "not tested here"
    return ", ".join(f"{number} {word}" for word in MARK if (number := int((own["verdict"] == word).sum())))


def _difference(row: Mapping[str, Any]) -> str:
    if row["estimate"] is None:
        return ""
    name = row["contrast"].rpartition(" ")[2]
    digits = 1 if metric(name).entry.printed == "rank" else 4
    low, high = (f"{row[name]:+.{digits}f}" for name in ("ci_low", "ci_high"))
    return f"{row['estimate']:+.{digits}f} ({low} to {high})"
