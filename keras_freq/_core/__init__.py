"""What every part stands on; nothing here is public."""
