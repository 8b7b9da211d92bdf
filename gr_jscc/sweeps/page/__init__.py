"""The page of results that is made from a store."""
