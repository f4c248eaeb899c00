"""The vocabulary that every room shares: markets, candles, timeframes, results. Pure, no I/O, no clock."""
