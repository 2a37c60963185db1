"""A bitext: line n of each language's file says the same, as in Tatoeba's test sets."""

from collections.abc import Iterator

from koine.collect.formats.languages import Files, Language, judged, one_each
from koine.runtime.errors import KoineError
from koine.runtime.files import read_text


def read_benchmark(files: Files) -> Iterator[Language]:
    """Each line is a query and a candidate, named by its number.

    Raises:
        KoineError: a line is empty.
    """
    for lang, path in one_each(files):
        lines = [line.strip() for line in read_text(path).splitlines()]
        if empty := next((number for number, line in enumerate(lines, start=1) if not line), None):
            raise KoineError(f"{path}:{empty}: an empty line has no translation")
        texts = [(str(number), line) for number, line in enumerate(lines, start=1)]
        yield judged(path, lang, texts, ((key, key) for key, _ in texts), texts)
