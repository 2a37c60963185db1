"""Where models are computed: the device and the threads of a job, and which rules a change of them reruns."""

from typing import Any

import pytest
import torch

from koine.params import Params
from koine.runtime import gpus
from koine.runtime.device import resolve, threads, use_threads
from koine.workflow.experiment import Experiment


@pytest.mark.parametrize(
    ("given", "count"),
    [
        ("4", 4),
        ("4,2", 4),
        (" 3 , 1", 3),
        ("0", 0),
        ("0,2", 2),
        ("", 0),
        ("abc", 0),
        ("abc,5", 5),
        ("-1", 0),
        ("2.5", 0),
        ("²", 0),
    ],
)
def test_the_first_positive_number_of_threads_counts(given: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    set_to: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", set_to.append)
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert threads() == count
    use_threads()
    assert set_to == ([count] if count else [])
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert threads() == 0


@pytest.mark.parametrize("there", [True, False])
def test_a_gpu_is_leased_unless_the_cpu_is_asked_for(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    leased: list[bool] = []
    monkeypatch.setattr(gpus, "lease", lambda: leased.append(True))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert (resolve("cpu"), len(leased)) == ("cpu", 0)
    assert (resolve("cuda"), len(leased)) == ("cuda", 1)
    assert (resolve("auto"), len(leased)) == ("cuda" if there else "cpu", 2)


def experiment(compute: dict[str, Any] | None = None, **blocks: Any) -> Experiment:
    return Experiment({**Params().model_dump(), **({"compute": compute} if compute else {}), **blocks})


def changed(compute: dict[str, Any], **blocks: Any) -> set[str]:
    """The rules whose jobs are other ones where models are computed otherwise."""
    before, after = (vars(experiment(given, **blocks).jobs) for given in (None, compute))
    return {rule for rule in before if not rule.startswith("_") and before[rule] != after[rule]}


ON_DEVICE = {"train", "encode", "evaluate_probe", "train_mine"}


def test_another_device_reruns_what_is_computed_there_and_nothing_else() -> None:
    assert changed({"device": "cpu"}) == ON_DEVICE
    scored = Params().filter.model_copy(update={"score": Params().filter.score.model_copy(update={"encoder": "a/b"})})
    assert changed({"device": "cpu"}, filter=scored.model_dump()) == {*ON_DEVICE, "filter_score"}
    neural = Params().translate.model_dump() | {
        "backends": {"fi": "transformers"}, "decoding": {"model": "a/b"}, "languages": ["fi", "de"], "reverse": [],
    }  # fmt: skip
    assert changed({"device": "cpu"}, translate=neural) == {*ON_DEVICE, "translate"}
    jobs = experiment({"device": "cuda"}, translate=neural).jobs.translate
    assert {lang: "--device cuda" in job["flags"] for lang, job in jobs.items()} == {"fi": True, "de": False}


def test_another_number_of_processes_or_texts_reruns_what_they_compute() -> None:
    assert changed({"processes": 2}) == set()
    assert experiment({"processes": 2}).launch.startswith("TORCHELASTIC_SIGNALS_TO_HANDLE=SIGTERM,SIGINT,SIGUSR1 torchrun ")
    assert experiment().launch == ""
    assert changed({"encode_batch_size": 7}) == {"encode", "train_mine"}
