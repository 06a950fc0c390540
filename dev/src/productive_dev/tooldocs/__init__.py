"""Documentation made from the tools: the page of all tools, and one schema file for each."""
