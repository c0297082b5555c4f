"""The stations in order: load, resolve, plan, settle, apply. The only package that knows all of them."""
