"""Draws of the governor's commands: most are sound and name the next version."""

from dataclasses import fields, replace

from proofbook.protocol.commands import SetParameters, SetPublisher, SetTerms, SetUnderlying
from proofbook.protocol.events import Event, ParametersChanged, PublisherChanged, TermsChanged
from proofbook.protocol.limits import TermsKind
from proofbook.protocol.terms import FIRST_PARAMETERS, MarginParameters, MarginTerms
from proofbook.simulator.crowd import Crowd

PUBLISHERS_DRAWN = 6
NO_KEY = bytes(20)
STRICT_SHARE, STRICT_RANGE_PPM = 0.3, 900_000


class GovernanceDraws(Crowd):
    """A crowd with a governor: publishers come and go, terms change, none of them by much."""

    def observe_governor(self, event: Event) -> None:
        """Learn versions and publishers; one with a spoiled key publishes nothing."""
        if isinstance(event, ParametersChanged):
            self.parameters_version = event.version
        elif isinstance(event, TermsChanged):
            self.terms_versions[event.underlying] = event.version
        elif isinstance(event, PublisherChanged):
            self.publisher_versions[event.publisher] = event.version
            self.publishers.pop(event.publisher, None)
            if event.key in self.publisher_keys:
                self.publishers[event.publisher] = self.publisher_keys[event.key]

    def _around(self, value: int) -> int:
        return int(value * self.random.uniform(0.8, 1.2))

    def _set_parameters(self) -> SetParameters:
        """Draw every parameter around its first value; sometimes so strict that accounts fall."""
        drawn = {
            member.name: self._around(getattr(FIRST_PARAMETERS, member.name))
            for member in fields(FIRST_PARAMETERS)
        }
        drawn["maintenance_factor_ppm"] = self._around(700_000)
        drawn["conversion_ppm"] = self.random.choice((0, 20_000, 500_000))
        drawn["joint_ppm"] = self.random.choice((0, 400_000, 1_000_000))
        if self.random.random() < STRICT_SHARE:
            drawn["spot_range_ppm"] = STRICT_RANGE_PPM
        parameters = MarginParameters(**drawn)
        return SetParameters(self._next_version(self.parameters_version), parameters)

    def _set_publisher(self) -> SetPublisher:
        """Add one or give one another key, and sometimes take a key away."""
        number = self.random.randint(1, min(PUBLISHERS_DRAWN, len(self.publisher_versions) + 1))
        key = self.random.choice(list(self.publisher_keys))
        if self.random.random() < 0.3:
            key = NO_KEY
        version = self._next_version(self.publisher_versions[number])
        return SetPublisher(number, version, key)

    def _set_terms(self) -> SetTerms:
        place = self.random.randrange(len(self.grids))
        kind = self.random.choice(list(TermsKind))
        first = self.grids[place].terms[kind]
        terms = replace(
            first,
            tick_atoms=first.tick_atoms * self.random.choices((1, 2), (6, 1))[0],
            maker_fee_ppm=self.random.randrange(200),
            taker_fee_ppm=self.random.randrange(600),
            band_ppm=self.random.choice((first.band_ppm, 0, 50_000, 200_000)),
            lots_min=self.random.choice((1, 1, 1, 2)),
            lots_max=self.random.choice((first.lots_max, 1_500)),
            block_lots_min=self.random.choice((1, 20, 25)),
            position_lots_max=self.random.choice((0, 0, 0, 0, 100)),
            open_interest_lots_max=self.random.choice((0, 0, 0, 0, 500)),
        )
        version = self._next_version(self.terms_versions[place + 1])
        return SetTerms(place + 1, version, kind, terms)

    def _set_underlying(self) -> SetUnderlying:
        place = self.random.randrange(len(self.grids))
        grid = self.grids[place]
        quorum = self.random.choices((1, 2, 3, 6), (8, 8, 2, 1))[0]
        step_atoms = grid.strike_step_atoms * self.random.choices((1, 2), (4, 1))[0]
        table = self.random.choice((grid.tick_table, grid.tick_table, ((2_000, 10),)))
        margin = MarginTerms(
            self.random.choice((1_000_000, 700_000, 0)),
            self.random.choice((0, 20_000, 100_000)),
            self.random.choice((0, 10**9, 50 * 10**9)),
        )
        version = self._next_version(self.terms_versions[place + 1])
        return SetUnderlying(place + 1, version, quorum, step_atoms, table, margin)
