"""The encoder that finds evidence, and the weights of what ranks by it."""
