"""The pages of a gallery over loopback, and what people decide on them; who may ask is decided before anything else."""
