"""What a patch model is: its spec, where it is found, and how it is loaded safely.

``C`` tells tumour on H&E, ``L`` the HER2 score of IHC patches, ``M`` that of their pixels; encoders and
models of others stand behind the same face. torch, timm and transformers come in only when a model is
made.
"""

from __future__ import annotations

from napari_her2.models.adapters import MaskFormerAdapter, OnnxAdapter, TimmAdapter, TorchScriptAdapter
from napari_her2.models.blueprints import BLUEPRINTS, Blueprint, blueprint
from napari_her2.models.encoders import EncoderRecipe, encoder_recipe, list_encoders, load_encoder
from napari_her2.models.face import FeatureModel, PatchModel
from napari_her2.models.network import build_network
from napari_her2.models.outside import Novelty, Reference, fit_reference, read_reference, write_reference
from napari_her2.models.places import Places, standard_places
from napari_her2.models.precision import PRECISIONS, Precision
from napari_her2.models.registry import (
    ModelEntry,
    Verdict,
    add_model,
    check_models,
    find_model,
    list_models,
    load_model,
    show_model,
    verify_models,
)
from napari_her2.models.rollout import attention_rollout
from napari_her2.models.spec import Metric, ModelSpec, ReferenceFile, read_spec, write_spec
from napari_her2.models.trust import is_trusted, trust, withdraw_trust
from napari_her2.models.values import expected_score
from napari_her2.models.weights import save_weights

__all__ = [
    "BLUEPRINTS",
    "PRECISIONS",
    "Blueprint",
    "EncoderRecipe",
    "FeatureModel",
    "MaskFormerAdapter",
    "Metric",
    "ModelEntry",
    "ModelSpec",
    "Novelty",
    "OnnxAdapter",
    "PatchModel",
    "Places",
    "Precision",
    "Reference",
    "ReferenceFile",
    "TimmAdapter",
    "TorchScriptAdapter",
    "Verdict",
    "add_model",
    "attention_rollout",
    "blueprint",
    "build_network",
    "check_models",
    "encoder_recipe",
    "expected_score",
    "find_model",
    "fit_reference",
    "is_trusted",
    "list_encoders",
    "list_models",
    "load_encoder",
    "load_model",
    "read_reference",
    "read_spec",
    "save_weights",
    "show_model",
    "standard_places",
    "trust",
    "verify_models",
    "withdraw_trust",
    "write_reference",
    "write_spec",
]
