"""What every benchmark needs: turns, the machine, memory, the report."""
