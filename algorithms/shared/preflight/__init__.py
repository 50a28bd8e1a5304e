"""What can be said of a job before a GPU is taken. Standard library alone: the operator and jobkit
import this package too, and neither has torch."""
