"""One file a peer: the classic recipe as that tool's own users write it for speed.

Each offers `make(ids, vocabulary, sizes) -> run`, where `run(n)` makes n more updates and returns the
last loss, and those that write offer `make_writer` in the same manner.
"""
