"""EMPIAR and mirrors of it: what an entry holds, and its files on this machine."""
