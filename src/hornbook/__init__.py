"""Teach a recurrent network to write like a book, one character at a time."""
