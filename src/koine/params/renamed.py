"""Old names of parameters, each with the one that it has now: a recipe that was written before gets told."""

RENAMED: dict[str, dict[str, str]] = {
    "Optimisation": {
        "steps": "max_steps",
        "lr": "learning_rate",
        "warmup": "warmup_ratio",
        "joint": "partition_mode (joint, per_direction)",
        "negatives": "num_negatives",
        "in_batch": "in_batch_negatives",
        "chunk": "mini_batch_size",
        "recompute": "gradient_checkpointing",
        "fuse": "torch_compile",
    },
    "Architecture": {"dim": "hidden_size", "layers": "num_hidden_layers", "heads": "num_attention_heads"},
    "Languages": {"exponent": "sampling_exponent", "pairs": "pair_per"},
    "Datasets": {"exponent": "sampling_exponent"},
    "Validation": {"every": "eval_steps", "patience": "early_stopping_patience"},
    "Mining": {"count": "num_negatives", "depth": "range_max", "margin": "relative_margin, 1 - margin"},
    "Train": {"cosine_every": "gradient_cosine_every"},
    "Decoding": {"beam": "num_beams", "max_tokens": "max_new_tokens", "precision": "compute_type"},
    "Index": {
        "lists": "nlist",
        "train_sample": "train_size",
        "probes": "nprobe",
        "code_bytes": "code_size",
        "rerank": "k_factor",
        "links": "hnsw_m",
    },
    "Report": {"home": "home_benchmark"},
    "Execution": {
        "encode_batch": "compute.encode_batch_size",
        "encode_batch_size": "compute.encode_batch_size",
        "device": "compute.device",
        "processes": "compute.processes",
    },
}
