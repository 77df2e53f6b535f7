"""Scheduling of units on workers: the serial engine and Ray."""
