"""Words that people and models write: days, durations, rich text, and text of others."""
