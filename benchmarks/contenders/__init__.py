"""What takes turns making training steps: a module a contender, and how they are started, asked and ended."""
