"""What a person sees of a run: progress, its loss, the time that is left."""
