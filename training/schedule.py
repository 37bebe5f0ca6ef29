"""The learning rate of section 5.3."""


def inverse_square_root(step: int, warmup_steps: int) -> float:
    """Equation 3 over its own peak: step / warmup while warming up, then sqrt(warmup / step).

    Args:
        step: the step about to be made, from 1.
        warmup_steps: where the peak is, in steps; at least 1.

    """
    return min(step / warmup_steps, (warmup_steps / step) ** 0.5)


def peak_rate(d_model: int, warmup_steps: int) -> float:
    """Return the peak of equation 3: d_model^-0.5 * warmup_steps^-0.5."""
    return float((d_model * warmup_steps) ** -0.5)
