"""How much noise at which step: schedules for diffusion, and one step back.

`signal[t]` is the share of the image that is left at step t and `1 - signal[t]` that of the noise
(variances; the papers call it alpha-bar). Step 0 is nearly clean, the last step is noise.
"""

import numpy as np


def linear(steps: int) -> np.ndarray:
    """Each step adds a little more noise than the one before: Ho et al. 2020, arXiv:2006.11239,
    section 4. Their 1e-4 to 0.02 are for 1,000 steps; fewer steps add more each."""
    added = np.linspace(1e-4, 0.02, steps) * 1000 / steps
    return np.cumprod(1 - added.clip(max=0.999))


def cosine(steps: int, offset: float = 0.008) -> np.ndarray:
    """Slow at both ends, so that images are neither destroyed at once nor noise for long: Nichol &
    Dhariwal 2021, arXiv:2102.09672, equation 17."""
    time = np.arange(1, steps + 1) / steps
    signal = np.cos((time + offset) / (1 + offset) * np.pi / 2) ** 2
    return (signal / np.cos(offset / (1 + offset) * np.pi / 2) ** 2).clip(1e-5, 0.9999)


def noisy(images: np.ndarray, noise: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """Images (batch, ...) with noise, at `signal` (batch,)."""
    signal = signal.reshape(-1, *[1] * (images.ndim - 1))
    return np.sqrt(signal) * images + np.sqrt(1 - signal) * noise


def step_back(
    images: np.ndarray, noise: np.ndarray, now: float, before: float, rng: np.random.Generator
) -> np.ndarray:
    """Images at the step before, given the noise that a network finds in them.

    The clean image follows from the noise. It is mixed with the image as it is, and a little new
    noise is added, but at the end: arXiv:2006.11239, equations 6 and 7.

    Args:
        images: Images (batch, ...) at this step.
        noise: What the network takes for noise in them.
        now, before: `signal` at this step and at the one before; 1 before the first.
        rng: For the new noise.
    """
    clean = (images - np.sqrt(1 - now) * noise) / np.sqrt(now)
    kept = now / before
    mean = np.sqrt(before) * (1 - kept) * clean.clip(-1, 1) + np.sqrt(kept) * (1 - before) * images
    spread = np.sqrt((1 - kept) * (1 - before) / (1 - now))
    return mean / (1 - now) + spread * rng.normal(size=images.shape)
