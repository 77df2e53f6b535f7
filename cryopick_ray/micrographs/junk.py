"""What lies in a micrograph where there is neither clear ice nor a single particle."""

from enum import IntEnum


class Junk(IntEnum):
    """What a pick lies on; the codes of junk masks, in files too.

    ``NONE`` is clear vitreous ice with its particles; ``CARBON`` any support film, of gold too; ``ICE`` ice
    that is crystalline or too thick and textured to show particles; ``CONTAMINATION`` balls of ethane and
    ice, specks, scratches and cracks; ``AGGREGATE`` clumps of particles; ``LATTICE`` a crystal of the
    support, such as streptavidin's.
    """

    NONE = 0
    CARBON = 1
    ICE = 2
    CONTAMINATION = 3
    AGGREGATE = 4
    LATTICE = 5
