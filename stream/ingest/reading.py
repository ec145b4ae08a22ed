"""What a bundle says of how lines are read: its templates and masks, and the services that it knows."""

from dataclasses import dataclass

from models.bundle import Bundle
from models.calibration.recognition import regular_services
from stream.ingest.service_watch import BundleServices


@dataclass(frozen=True, slots=True)
class Reading:
    """How lines are read while a bundle is due."""

    bundle: Bundle

    @property
    def services(self) -> BundleServices:
        """Services of the bundle; none of the one that ships, which knows any cloud's: nobody misses one here."""
        if self.bundle.is_general:
            return BundleServices()
        known = self.bundle.detectors
        regular = regular_services(known.groups, known.windows_seen)
        return BundleServices(frozenset(known.groups.services), frozenset(regular))

    @property
    def judged_services(self) -> frozenset[str] | None:
        """Services of which windows over everything hold the events; None for all."""
        return None if self.bundle.is_general else frozenset(self.bundle.detectors.groups.services)
