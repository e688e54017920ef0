"""Measuring the way the field measures."""
