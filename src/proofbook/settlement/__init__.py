"""From the journal to the chain and back: deposits in, appends and claims out, withdrawals paid.

What was appended and claimed is read from the chain alone, so that a restart needs no memory.
"""
