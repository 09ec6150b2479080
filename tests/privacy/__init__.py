"""What a patient's data may never be in."""
