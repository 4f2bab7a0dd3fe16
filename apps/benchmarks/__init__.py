"""How fast the package is, beside the plain way of doing the same."""
