"""What the tests compare with: float64 NumPy, and Pillow one image at a time."""
