"""Peers side by side: what hornbook and the tools people use need for the same work, in one run."""
