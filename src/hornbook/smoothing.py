"""How much of a smooth loss is still the loss that it began with."""

from hornbook.engines.interface import KEPT

LITTLE = 0.01  # which moves a smooth loss by no more than some hundredths of a nat a character


def first_share(updates: int) -> float:
    """The share of the smooth loss after so many updates that is still its first value; 0 where that is too
    little to tell, as in the classic recipe's 100,000 updates."""
    share = KEPT ** max(updates - 1, 0)
    return share if share > LITTLE else 0.0
