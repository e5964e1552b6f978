"""The benchmarks of `scripts/bench`; each `bench_NAME.py` is one."""
