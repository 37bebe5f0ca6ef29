"""What makes a training step faster, from outside the network."""
