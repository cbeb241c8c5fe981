"""A loss that balances frequency bands by what it learns, as a plugin of srbench."""
