"""Setting: a learned number that is no weight, and learns at its own pace."""

from torch import nn


class Setting(nn.Parameter):
    """A log rate, a temperature, a kernel's coefficient: few, scalar in spirit, none near a weight.

    The outer loop gives settings a learning rate of their own and no weight decay: at the rate that
    suits weights a logarithm hardly moves in a whole meta-training.
    """
