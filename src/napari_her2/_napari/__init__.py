"""The window: napari's reader, layers and panels, thin over the pipeline.

Qt is imported only in ``widgets`` and ``worker``; nothing here needs torch.
"""
