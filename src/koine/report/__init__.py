"""Report: results/table.csv with intervals, results/pairs.csv, and one page that a person reads."""
