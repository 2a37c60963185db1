"""Splitting passages into sentences, so that they can be translated one by one and put together again."""

import regex

# A sentence ends at a full stop, question or exclamation mark of any script, with the closing quotes after it.
# Latin marks need a space and an upper-case, numeric or caseless start after them; 。！？ and the like do not.
_END = regex.compile(
    r"""(?<!\b\p{Lu})(?<!\b(?:Mr|Mrs|Ms|Dr|Prof|St|No|vs|etc|e\.g|i\.e|bzw|ca|Nr|z\.B))  # initials, abbreviations
        [.!?؟۔।॥…]+["'”’»)\]]*(?=\s+["'“‘«¿¡(\[]*[\p{Lu}\p{Lo}\p{N}])\s+
      | (?<=[。！？｡]["”’」』）]*)(?!["”’」』）。！？｡])(?=\s*\S)\s*
    """,
    regex.VERBOSE,
)


def split(text: str) -> list[str]:
    """Sentences of a text, stripped; their words in order are the words of the text."""
    sentences, start = [], 0
    for match in _END.finditer(text):
        sentences.append(text[start : match.end()].strip())
        start = match.end()
    sentences.append(text[start:].strip())
    return [sentence for sentence in sentences if sentence]


def joiner(lang: str) -> str:
    """What stands between two sentences of a language."""
    return "" if lang.split("-")[0] in {"zh", "ja"} else " "
