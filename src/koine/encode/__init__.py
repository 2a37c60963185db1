"""Encode: each text of a benchmark once per model; every pair, pool and metric is a slice of these vectors."""
