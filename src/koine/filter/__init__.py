"""Filter: score every translated pair first, decide later by cheap thresholds, and say why each pair went."""
