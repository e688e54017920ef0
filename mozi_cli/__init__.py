"""Everything a person sees of mozi; nothing here computes."""
