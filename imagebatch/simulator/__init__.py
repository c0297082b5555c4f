"""The built-in simulator: All-Images.ai, AIGNE Hub and the OpenAI Images API on loopback.

It imports nothing from the rest of the package and is started only by the `simulate` command, by
`base_url: simulator` and by tests. Nothing heavy is imported here, so that `imagebatch plan` stays light.
"""
