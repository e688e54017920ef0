"""Making mozi's models: recipes, data, and the trainers of other libraries."""
