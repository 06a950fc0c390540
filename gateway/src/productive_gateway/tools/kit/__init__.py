"""What every tool is made with: its declaration, arguments, answers, errors and pages."""
