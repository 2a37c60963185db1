"""Downloads that resume, retry, check their sha256 and obey `KOINE_MIRROR`.

`KOINE_MIRROR=DIR` answers a download of `https://HOST/PATH` with `DIR/HOST/PATH`; files without an address
of their own (`local/…`) exist only there. The checksum is checked either way.
"""

import http.client
import os
import shutil
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from koine.runtime.console import say
from koine.runtime.errors import KoineError
from koine.runtime.files import atomic, sha256

ATTEMPTS = 5
BLOCK = 1 << 20


def download(location: str, expected_sha256: str | None, out: Path) -> None:
    """Download one file to `out`, atomically.

    Args:
        location: an `https://…` address, or a path inside the mirror such as `local/squad/train-v1.1.json`.
        expected_sha256: hex digest; None accepts any content (a user's own source without a checksum).
        out: where the file goes.

    Raises:
        KoineError: not in the mirror, unreachable after several attempts, or the checksum differs.
    """
    mirrored = in_mirror(location)
    partial = out.with_name(f".{out.name}.download")
    out.parent.mkdir(parents=True, exist_ok=True)
    if mirrored is not None:
        if not mirrored.is_file():
            raise KoineError(f"{location}: KOINE_MIRROR has no {mirrored}; unpack the mirror there, or unset it")
        shutil.copyfile(mirrored, partial)
    elif "://" not in location:
        raise KoineError(f"{location}: has no public address; set KOINE_MIRROR to the folder that holds it")
    else:
        _resume(location, partial)
    found = sha256(partial)
    if expected_sha256 is not None and found != expected_sha256:
        partial.unlink()
        origin = mirrored or location
        raise KoineError(
            f"{origin}: sha256 is {found}, expected {expected_sha256}; "
            "the file was changed or cut short: download it again, or correct the checksum in the registry"
        )
    with atomic(out) as temporary:
        partial.replace(temporary)


def in_mirror(location: str) -> Path | None:
    """The path that `KOINE_MIRROR` says answers `location`, or None where no mirror is set."""
    root = os.environ.get("KOINE_MIRROR")
    if not root:
        return None
    parts = urlsplit(location)
    return Path(root) / (parts.netloc + parts.path if parts.scheme else location)


def _resume(url: str, partial: Path) -> None:
    """Stream `url` to `partial`, going on where an earlier attempt stopped."""
    if not url.startswith("https://"):
        raise KoineError(f"{url}: only https addresses are downloaded")
    for attempt in range(1, ATTEMPTS + 1):
        have = partial.stat().st_size if partial.exists() else 0
        request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                # A server that ignores the range answers 200 with the whole file: start over.
                mode = "ab" if answer.status == 206 else "wb"
                with partial.open(mode) as stream:
                    shutil.copyfileobj(answer, stream, BLOCK)
                if answer.length:  # the connection was closed early, which reading by blocks does not report
                    raise OSError(f"{answer.length:,} bytes did not arrive")
            return
        except urllib.error.HTTPError as error:
            if error.code == 416:  # nothing is left to ask for: the checksum decides
                return
            if error.code < 500 and error.code != 429:
                raise KoineError(f"{url}: the server says {error.code} {error.reason}") from None
            reason: object = error
        except (OSError, http.client.HTTPException) as error:
            reason = error
        say(f"{url}: attempt {attempt} of {ATTEMPTS} failed: {reason}")
        if attempt < ATTEMPTS:
            time.sleep(2**attempt)
    raise KoineError(f"{url}: not reachable ({reason}); on an offline site set KOINE_MIRROR (docs/offline.md)")
