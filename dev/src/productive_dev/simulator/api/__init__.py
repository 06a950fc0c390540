"""From a request to an answer: routes, the order of checks, lists, writes."""
