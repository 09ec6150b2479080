"""The classifier that tells the contrast of a brain from its image: what it is fitted on, and the fit."""
