"""How many machines a load needs, from what Palio was measured to use."""
