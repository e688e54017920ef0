"""Making mozi's models: recipes, data, and the trainers of other libraries; a room for each kind of model."""
