"""Errors of small counts."""

from __future__ import annotations

import numpy as np

ONE_SIGMA = 0.8413447460685429
"""One-sided confidence of one Gaussian standard deviation (Gehrels 1986)."""


def poisson_errors(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One-sigma errors of Poisson counts, downwards and upwards.

    The exact limits that Gehrels (1986, ApJ 303, 336) tabulates: 0 counts give (0, 1.841), 1 count (0.827, 2.300).

    Parameters
    ----------
    counts : ndarray
        Counts, zero or more, of any shape.

    Returns
    -------
    lower, upper : ndarray of float64
        Both zero or positive, in counts.
    """
    from scipy.special import gammaincinv

    flat = np.asarray(counts)
    values, inverse = np.unique(flat, return_inverse=True)
    above = gammaincinv(values + 1.0, ONE_SIGMA) - values
    below = values - np.where(values > 0, gammaincinv(np.maximum(values, 1e-300), 1 - ONE_SIGMA), 0.0)
    return below[inverse].reshape(flat.shape), above[inverse].reshape(flat.shape)
