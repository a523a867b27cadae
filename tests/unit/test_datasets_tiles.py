"""The maths of cutting a photograph into tiles."""

import numpy as np
import pytest

from model_def.datasets.tiles import Rect, cut_boxes, grid_tiles, spread_tiles

TILE = Rect(100, 200, 500, 600)


def cut(*box: float) -> list[list[float]]:
    return cut_boxes(np.array([box], dtype=float), TILE).tolist()


def test_a_box_inside_is_moved_into_the_tiles_coordinates() -> None:
    assert cut(110, 230, 150, 260) == [[10, 30, 50, 60]]


@pytest.mark.parametrize(
    ("box", "inside"),
    [
        ((90, 300, 110, 320), [0, 100, 10, 120]),
        ((490, 300, 510, 320), [390, 100, 400, 120]),
        ((300, 190, 320, 210), [200, 0, 220, 10]),
        ((300, 590, 320, 610), [200, 390, 220, 400]),
    ],
    ids=["left", "right", "top", "bottom"],
)
def test_a_box_cut_by_exactly_half_stays_and_is_clipped(box: tuple[float, ...], inside: list[float]) -> None:
    assert cut(*box) == [inside]


@pytest.mark.parametrize("box", [(89, 300, 110, 320), (490, 300, 511, 320), (300, 189, 320, 210), (300, 590, 320, 611)])
def test_a_box_cut_by_more_than_half_is_dropped(box: tuple[float, ...]) -> None:
    assert cut(*box) == []


def test_a_box_at_a_corner_counts_its_area_not_its_sides() -> None:
    assert cut(92, 192, 112, 212) == []  # 12 of 20 pixels in each direction, 36 % of the area


def test_boxes_elsewhere_are_dropped_and_none_is_fine() -> None:
    assert cut(0, 0, 50, 50) == []
    assert cut_boxes(np.zeros((0, 4)), TILE).shape == (0, 4)


def test_spread_tiles_cover_the_ground_to_its_edges_and_stay_inside() -> None:
    ground = Rect(7, 11, 1007, 911)
    tiles = list(spread_tiles(ground, tile=400, stride=250))
    covered = np.zeros((1000, 1100), bool)
    for tile in tiles:
        assert (tile.right - tile.left, tile.bottom - tile.top) == (400, 400)
        covered[tile.top : tile.bottom, tile.left : tile.right] = True
    assert covered[11:911, 7:1007].all()
    assert covered.sum() == 1000 * 900
    assert sorted({tile.left for tile in tiles}) == [7, 207, 407, 607]
    assert sorted({tile.top for tile in tiles}) == [11, 261, 511]


def test_ground_of_one_tile_gives_that_tile_and_smaller_ground_none() -> None:
    assert list(spread_tiles(Rect(5, 5, 405, 405), tile=400, stride=100)) == [Rect(5, 5, 405, 405)]
    assert list(spread_tiles(Rect(0, 0, 399, 900), tile=400, stride=100)) == []
    assert list(grid_tiles(Rect(0, 0, 399, 900), tile=400)) == []


def test_grid_tiles_are_whole_and_side_by_side() -> None:
    tiles = list(grid_tiles(Rect(800, 100, 1649, 935), tile=400))
    assert tiles == [Rect(x, y, x + 400, y + 400) for y in (100, 500) for x in (800, 1200)]
