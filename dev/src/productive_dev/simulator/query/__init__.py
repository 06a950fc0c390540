"""What a request asks for: conditions, order, pages, includes, sparse fields."""
