"""The pages that people see: templates, style, and the headers of every answer."""
