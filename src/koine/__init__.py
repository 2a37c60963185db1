"""Koine: multilingual dense retrievers that answer in any language without preferring one.

One subpackage per step of the chain, in the order in which data flows::

    collect -> translate -> filter -> train -> encode -> index -> evaluate -> report

`params` holds what a user may set, `plan` what the workflow makes of it, `records` what a row is.
"""

import os

# These report to their makers unless told not to, before they are imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # onnxruntime
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
