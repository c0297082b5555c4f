"""Pictures drawn from words with Pillow alone, deterministic and without any model."""
