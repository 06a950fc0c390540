"""The Kubernetes API, as far as the operator has rights to it; the only importer of its client."""
