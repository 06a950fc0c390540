"""The commands that work on files, without a cluster: render and import."""
