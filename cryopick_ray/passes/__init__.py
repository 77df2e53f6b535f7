"""Passes over tables: pure functions from a micrograph's picks to picks."""
