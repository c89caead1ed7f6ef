"""Commands become one total order: windows, journal, group commit, receipts."""
