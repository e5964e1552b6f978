"""What an owner writes into the read model, and checks there: reads that go on while it is away."""
