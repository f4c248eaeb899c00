"""The proof, offline: recorded candles in; walk-forward evaluation, fitted models and a report out.

Needs the extra `dantaro[research]`. Only the command line imports it.
"""
