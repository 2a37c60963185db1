"""Koine: multilingual dense retrievers that answer in any language without preferring one.

One subpackage per step of the chain, in the order in which data flows::

    collect -> translate -> filter -> train -> encode -> index -> evaluate -> report

`params` holds what a user may set, `plan` what the workflow makes of it, `records` what a row is.
"""

__version__ = "0.1.0"
