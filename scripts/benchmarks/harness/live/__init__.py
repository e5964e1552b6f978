"""Live clients of the benchmarks, as many as a process can hold."""
