"""Helpers of the tests: models, bags, clients, oracles."""
