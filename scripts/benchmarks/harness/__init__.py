"""What benchmarks share: a Palio of their own, clients, contenders."""
