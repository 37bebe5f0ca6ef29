"""What makes a training step faster, from outside of the network."""
