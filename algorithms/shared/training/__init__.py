"""The training program that `train` and `pretrain` share: engines, loop, checkpoints."""
