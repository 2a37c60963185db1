"""Evaluate: every ordered language pair and the pool of all languages, from one score matrix per query language.

`ranks` turns scores into ranks of relevant passages, `metrics` ranks into numbers, `consistency` compares what parallel
questions get, `language` asks what vectors tell about their language, and `score` puts them together for every cell.
"""
