"""imagebatch: images as code."""
