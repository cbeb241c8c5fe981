"""Everything under results/."""
