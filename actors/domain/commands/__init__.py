"""What each control record does, a module for each family; `table` has them all."""
