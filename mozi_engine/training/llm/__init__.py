"""Causal language models: LoRA on transformers' Trainer, from conversations or from documents."""
