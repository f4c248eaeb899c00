"""The write path: collect, repair gaps, analyse, publish, retain.

The only room that knows the order of the steps. Everything here is called by a job of the worker or
by a command; nothing decides when to run, and `now` is always handed in.
"""
