"""The network that finds the brain: heads synthesised from label maps, its training and its export."""
