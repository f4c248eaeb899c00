"""Dantaro Central: point-in-time, measured market analysis for a fleet of trading bots."""

__version__ = "0.1.0"
