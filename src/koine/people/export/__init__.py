"""`koine export`: a model as an ONNX graph from token ids to normalised vectors, for services without torch."""

from pathlib import Path

from koine.runtime.device import use_threads
from koine.runtime.errors import KoineError


def export(*, model: str, out: Path, int8: bool = False, benchmark: str = "") -> None:
    """Write a model in ONNX, for services without torch, and check that it gives the same vectors; needs the extra named onnx.

    koine export --model models/sample/static/hybrid/seed-1 --out exported --int8 --benchmark sample

    The folder appears whole or not at all: a float32 graph whose vectors have a cosine below 0.9999 to the model's leaves none.
    The same model and versions give the same bytes.

    Args:
        model: Model folder or Hub id.
        out: Folder, which must not be there; gets model.onnx (above 2 GiB with its weights beside it, in model.onnx.data),
            tokenizer.json, koine.json and a model card.
        int8: Store matrices and token embeddings in 8 bits, and say what that costs.
        benchmark: With --int8: mAP before and after, on a name in the registry or a folder of `koine collect-benchmark`.

    Raises:
        KoineError: the folder is there; there is no such model or benchmark; the model has a part that cannot be exported; the
            graph gives other vectors; onnx is not installed.
    """
    if out.exists():
        raise KoineError(f"{out}: is there already; delete it, or name another folder")
    if benchmark and not int8:
        raise KoineError("--benchmark measures what 8 bits cost: it goes with --int8")
    if benchmark and not Path(benchmark).is_dir():
        from koine.collect import registry

        registry.benchmark(benchmark)  # a wrong name is said now, not after minutes
    from koine.people.export.folder import write

    use_threads()
    write(model, out, int8=int8, benchmark=benchmark)
