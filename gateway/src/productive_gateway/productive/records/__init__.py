"""Records: what is read and written of each kind of Productive's resources, declared once."""
