"""Translate: each distinct text of the collected pairs, once, into each language.

A backend answers `translate(texts)` with a translation or None for each text; everything else (which texts, in
which shard, back again for the round trip) is the same for all of them.
"""
