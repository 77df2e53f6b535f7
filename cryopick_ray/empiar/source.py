"""EMPIAR (Iudin et al. 2023, Nucleic Acids Res. 51:D1503) or a mirror of it: entries, searches, files."""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from urllib.parse import quote, urlsplit

from cryopick_ray.empiar.entry import Entry, SearchHit, parse_entry, parse_search
from cryopick_ray.errors import UsageError
from cryopick_ray.transfer.backoff import Bandwidth
from cryopick_ray.transfer.http import Client
from cryopick_ray.transfer.index_pages import HttpFiles
from cryopick_ray.transfer.mirror import MirrorFiles
from cryopick_ray.transfer.response import FileSource, RefusedFile, RemoteFile
from cryopick_ray.transfer.transfer_errors import MissingError, RemoteError

API = "https://www.ebi.ac.uk/empiar/api"
SEARCH = "https://www.ebi.ac.uk/ebisearch/ws/rest/empiar"
FILES = "https://ftp.ebi.ac.uk/empiar/world_availability"
CONNECTIONS = 4
"""To one host at a time: the archive is everybody's."""
MOST_ANSWER_BYTES = 2**25
MOST_HITS = 100  # what EBI Search gives in one page


@dataclass(frozen=True)
class EmpiarAddresses:
    """Where the archive's interface, its search and its files are.

    Attributes
    ----------
    files
        A web address, a folder, or ``s3://BUCKET/PREFIX``; an entry lies below it under its number.
    """

    api: str = API
    search: str = SEARCH
    files: str = FILES

    @classmethod
    def from_environment(cls) -> "EmpiarAddresses":
        """Take CRYOPICK_EMPIAR_API, CRYOPICK_EMPIAR_SEARCH and CRYOPICK_EMPIAR_FILES where they are set."""
        found = {
            name: _checked(f"CRYOPICK_EMPIAR_{name.upper()}")
            for name in ("api", "search", "files")
            if os.environ.get(f"CRYOPICK_EMPIAR_{name.upper()}")
        }
        return cls(**found)


class EmpiarSource:
    """Asks EMPIAR, or what stands in for it.

    Parameters
    ----------
    connections
        The most that are open to one host at a time.
    bytes_per_s
        Limit over all connections; ``None`` for none.

    Attributes
    ----------
    stop
        Set, it ends all waiting and all transfers.
    """

    def __init__(
        self,
        places: EmpiarAddresses | None = None,
        *,
        connections: int = CONNECTIONS,
        bytes_per_s: float | None = None,
    ) -> None:
        self._places = places or EmpiarAddresses.from_environment()
        self._bandwidth = Bandwidth(bytes_per_s)
        self.connections, self.stop = connections, threading.Event()
        self._client = Client(connections, self._bandwidth, self.stop)

    @property
    def is_mirror(self) -> bool:
        """Whether the files come from a folder or a bucket."""
        return urlsplit(self._places.files).scheme not in ("http", "https")

    def search(self, query: str, *, limit: int) -> tuple[int, list[SearchHit]]:
        """Return the number of entries that fit a query in EBI Search's words, and the first of them."""
        found: list[SearchHit] = []
        while True:
            size = min(limit - len(found), MOST_HITS)
            url = (
                f"{self._places.search}?query={quote(query, safe='')}&fields=title&format=json"
                f"&size={size}&start={len(found)}"
            )
            hits, page = parse_search(self._client.page(url, at_most=MOST_ANSWER_BYTES))
            found += page
            if not page or len(found) >= min(limit, hits):
                return hits, found[:limit]

    def entry(self, entry_id: str) -> Entry:
        """Return what an entry says of itself.

        A mirror without the archive's interface still has the files: then nothing is known but the number.
        """
        url = f"{self._places.api}/entry/{entry_id}/"
        try:
            return parse_entry(self._client.page(url, at_most=MOST_ANSWER_BYTES), entry_id)
        except MissingError:
            raise MissingError(
                f"EMPIAR has no entry {entry_id}; `cryopick empiar search` finds entries"
            ) from None
        except RemoteError:
            if self.is_mirror:
                return Entry(entry_id)
            raise

    def files(self, entry_id: str) -> FileSource:
        """Return where the files of an entry lie."""
        url = f"{self._places.files.rstrip('/')}/{entry_id}"
        return MirrorFiles(url, self._bandwidth) if self.is_mirror else HttpFiles(url, self._client)


def find_directory(files: FileSource, directory: str) -> tuple[str, Iterator[RemoteFile | RefusedFile]]:
    """Return the folder of an image set, as declared or as it is, and the files below it.

    Entries declare ``data/images``, ``images`` or a folder that is not there: then all of ``data`` is taken.
    """
    tried = dict.fromkeys([directory, f"data/{directory}", "data"])
    for folder in tried:
        found = files.walk(folder)
        try:
            first = next(found)
        except StopIteration:
            return folder, found
        except MissingError:
            continue
        return folder, chain([first], found)
    raise MissingError(f"{files.url} has none of the folders {', '.join(tried)}")


def _checked(variable: str) -> str:
    value = os.environ[variable].rstrip("/")
    parts = urlsplit(value)
    if "@" in parts.netloc:
        raise UsageError(f"{variable} holds credentials; give them in the environment, not in the address")
    if parts.scheme and parts.scheme not in ("http", "https", "s3", "gs"):
        raise UsageError(
            f"{variable} is {value!r}; expected a web address, a folder, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX"
        )
    return value if parts.scheme else os.path.abspath(value)
