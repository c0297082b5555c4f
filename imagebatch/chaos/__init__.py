"""Proof that a provider adapter keeps the promises of money and crashes, for ours and for those of plug-ins.

`suite.prove` runs the conformance kit, and then the real program in processes of its own against a server on loopback:
killed at moments spread over a run, through the simulator's bad weather, applied again until nothing is left to do, and
judged by what the server billed. Kills come from outside; the product has no switch for them.
"""
