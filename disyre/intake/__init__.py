"""Uploads: what their files are, and whether a job can be made of them, before anything is computed."""
