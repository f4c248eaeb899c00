"""The schedule: which job runs when, on which worker, and what is known of it.

`worker.main.main` is the program; `worker.program.run_worker` is the same for whoever has built a
store, a cache and a clock of their own.
"""
