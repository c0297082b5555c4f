"""An index of the outputs for other people's code: the same facts in JSON, TypeScript, Python, CSS and Markdown."""
