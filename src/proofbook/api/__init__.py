"""The words of the venue's interface, for server and client: schema, names, decimals, receipts."""
