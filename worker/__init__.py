"""The worker: takes jobs from the queue and restores scans with ONNX Runtime."""
