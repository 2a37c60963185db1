"""What the site (`make docs`) does beside MkDocs: files of the repository that pages link to become part of it, and what is
registered in the code is listed.

On GitHub `../results/paper/table.csv` leads out of `docs/` to the file. In the site the file stands at `results/paper/table.csv`
below its root, so such a link loses one `../`; a Markdown file becomes a page, whose links into `docs/` lose that.
"""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

from koine.collect.readers import READERS

LINK = re.compile(r"(?<=\]\()((?:\.\./)+)([^)#\s]+)")

INSIDE = re.compile(r"(?<=\]\()docs/")  # of links in the root's texts


def _outside(page: str, ups: str) -> bool:
    """Whether so many `../` lead from a page out of `docs/`, to the repository's root."""
    return len(ups) // 3 == page.count("/") + 1


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files outside of `docs/` that its pages link to."""
    for page in list(files.documentation_pages()):
        for ups, path in LINK.findall(page.content_string):
            source = Path(config.docs_dir).parent / path
            if _outside(page.src_uri, ups) and source.is_file() and files.get_file_from_path(path) is None:
                files.append(File.generated(config, path, abs_src_path=str(source), inclusion=InclusionLevel.NOT_IN_NAV))
    return files


def _readers() -> str:
    """A table of `koine.collect.readers`."""
    rows = [f"| `{name}` | {', '.join(reader.reads)} | {reader.words} |" for name, reader in READERS.items()]
    return "\n".join(["| reader | gives | format |", "|---|---|---|", *rows])


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links to these files lead to where they stand in the site, and list the formats that are registered."""
    uri = page.file.src_uri
    markdown = markdown.replace("<!-- readers -->", _readers())
    if not (Path(config.docs_dir) / uri).is_file():  # a text of the repository's root
        markdown = INSIDE.sub("", markdown)
    return LINK.sub(lambda link: link[1][3:] + link[2] if _outside(uri, link[1]) else link[0], markdown)
