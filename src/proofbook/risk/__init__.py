"""Analytics around the kernel: chains, volatility surfaces and those who publish them."""
