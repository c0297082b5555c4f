"""The words that all stages share; imports nothing of imagebatch but `errors`."""
