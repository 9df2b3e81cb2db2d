"""What Q Company's jobs share."""
