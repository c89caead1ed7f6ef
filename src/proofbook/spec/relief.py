"""Relief: by how much maintenance margin falls when a part of what is held is closed.

Liquidations and auctions are measured by it: a step that relieves nothing helps nobody.
"""

from proofbook.spec.exposure import Changes
from proofbook.spec.margin import maintenance_margin_up
from proofbook.spec.portfolio import Portfolio, with_changes
from proofbook.spec.world import World


class Relief:
    """What the positions of an account need, and what they would need with other lots.

    `held` is a portfolio of positions alone.
    """

    def __init__(self, world: World, held: Portfolio) -> None:
        self.world = world
        self.held = held
        self.required_atoms = maintenance_margin_up(world, held)

    def of(self, changes: Changes) -> int:
        """Return by how much the requirement falls when lots are traded at their marks.

        Rounds not: the difference of two requirements that are rounded up. Below 0 if it rises.
        """
        after = with_changes(self.world, self.held, changes)
        return self.required_atoms - maintenance_margin_up(self.world, after)
