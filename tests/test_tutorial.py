"""The tutorial: its commands, one after the other, on a small file in a scratch clone."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from sentence_transformers import SentenceTransformer

from koine.runtime.files import write_jsonl

ROOT = Path(__file__).parents[1]
#: What sets up the machine; the test's own is set up.
SET_UP = ("make ", ". ", "export ", "sudo ")
#: Less of everything: the shape is the same.
SMALL = {"strategies": ["untrained", "hybrid"], "seeds": [1]}
WHERE = ["heart", "liver", "skin", "lung", "kidney", "stomach", "bone", "blood", "brain", "eye"]
WHAT = ["infection", "cancer", "disease", "pain"]
ASKED = {
    "What are the symptoms of {} ?": "The usual symptoms of {} are fever and a strong pain that comes at night.",
    "What causes {} ?": "A virus is the cause of {} in most of the patients, and in the others a defect of a gene.",
    "What are the treatments for {} ?": "The doctor treats {} with rest, with water, and with a medicine that kills the virus.",
}


def commands() -> list[str]:
    """The tutorial's command lines."""
    text = (ROOT / "docs/tutorial.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```bash\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip() and not line.startswith(SET_UP)]


def health() -> list[dict[str, str]]:
    """Questions in the shape of MedQuAD's, with its habit to give an id twice."""
    rows = []
    for number, disease in enumerate(f"{where} {what}" for where in WHERE for what in WHAT):
        for question, passage in ASKED.items():
            url = f"https://health.example/{number}"
            text = passage.format(disease) + f" This page is about {disease} and was checked by {number + 2} doctors."
            rows.append({"id": f"{number}", "question": question.format(disease), "passage": text, "url": url})
    return rows


@pytest.mark.apertium
def test_every_command_of_the_tutorial_works(tmp_path: Path) -> None:
    clone, mirror = tmp_path / "koine", tmp_path / "mirror"
    subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
    shutil.copytree(ROOT / "recipes", clone / "recipes", dirs_exist_ok=True)
    write_jsonl(mirror / "local/medquad/medquad.jsonl", health())
    env = {**os.environ, "KOINE_MIRROR": str(mirror), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    model = Path("static/hybrid/seed-1")
    said: dict[str, str] = {}
    for command in commands():
        if "squad-apertium" in command:  # as if that recipe had been run
            shutil.copytree(clone / "models/medquad" / model, clone / "models/squad-apertium" / model)
        result = subprocess.run(["bash", "-c", command], cwd=clone, env=env, capture_output=True, text=True, check=False)
        assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
        said[command.split(" -", 1)[0]] = result.stdout + result.stderr
        if command.startswith("koine init"):
            recipe = clone / "recipes/medquad.yaml"
            chosen = yaml.safe_load(recipe.read_text(encoding="utf-8"))
            assert chosen["translate"]["backend"] == "apertium" and chosen["translate"]["languages"] == ["es", "ca"]
            chosen["train"] |= SMALL
            recipe.write_text(yaml.safe_dump(chosen), encoding="utf-8")
    collected = json.loads((clone / "data/medquad/collect/collect.json").read_text(encoding="utf-8"))
    assert collected["collected"] == len(health())  # no question is lost because of its id
    assert "hybrid" in said["koine show recipes/medquad.yaml"]
    assert {"en", "es", "ca"} & set(said["koine search"].split())
    assert "least cosine" in said["koine export"]
    card = (clone / "models/medquad" / model / "README.md").read_text(encoding="utf-8")
    assert "CC-BY-4.0" in card and "snakemake" in card
    vectors = SentenceTransformer(str(clone / "models/medquad" / model)).encode(["What causes fever?", "¿Qué causa la fiebre?"])
    assert vectors.shape[0] == 2
