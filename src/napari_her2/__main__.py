"""``python -m napari_her2`` is the command line."""

import sys

from napari_her2.cli import main

if __name__ == "__main__":
    sys.exit(main())
