"""Whether a recipe's full scale runs from raw files to its table: the paper's, on stand-ins of what is not to be had offline.

    KOINE_MIRROR=… python benchmarks/full.py

`paper` with scale=full names nine training sets, SQuADShifts, M2M-100, XLM-R, LaBSE and MIRACL. Here the models are tiny random
ones under those Hub ids (`koine standins`); the data are CLDR's facts, in each source's published format and, for MIRACL, in the
shape of its repository. XQuAD-R and MLQA-R are the published files. `SMALLER` has all that differs from the recipe. Writes
benchmarks/results/full.json.
"""

import argparse
import csv
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from _machine import update_results

ROOT = Path(__file__).parents[1]
NEEDED = ("Snakefile", "params.yaml", "workflow", "recipes", "src", "profiles")
MIRACL = ["ar", "bn", "de", "en", "es", "fa", "fi", "fr", "hi", "id", "ja", "ko", "ru", "sw", "te", "th", "yo", "zh"]
QUESTIONS = 60  # of each source

RULES = ("language", "copied", "numbers", "length", "ending", "question", "repetition", "script", "alignment")
# Sizes; and what a random translator, a CPU and facts of one sentence ask for.
_FEW = {"optimisation": {"max_steps": 20, "batch_size": 16}, "tokenizer": {"max_length": 32}}
SMALLER: dict[str, Any] = {
    "collect": {"clean": {"near_duplicate": 1.0, "contamination_ngram": 25}},
    "translate": {"shards": 2, "decoding": {"compute_type": "float32", "num_beams": 1, "max_new_tokens": 32}},
    "filter": {"rules": dict.fromkeys(RULES)},
    "backbones": {"xlm-r-base": _FEW, "labse": _FEW},
    "train": {"seeds": [1], "validation": {"eval_steps": 10}},
    "report": {"resamples": 200},
}


def write(path: Path, value: Any) -> None:
    """JSON, or lines of it, or text; packed where the name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(value, str):
        text = value
    elif ".jsonl" in path.name:
        text = "".join(json.dumps(row) + "\n" for row in value)
    else:
        text = json.dumps(value)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def lines(rows: Iterable[Iterable[object]]) -> str:
    """Tab-separated values."""
    return "".join("\t".join(map(str, row)) + "\n" for row in rows)


def squad(facts: list[dict[str, str]]) -> dict[str, Any]:
    """SQuAD's format."""
    paragraphs = [
        {
            "context": fact["passage"],
            "qas": [
                {
                    "id": fact["id"],
                    "question": fact["question"],
                    "answers": [{"text": fact["answer"], "answer_start": fact["passage"].index(fact["answer"])}],
                }
            ],
        }
        for fact in facts
    ]
    return {"data": [{"title": "facts", "paragraphs": paragraphs}]}


def write_sources(own: Path, facts: list[dict[str, str]]) -> None:
    """Each source in its published format and under its name, with facts of its own."""
    shares = iter([facts[start : start + QUESTIONS] for start in range(0, len(facts), QUESTIONS)])

    def passages(fact: dict[str, str]) -> list[dict[str, str]]:
        return [{"title": fact["group"], "text": fact["passage"]}]

    heads = ["QuestionID", "Question", "DocumentID", "DocumentTitle", "SentenceID", "Sentence", "Label"]
    rows = [[f["id"], f["question"], "D", f["group"], "D-0", f["passage"], 1] for f in next(shares)]
    write(own / "wikiqa/WikiQA.tsv", lines([heads, *rows]))
    other = passages(facts[-1])
    tydi = [
        {"query_id": f["id"], "query": f["question"], "positive_passages": passages(f), "negative_passages": other}
        for f in next(shares)
    ]
    write(own / "mr-tydi-train/train.jsonl.gz", tydi)
    duorc = [
        {
            "id": f["id"],
            "plot": f["passage"],
            "title": f["group"],
            "qa": [{"id": f["id"], "question": f["question"], "answers": [f["answer"]], "no_answer": False}],
        }
        for f in next(shares)
    ]
    write(own / "duorc/SelfRC_train.json", duorc)
    stories = []
    for f in next(shares):
        start = f["passage"].index(f["answer"])
        asked = {"q": f["question"], "consensus": {"s": start, "e": start + len(f["answer"])}}
        stories.append({"storyId": f["id"], "text": f["passage"], "type": "train", "questions": [asked]})
    write(own / "newsqa/combined-newsqa-data-v1.json", {"data": stories, "version": "1"})
    dpr = [
        {
            "question": f["question"],
            "answers": [f["answer"]],
            "positive_ctxs": passages(f),
            "negative_ctxs": [],
            "hard_negative_ctxs": other,
        }
        for f in next(shares)
    ]
    write(own / "natural-questions/biencoder-nq-train.json.gz", dpr)
    faq = [{"question": f["question"], "answer": f["passage"], "id": f["id"]} for f in next(shares)]
    write(own / "yahoo-answers/nfL6.json", faq)
    found = [
        {"question": f["question"], "answers": [f["answer"]], "ctxs": [{**passages(f)[0], "has_answer": True}]}
        for f in next(shares)
    ]
    write(own / "entity-questions/train.json", found)
    pages = [{"domain": f["group"], "qa_pairs": [{"question": f["question"], "answer": f["passage"]}]} for f in next(shares)]
    write(own / "mfaq/train.jsonl", pages)
    triples = next(shares)
    marco = own / "mmarco/english"
    write(marco / "triples.train.ids.small.tsv", lines([n, n, (n + 1) % len(triples)] for n in range(len(triples))))
    write(marco / "english_queries.train.tsv", lines([n, f["question"]] for n, f in enumerate(triples)))
    write(marco / "english_collection.tsv", lines([n, f["passage"]] for n, f in enumerate(triples)))
    for name in ("new_wiki", "nyt", "reddit", "amazon_reviews"):
        write(own / f"squadshifts/{name}_v1.0.json", squad(next(shares)[:15]))


def write_miracl(folder: Path, sample: Path) -> None:
    """MIRACL's repository: queries, corpus and judgements of each language, as a data set of many configurations."""
    configs = []
    for lang in MIRACL:
        for part, file in (("queries", "queries.jsonl"), ("corpus", "corpus.jsonl"), ("qrels", "qrels/test.tsv")):
            source, name = sample / "beir" / lang / file, f"{lang}-{part}"
            if part == "qrels":
                with source.open(encoding="utf-8") as stream:
                    rows = [{**row, "score": int(row["score"])} for row in csv.DictReader(stream, delimiter="\t")]
                write(folder / name / "dev.jsonl", rows)
            else:
                write(folder / name / "dev.jsonl", [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()])
            configs.append({"config_name": name, "data_files": [{"split": "dev", "path": f"{name}/dev.jsonl"}]})
    write(folder / "README.md", f"---\n{yaml.safe_dump({'configs': configs})}---\n")


def main() -> None:
    """Put the stand-ins in place, run the recipe, look at what came out, and write how long it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cores", default="all")
    cores = parser.parse_args().cores
    with tempfile.TemporaryDirectory() as scratch:
        folder, hub = Path(scratch) / "checkout", Path(scratch) / "hub"
        folder.mkdir()
        for name in NEEDED:
            (folder / name).symlink_to(ROOT / name)
        environment = {**os.environ, "KOINE_MODELS": str(hub), "HF_HOME": f"{scratch}/cache", "HF_HUB_OFFLINE": "1"}
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"

        def run(*command: str) -> str:
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-8000:]}")
            return done.stdout + done.stderr

        models = ("facebook/m2m100_1.2B", "FacebookAI/xlm-roberta-base", "sentence-transformers/LaBSE")
        run("koine", "standins", str(hub), *(word for model in models for word in ("--models", model)))
        sample = Path(scratch) / "sample"
        spoken = dict.fromkeys(["en", *MIRACL])
        run("koine", "collect-sample", "--out", str(sample), *(word for lang in spoken for word in ("--languages", lang)))
        facts = [json.loads(line) for line in (sample / "qa.jsonl").read_text(encoding="utf-8").splitlines()]
        write_sources(folder / "own", facts)
        write_miracl(hub / "mteb/MIRACLRetrieval", sample)
        (folder / "smaller.yaml").write_text(yaml.safe_dump({"scales": {"full": SMALLER}}), encoding="utf-8")

        start = time.perf_counter()
        chosen = ["--configfile", "recipes/paper.yaml", "smaller.yaml", "--config", "scale=full"]
        said = run("snakemake", "--cores", cores, "--quiet", "host", *chosen)
        minutes = (time.perf_counter() - start) / 60
        jobs = int(re.findall(r"(\d+) of \1 steps \(100%\) done", said)[-1])
        results = folder / "results/paper@full"
        with (results / "table.csv").open(encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        with (results / "published.csv").open(encoding="utf-8") as stream:
            cells = [row for row in csv.DictReader(stream) if row["ours"]]
        benchmarks, tables = sorted({row["benchmark"] for row in rows}), sorted({row["table"] for row in cells}, key=int)
        print(f"{jobs} jobs in {minutes:.1f} minutes; {len(rows)} rows of {', '.join(benchmarks)}; tables {', '.join(tables)}")
        assert "Nothing to be done" in run("snakemake", "--cores", cores, *chosen)
    what = f"paper@full on stand-ins: {len(rows)} rows, {len(cells)} cells of Tables {', '.join(tables)}"
    update_results("full", [("full.paper.jobs", jobs, "jobs", what), ("full.paper.minutes", round(minutes, 1), "minutes", "")])


if __name__ == "__main__":
    main()
