"""`doctor`: what stands in the way of a project on this machine, told before anything is paid.

Each module looks at one thing: effects in a few named functions, and what they mean in pure ones.
"""
