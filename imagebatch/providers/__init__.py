"""The launch providers, one file each: pure mapping between our words and theirs."""
