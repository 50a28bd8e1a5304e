"""`posthuman algorithm …`: make an algorithm of your own, and publish it."""
