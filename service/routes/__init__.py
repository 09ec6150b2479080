"""The handlers: parse, call, view. No rule lives here."""
