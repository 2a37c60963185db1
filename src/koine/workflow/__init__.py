"""What Snakemake and DVC ask: files, flags, code and content of every job."""
