"""The tools: what an assistant can do in Productive for the person who signed in."""
