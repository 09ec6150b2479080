"""Takes series from a PACS by C-STORE, has them scored by the API, and sends results back by C-STORE.

A process of its own beside the API, of which it knows what any client does.
"""
