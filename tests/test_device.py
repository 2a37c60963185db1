"""Where models are computed: the device and the threads of a job, and which rules a change of them reruns."""

from typing import Any

import pytest
import torch
from koine.plan import Plan

from koine.params import Params
from koine.runtime import gpus
from koine.runtime.device import resolve, threads, use_threads


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


def plan(compute: dict[str, Any] | None = None, **blocks: Any) -> Plan:
    return Plan({**Params().model_dump(), **({"compute": compute} if compute else {}), **blocks})


def changed(compute: dict[str, Any], **blocks: Any) -> set[str]:
    """What of a plan is another one where models are computed otherwise."""
    before, after = (vars(plan(given, **blocks)) for given in (None, compute))
    names = {
        name for name in before if name not in ("params", "flags", "device", "encoded_at_once") and before[name] != after[name]
    }
    return names | {rule for rule, flags in before["flags"].items() if flags != after["flags"][rule]}


def test_another_device_reruns_what_is_computed_there_and_nothing_else() -> None:
    assert changed({"device": "cpu"}) == {"train", "encode", "evaluate_probe", "mine"}
    scored = Params().filter.model_copy(update={"score": Params().filter.score.model_copy(update={"encoder": "a/b"})})
    assert changed({"device": "cpu"}, filter=scored.model_dump()) == {"train", "encode", "evaluate_probe", "mine", "filter_score"}
    neural = Params().translate.model_dump() | {
        "backends": {"fi": "transformers"}, "decoding": {"model": "a/b"}, "languages": ["fi", "de"], "reverse": [],
    }  # fmt: skip
    assert changed({"device": "cpu"}, translate=neural) == {"train", "encode", "evaluate_probe", "mine", "resource_flags"}
    flags = plan({"device": "cuda"}, translate=neural).resource_flags
    assert {lang: "--device cuda" in line for lang, line in flags.items()} == {"fi": True, "de": False}


def test_another_number_of_processes_or_texts_reruns_what_they_compute() -> None:
    assert changed({"processes": 2}) == {"launch"}
    assert plan({"processes": 2}).launch.startswith("TORCHELASTIC_SIGNALS_TO_HANDLE=SIGTERM,SIGINT,SIGUSR1 torchrun ")
    assert plan().launch == ""
    assert changed({"encode_batch_size": 7}) == {"encode", "mine"}
