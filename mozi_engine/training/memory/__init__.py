"""How much memory a training takes: foretold, and measured."""
