"""The benchmark: cases with known lesions, what is compared on them, and the report."""
