"""Tests of the whole Palio; a package, so that fixtures may live as long as those of a part of it run."""
