"""Translation memories: JSONL, or TMX 1.4."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from koine.runtime.errors import KoineError
from koine.runtime.files import read_jsonl


@dataclass(frozen=True)
class Segment:
    """One entry of a translation memory."""

    source_lang: str
    target_lang: str
    source: str
    target: str


def read_memory(path: Path) -> Iterator[Segment]:
    """Segments of a translation memory: JSONL with source_lang, target_lang, source, target; or TMX 1.4.

    Raises:
        KoineError: a line or a unit is not of this form.
    """
    if path.suffix == ".tmx":
        yield from _read_tmx(path)
        return
    for number, row in read_jsonl(path):
        try:
            segment = Segment(row["source_lang"], row["target_lang"], row["source"], row["target"])
        except KeyError as error:
            raise KoineError(f"{path}:{number}: a memory row needs {error.args[0]!r}") from None
        if not all(isinstance(value, str) for value in vars(segment).values()):
            raise KoineError(f"{path}:{number}: all four fields of a memory row are text")
        yield segment


def _read_tmx(path: Path) -> Iterator[Segment]:
    """TMX: every ordered pair of a unit's variants is a segment; `de-AT` counts as `de`."""
    language = "{http://www.w3.org/XML/1998/namespace}lang"
    try:
        for _, unit in ElementTree.iterparse(path):
            if unit.tag != "tu":
                continue
            variants = []
            for variant in unit.iter("tuv"):
                code = (variant.get(language) or variant.get("lang") or "").split("-")[0].lower()
                segment = variant.find("seg")
                if not code or segment is None:
                    raise KoineError(f"{path}: a <tuv> without xml:lang or <seg>")
                variants.append((code, "".join(segment.itertext()).strip()))
            unit.clear()
            for source_lang, source in variants:
                for target_lang, target in variants:
                    if source_lang != target_lang:
                        yield Segment(source_lang, target_lang, source, target)
    except FileNotFoundError:
        raise KoineError(f"{path}: no such file") from None
    except ElementTree.ParseError as error:
        raise KoineError(f"{path}: not well-formed XML: {error}") from None
