"""Look at networks that come with the package by frequency, train one of them with APR-SP, and look again."""
