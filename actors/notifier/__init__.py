"""Tells users what happens to their tournaments: events become jobs, jobs become letters, a bounded number a second."""
