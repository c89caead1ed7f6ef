"""The words of the venue's interface, shared by server and client: JSON-RPC schema, names, decimals, receipts."""
