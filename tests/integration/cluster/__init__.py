"""Palio on the real servers and three Ray nodes: one fleet, one Palio for all files here (see `conftest.py`), each of its parts taken away."""
