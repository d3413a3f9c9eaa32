"""The drawing code is compiled once, into the user's cache, before tests get caches of their own."""

import napari_her2.phantom.scene  # noqa: F401
