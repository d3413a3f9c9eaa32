"""Registration of pictures whose correspondence is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from napari_her2.errors import MappingError
from napari_her2.geometry import Affine, Box
from napari_her2.mapping import Landmarks, MappingSettings, register_images
from napari_her2.mapping.flow import Flow
from napari_her2.mapping.frame import Lattice
from napari_her2.mapping.picture import darkness, guess_tissue
from napari_her2.slides import open_slide


def aligned(pair, **options):
    return register_images(
        pair.he, pair.ihc, he_um_per_px=pair.he_um_per_px, ihc_um_per_px=pair.ihc_um_per_px, **options
    )


POSES = {
    "as it lies": {},
    "any angle": {"degrees": 37.0},
    "face down": {"degrees": -71.0, "mirror": True},
    "another scanner": {"degrees": 10.0, "um": (4.0, 3.1)},
    "wrong pixel size": {"degrees": 140.0, "scale": 1.3},
}


@pytest.mark.parametrize("case", POSES)
def test_every_pose_is_found_to_a_cell(make_pair, case):
    pair = make_pair(3, **POSES[case])
    mapping = aligned(pair)
    errors = pair.error_um(mapping)
    assert np.median(errors) < 10
    assert np.percentile(errors, 90) < 20
    assert mapping.mirrored is POSES[case].get("mirror", False)
    assert not mapping.needs_review, mapping.reason
    assert mapping.min_jacobian > 0
    assert mapping.inside(pair.points_um / pair.he_um_per_px, "he").mean() > 0.95


def test_a_smooth_warp_is_followed(make_pair):
    lattice = Lattice.over((1200.0, 1520.0), 40.0, 2)
    nodes = lattice.nodes_um
    values = 28 * np.stack([np.sin(nodes[:, 1] / 200), np.cos(nodes[:, 0] / 230)], axis=1)
    flow = Flow.of(lattice.with_values(values.reshape(lattice.values.shape)))
    pair = make_pair(4, degrees=25.0, flow=flow, um=(2.5, 2.5))
    bent, straight = aligned(pair), aligned(pair, settings=MappingSettings(nonrigid=False))
    assert bent.kind == "nonrigid"
    assert straight.kind != "nonrigid"
    assert np.median(pair.error_um(bent)) < 0.6 * np.median(pair.error_um(straight))
    assert np.median(pair.error_um(bent)) < 8
    there = bent.he_to_ihc(pair.points_um / 2.5)
    assert np.abs(bent.ihc_to_he(there) - pair.points_um / 2.5).max() * 2.5 < 1


@pytest.fixture(scope="module")
def plain(make_pair):
    pair = make_pair(5, degrees=20.0)
    return pair, aligned(pair)


def test_turning_the_ihc_by_a_quarter_changes_nothing(plain):
    pair, first = plain
    turned = register_images(
        pair.he, np.rot90(pair.ihc).copy(), he_um_per_px=pair.he_um_per_px, ihc_um_per_px=pair.ihc_um_per_px
    )
    points = pair.points_um / pair.he_um_per_px
    expected = first.he_to_ihc(points)
    expected = np.stack([pair.ihc.shape[1] - expected[:, 1], expected[:, 0]], axis=1)
    assert np.abs(turned.he_to_ihc(points) - expected).max() < 2.5
    assert turned.needs_review == first.needs_review


def test_the_same_input_gives_the_same_mapping(plain):
    pair, first = plain
    second = aligned(pair)
    assert first.report() == second.report()
    assert np.array_equal(first.affine_um.matrix, second.affine_um.matrix)


def test_a_missing_part_is_outside(make_pair):
    pair = make_pair(6, degrees=0.0)
    gone = pair.ihc.copy()
    gone[:, 250:] = 245
    mapping = register_images(pair.he, gone, he_um_per_px=4.0, ihc_um_per_px=4.0)
    points = pair.points_um
    there = points[:, 1] < 900
    errors = pair.error_um(mapping)
    assert np.median(errors[there]) < 10
    inside = mapping.inside(points / 4.0, "he")
    assert inside[there].mean() > 0.9
    assert inside[points[:, 1] > 1100].mean() < 0.1


@pytest.mark.parametrize("other", [11, 12])
def test_two_different_blocks_are_flagged(make_pair, other):
    mapping = aligned(make_pair(7, degrees=50.0, other=other))
    assert mapping.needs_review
    assert mapping.flags == ("needs_review",)
    assert mapping.reason


def test_pieces_that_moved_by_themselves_are_followed(make_slipped_pair):
    pair = make_slipped_pair(3, degrees=12.0, shift_um=(-80.0, 120.0))
    mapping = aligned(pair)
    errors = pair.error_um(mapping)
    assert mapping.kind == "nonrigid"
    assert np.median(errors) < 10
    assert np.percentile(errors, 90) < 20
    assert mapping.min_jacobian > 0


def test_landmarks_seed_the_pose(make_pair):
    pair = make_pair(9, degrees=100.0)
    marks = Landmarks.of(
        pair.points_um[::12] / pair.he_um_per_px,
        pair.he_to_ihc_um(pair.points_um[::12]) / pair.ihc_um_per_px,
    )
    mapping = aligned(pair, landmarks=marks)
    assert np.median(pair.error_um(mapping)) < 8
    assert not mapping.needs_review


@pytest.mark.parametrize("side", ["he", "ihc"])
def test_a_blank_slide_is_refused(make_pair, side):
    pair = make_pair(1)
    blank = np.full_like(pair.he, 245)
    empty = np.zeros(blank.shape[:2], bool)
    pictures = {"he": (blank, pair.ihc), "ihc": (pair.he, blank)}[side]
    with pytest.raises(MappingError, match="no tissue"):
        register_images(*pictures, he_um_per_px=4.0, ihc_um_per_px=4.0, **{f"{side}_tissue": empty})


def test_real_neighbours_are_found_within_two_percent(shared_data):
    """rat-kidney, H&E and PanCytokeratin, the IHC turned, mirrored and pale; points of experts."""
    folder = shared_data("registration/rat-kidney")
    he, ihc = (
        cv2.cvtColor(cv2.imread(str(folder / f"{name}.jpg")), cv2.COLOR_BGR2RGB)
        for name in ("HE", "PanCytokeratin")
    )
    tables = [
        np.loadtxt(folder / f"{name}.csv", delimiter=",", skiprows=1) for name in ("HE", "PanCytokeratin")
    ]
    common = np.intersect1d(tables[0][:, 0], tables[1][:, 0])
    he_xy, ihc_xy = (table[np.isin(table[:, 0], common)][:, 1:] for table in tables)
    pale = np.clip(240 - (240 - np.rot90(ihc)[:, ::-1].astype(float)) * 0.5, 0, 255).astype(np.uint8)
    # rot90 takes (r, c) to (width - c, r); the mirror then takes the new column c to height - c
    truth = np.stack([ihc.shape[1] - ihc_xy[:, 0], ihc.shape[0] - ihc_xy[:, 1]], axis=1)
    mapping = register_images(he, pale, he_um_per_px=5.0, ihc_um_per_px=5.0)
    away = np.linalg.norm(mapping.he_to_ihc(he_xy[:, ::-1]) - truth, axis=1)
    assert np.median(away) / np.hypot(*pale.shape[:2]) < 0.004
    assert mapping.mirrored
    assert not mapping.needs_review


CELLS = 500


def cells_on_glass(turn: Affine, seed: int = 3) -> np.ndarray:
    """Draw single cells in a round spot of 1.8 mm, at 4 µm/px, each place carried by ``turn`` (µm)."""
    rng = np.random.default_rng(seed)
    radius, angle = 900 * np.sqrt(rng.random(CELLS)), rng.uniform(0, 2 * np.pi, CELLS)
    places = turn(np.stack([1200 + radius * np.sin(angle), 1200 + radius * np.cos(angle)], axis=1))
    sizes = rng.uniform(1.0, 2.2, CELLS)
    image = np.full((640, 640, 3), 238, np.uint8)
    for (row, col), size in zip(places / 4, sizes, strict=True):
        at = round((col - 0.5) * 16), round((row - 0.5) * 16)
        cv2.circle(image, at, int(size * 16), (120, 100, 150), cv2.FILLED, cv2.LINE_AA, 4)
    return image


def test_single_cells_on_glass_are_aligned_by_the_field_they_cover() -> None:
    angle = np.radians(20)
    linear = 0.93 * np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    turn = Affine.of(linear, np.array([1300.0, 1230.0]) - linear @ (1200, 1200))
    first, second = cells_on_glass(Affine.identity()), cells_on_glass(turn)
    mapping = register_images(first, second, he_um_per_px=4.0, ihc_um_per_px=4.0)
    places = np.array([(1200.0, 1200.0), (700.0, 1300.0), (1500.0, 800.0)])
    assert np.linalg.norm(mapping.he_to_ihc_um(places) - turn(places), axis=1).max() < 8
    assert not mapping.needs_review, mapping.reason


def test_the_field_of_scattered_cells_counts_as_tissue() -> None:
    spots = cells_on_glass(Affine.identity())
    rows, cols = (np.indices(spots.shape[:2]) + 0.5) * 4
    inside = np.hypot(rows - 1200, cols - 1200) < 850
    field = guess_tissue(darkness(spots), 4.0)
    assert field[inside].mean() > 0.9
    assert field[np.hypot(rows - 1200, cols - 1200) > 1100].mean() < 0.01
    lumps = np.where((np.hypot(rows - 700, cols - 700) < 400)[..., None], np.uint8(120), np.uint8(240))
    lump = guess_tissue(darkness(np.repeat(lumps, 3, axis=2)), 4.0)
    assert abs(lump.sum() * 16 / (np.pi * 400**2) - 1) < 0.25, "what hangs together is taken as it is"


def test_one_cytology_slide_on_two_scanners(shared_data):
    """Nominally 0.5 µm/px; the spot is 7 % smaller on the second scanner."""
    folder = shared_data("registration/cytology-4-scanners")
    pictures = []
    for name in ("563479-aperio.svs", "563479-nanozoomer-s210.ndpi"):
        with open_slide(folder / name, um_per_px=0.5) as slide:
            pictures.append(slide.read_at(Box.of_shape(slide.shape), 2.0))
    mapping = register_images(*pictures, he_um_per_px=2.0, ihc_um_per_px=2.0)
    assert not mapping.needs_review, mapping.reason
    hair = mapping.he_to_ihc_um(np.array([(1041.0, 1754.0)]))[0]
    assert np.linalg.norm(hair - (1371, 1618)) < 40, "as seen by eye, on pictures of 4 µm/px"
