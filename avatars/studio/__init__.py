"""Draws the shipped avatars and packs them into bundles."""
