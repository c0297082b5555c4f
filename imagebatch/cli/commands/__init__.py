"""The commands: argument handling only; what they do lives in `pipeline`."""
