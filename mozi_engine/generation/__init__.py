"""The ways to continue a conversation; each is one class that keeps the Generator protocol."""
