"""The table of readers: what each is called, valid files for it, and the call that reads them."""

from collections.abc import Mapping

from archive_readers import ARCHIVE
from coordinate_readers import COORDINATE_FILES
from image_readers import IMAGES
from model_readers import MODELS
from reader import Reader
from run_readers import RUN_FILES
from settings_readers import SETTINGS

READERS: Mapping[str, Reader] = {**IMAGES, **COORDINATE_FILES, **ARCHIVE, **SETTINGS, **MODELS, **RUN_FILES}
