"""What a person sees of a running run: progress, loss, the time left."""
