"""What a run leaves for a person to judge it by: model card, loss plot, samples."""
