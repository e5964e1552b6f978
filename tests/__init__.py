"""The tests; a package, since a dependency installs a package of the same name."""
