"""Answers' bodies, made from a snapshot's rows. Pure: no I/O, no clock."""
